"""The numbers behind a verdict, by hand and by scipy: Student's t, noise, a contest of pairs, looks, shrinkage."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vbotd.core.verdict.contest import contest
from vbotd.core.verdict.jointly import joint_quantile, joint_tail
from vbotd.core.verdict.looks import LOOKS, SHARES, sequential_p
from vbotd.core.verdict.noise import Noise, noise_floor, spread_over_seeds
from vbotd.core.verdict.ruling import chances, rulings
from vbotd.core.verdict.shrinkage import reliability, shrunken
from vbotd.core.verdict.student import quantile, upper_tail

NOISE = Noise(spread=1.0, pair_spread=math.sqrt(2), freedom=15, runs=24)
SCORES = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


@given(st.floats(-30, 30), st.integers(1, 120))
def test_students_tail_is_scipys(t: float, freedom: int):
    assert upper_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), abs=1e-10)  # near 0 ours is the nearer


@given(st.floats(0.001, 0.999), st.integers(1, 120))
def test_a_quantile_is_what_the_tail_says(p: float, freedom: int):
    assert 1 - upper_tail(quantile(p, freedom), freedom) == pytest.approx(p, abs=1e-9)


def test_student_refuses_what_is_no_probability_and_no_freedom():
    with pytest.raises(ValueError, match="between 0 and 1, not 1"):
        quantile(1.0, 3)
    with pytest.raises(ValueError, match="at least 1 degree of freedom, not 0"):
        upper_tail(0.0, 0)


@pytest.mark.parametrize(("claims", "freedom", "bar"), [(2, 10, 2.15), (3, 15, 2.24), (3, 5, 2.68), (6, 60, 2.35)])
def test_the_bar_of_several_claims_is_that_of_dunnetts_table(claims: int, freedom: int, bar: float):
    # Dunnett 1955, table 1a: one-sided, 5 %
    assert joint_quantile(0.95, freedom, claims) == pytest.approx(bar, abs=0.006)


@pytest.mark.parametrize(("t", "freedom", "claims"), [(-1.0, 1, 2), (0.5, 3, 3), (2.0, 15, 3), (3.0, 40, 5)])
def test_the_joint_tail_is_scipys(t: float, freedom: int, claims: int):
    shape = [[1.0 if i == j else 0.5 for j in range(claims)] for i in range(claims)]
    below = stats.multivariate_t.cdf([t] * claims, shape=shape, df=freedom, maxpts=20_000 * claims, random_state=1)
    assert joint_tail(t, freedom, claims) == pytest.approx(1 - below, abs=1e-3)


@given(st.floats(-5, 10), st.integers(1, 200), st.integers(2, 12))
def test_several_claims_are_doubted_more_than_one_and_less_than_if_they_had_nothing_in_common(
        t: float, freedom: int, claims: int):
    alone = upper_tail(t, freedom)
    assert alone - 1e-6 <= joint_tail(t, freedom, claims) <= 1 - (1 - alone) ** claims + 1e-6
    assert joint_tail(-math.inf, freedom, claims) == 1.0


def test_the_noise_of_two_settings_is_that_of_their_pairs():
    # differences 1, 2, 3: variance 1; within the settings the variances are 1 and 4
    floor = noise_floor([{1: 2.0, 2: 4.0, 3: 6.0}, {1: 1.0, 2: 2.0, 3: 3.0}])
    assert floor is not None
    assert (floor.pair_spread, floor.freedom, floor.runs) == (pytest.approx(1.0), 2, 6)
    assert floor.spread == pytest.approx(math.sqrt((2 * 4 + 2 * 1) / 4))


def test_equal_seeds_make_the_pooled_noise_the_residual_of_a_two_way_layout():
    table = [[0.3, 0.9, 0.2, 0.5], [0.1, 0.7, 0.3, 0.2], [0.8, 0.9, 0.4, 0.6]]
    rows, columns = [sum(row) / 4 for row in table], [sum(column) / 3 for column in zip(*table, strict=True)]
    grand = sum(rows) / 3
    residual = sum((table[i][j] - rows[i] - columns[j] + grand) ** 2 for i in range(3) for j in range(4)) / 6
    floor = noise_floor([dict(enumerate(row)) for row in table])
    assert floor is not None and floor.freedom == 6
    assert floor.pair_spread == pytest.approx(math.sqrt(2 * residual))


def test_runs_cannot_lie_closer_together_than_their_episodes_allow():
    same = {1: 0.9, 2: 0.9, 3: 0.9}
    floor = noise_floor([same, {1: 0.8, 2: 0.8, 3: 0.8}], chance=0.02)
    assert floor is not None and floor.spread == 0.02 and floor.pair_spread == pytest.approx(0.02 * math.sqrt(2))


def test_there_is_no_noise_floor_without_two_common_seeds():
    assert noise_floor([{1: 0.5, 2: 0.6}, {2: 0.5, 3: 0.4}]) is None
    assert spread_over_seeds([{1: 0.5}, {1: 0.7}]) is None


def test_a_contest_by_hand():
    ours, theirs = [2.0, 3.0, 1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    told = contest(ours, theirs, NOISE)
    error = math.sqrt(2 / 6)
    assert (told.pairs, told.wins, told.difference) == (6, 6, pytest.approx(11 / 6))
    assert told.low == pytest.approx(11 / 6 - stats.t.ppf(0.975, 15) * error)
    assert told.at_most == pytest.approx(11 / 6 + stats.t.ppf(0.95, 15) * error)
    assert told.p == pytest.approx(stats.t.sf(told.t, 15) / SHARES[6]) and told.t == pytest.approx(11 / 6 / error)
    assert contest(ours[:5], theirs[:5], NOISE).p == pytest.approx(
        stats.t.sf(9 / 5 / math.sqrt(2 / 5), 15) / SHARES[5])
    assert told.p_worse == 1.0


def test_a_setting_that_varies_far_more_than_the_others_speaks_for_itself():
    ours, theirs = [0.0, 9.0, 0.0, 9.0, 0.0, 9.0], [0.0] * 6
    assert contest(ours, theirs, NOISE).standard_error == pytest.approx(math.sqrt(24.3 / 6))


def test_without_any_known_noise_nothing_is_proved():
    told = contest([1.0] * 6, [0.0] * 6, replace(NOISE, pair_spread=0.0))
    assert told.p == 1.0 and rulings([(told, NOISE)])[0].verdict != "promote"
    assert rulings([(told, NOISE)] * 2, one_reference=True)[0].p == 1.0


@given(SCORES, SCORES)
def test_turning_a_contest_round_turns_all_of_it(ours: list[float], theirs: list[float]):
    n = min(len(ours), len(theirs))
    one, other = contest(ours[:n], theirs[:n], NOISE), contest(theirs[:n], ours[:n], NOISE)
    assert one.difference == pytest.approx(-other.difference) and one.low == pytest.approx(-other.high)
    assert one.p == pytest.approx(other.p_worse) and one.at_least == pytest.approx(-other.at_most)


def test_a_contest_needs_pairs():
    with pytest.raises(ValueError, match="no seed in common"):
        contest([], [], NOISE)


def test_fewer_pairs_than_the_first_look_prove_nothing_however_clear_they_are():
    assert LOOKS[0] == 5 and sequential_p(4, lambda look: 0.0) == 1.0
    for pairs in (2, 3, 4):
        ruling = rulings([(contest([9.0] * pairs, [0.0] * pairs, NOISE), NOISE)])[0]
        assert (ruling.verdict, ruling.further) == ("inconclusive", 5 - pairs)


@given(st.integers(0, 30), st.floats(0, 1))
def test_pairs_between_two_looks_change_nothing(pairs: int, p: float):
    last = max((look for look in LOOKS if look <= pairs), default=0)
    assert sequential_p(pairs, lambda look: p) == sequential_p(last, lambda look: p)
    assert sequential_p(pairs, lambda look: p) >= min(1.0, p)


def test_a_lead_of_two_spreads_over_six_pairs_is_promoted_and_more_claims_ask_for_more():
    told = contest([1.7] * 6, [0.0] * 6, NOISE)
    assert rulings([(told, NOISE)])[0].verdict == "promote"
    among_many = rulings([(told, NOISE)], claims=20)[0]
    assert among_many.verdict == "inconclusive" and among_many.p > 0.05


def test_claims_against_one_reference_need_a_lesser_lead_each_and_the_clearest_is_judged_first():
    clear, fair, none = (contest([lead] * 6, [0.0] * 6, NOISE) for lead in (2.0, 1.45, 0.0))
    together = rulings([(none, NOISE), (clear, NOISE), (fair, NOISE)], one_reference=True)
    apart = rulings([(none, NOISE), (clear, NOISE), (fair, NOISE)])
    assert [one.p for one in together] < [one.p for one in apart]
    assert together[1].p == pytest.approx(joint_tail(clear.t, 15, 3) / SHARES[6])
    assert together[2].p == pytest.approx(joint_tail(fair.t, 15, 2) / SHARES[6])
    assert chances(fair, NOISE, 3, one_reference=True)[9] > chances(fair, NOISE, 3)[9]


def test_a_hopeless_claim_is_not_sent_for_more_seeds():
    behind = rulings([(contest([-0.6] * 9, [0.0] * 9, NOISE), NOISE)])[0]
    alike = rulings([(contest([0.0] * 9, [0.0] * 9, replace(NOISE, pair_spread=1.0)), NOISE)])[0]
    assert (behind.verdict, behind.ground, behind.further) == ("inconclusive", "no_gain", None)
    assert (alike.verdict, alike.ground) == ("keep", "alike")
    assert rulings([(contest([-2.0] * 6, [0.0] * 6, NOISE), NOISE)])[0].verdict == "discard"


@given(st.floats(-3, 3), st.integers(2, 11))
def test_chances_are_probabilities_and_rise_with_the_lead(difference: float, pairs: int):
    less, more = (chances(contest([d] * pairs, [0.0] * pairs, NOISE), NOISE, 1)
                  for d in (difference, difference + 0.5))
    assert set(less) == {look for look in LOOKS if look > pairs}
    assert all(0.0 <= less[look] <= more[look] <= 1.0 for look in less)


def test_a_chosen_score_is_drawn_back_by_as_much_as_is_noise():
    scores = [0.0, 1.0, 2.0, 3.0, 4.0]  # variance 2.5
    assert reliability(scores, 1.0) == pytest.approx(0.6)
    assert shrunken(4.0, scores, 1.0) == pytest.approx(2.0 + 0.6 * 2.0)
    assert shrunken(4.0, scores, 2.0) == 2.0, "all of it may be noise"
    assert reliability([0.0, 1.0, 2.0], 0.1) == 0.0, "too few to tell"
