"""Paired differences and probabilities of improvement, against figures worked out by hand or by another library."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core.comparison import improvement_over_episodes, improvement_over_runs, paired_difference
from vbotd.core.dogs import draw_groups
from vbotd.core.holm import holm
from vbotd.core.signed_rank import mean_ranks, signed_rank


def test_a_paired_rate_difference_by_the_book():
    # Newcombe 1998, table: 36 both, 12 only the first, 2 only the second, 0 neither: 0.2, 0.0569 to 0.3404 (method 10).
    ours = [1.0] * 36 + [1.0] * 12 + [0.0] * 2
    theirs = [1.0] * 36 + [0.0] * 12 + [1.0] * 2
    measured = paired_difference(ours, theirs, is_rate=True)
    assert measured is not None
    assert measured["value"] == pytest.approx(0.2)
    assert measured["low"] == pytest.approx(0.0569, abs=2e-3)
    assert measured["high"] == pytest.approx(0.3404, abs=2e-3)


def test_rates_that_agree_everywhere_still_have_a_width():
    measured = paired_difference([1.0] * 50, [1.0] * 50, is_rate=True)
    assert measured is not None
    assert measured["value"] == 0.0
    assert measured["low"] < -0.01 < 0.01 < measured["high"]


def test_a_paired_mean_uses_the_pairs_that_have_numbers():
    measured = paired_difference([3.0, 4.0, math.nan], [1.0, 3.0, 0.0], is_rate=False)
    assert measured is not None
    assert (measured["value"], measured["n"]) == (1.5, 2)
    assert paired_difference([math.nan], [1.0], is_rate=False) is None


def test_a_tie_is_half_a_win_and_less_may_be_better():
    measured = improvement_over_episodes([1.0, 2.0, 3.0, 3.0], [2.0, 2.0, 4.0, 1.0], "min")
    assert measured is not None
    assert measured["value"] == pytest.approx((1 + 0.5 + 1 + 0) / 4)


def test_three_clean_wins_prove_little():
    three = improvement_over_runs([0.9, 0.91, 0.92], [0.5, 0.6, 0.7], "max")
    ten = improvement_over_runs([1.0 + n for n in range(10)], [-1.0 - n for n in range(10)], "max")
    assert three is not None and ten is not None
    assert three["value"] == three["high"] == ten["value"] == 1.0
    assert three["low"] < 0.6 < 0.8 < ten["low"]


def test_sides_may_be_swapped():
    ours, theirs = [0.9, 0.7, 0.8], [0.75, 0.85]
    one, other = improvement_over_runs(ours, theirs, "max"), improvement_over_runs(theirs, ours, "max")
    assert one is not None and other is not None
    assert one["value"] == pytest.approx(1 - other["value"])
    assert one["low"] == pytest.approx(1 - other["high"])
    assert improvement_over_runs([], theirs, "max") is None


@pytest.mark.parametrize(("differences", "p"), [
    ([1.0] * 5, 2 / 32), ([1.0] * 5 + [-1.0], 14 / 64), ([0.0, 0.0], 1.0), ([math.nan, 3.0], 1.0),
    ([1, 2, 3, 4, 5, 6, 7, -8], 50 / 256),
])
def test_the_signed_rank_test_by_hand(differences, p: float):
    assert signed_rank(differences) == pytest.approx(p)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_the_signed_rank_test_is_exact_with_ties(differences: list[int]):
    sizes = [abs(d) for d in differences if d]
    ranks = mean_ranks(sizes) if sizes else []
    seen = min(sum(r for r, d in zip(ranks, (d for d in differences if d), strict=True) if d > 0),
               sum(r for r, d in zip(ranks, (d for d in differences if d), strict=True) if d < 0))
    sums = [sum(r for r, up in zip(ranks, ups, strict=True) if up)
            for ups in itertools.product((False, True), repeat=len(ranks))]
    assert signed_rank(differences) == pytest.approx(min(1.0, 2 * sum(s <= seen for s in sums) / len(sums)))


def test_many_pairs_agree_with_another_library():
    from scipy.stats import wilcoxon
    differences = [math.sin(n) + 0.05 for n in range(400)]
    assert signed_rank(differences) == pytest.approx(wilcoxon(differences, method="asymptotic", correction=True).pvalue)
    assert signed_rank(differences[:60]) == pytest.approx(wilcoxon(differences[:60], method="exact").pvalue)


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_ten_dogs_that_all_arrive_have_full_marks():
    groups = draw_groups([2.0] * 256, 10, full_marks=20.0)
    assert (groups.mean["value"], groups.num_full, groups.groups) == (20.0, 100, 100)


def test_enough_episodes_make_groups_that_share_none():
    points = [2.0] * 990 + [0.0] * 10
    groups = draw_groups(points, 10, full_marks=20.0)
    assert groups.mean["value"] == pytest.approx(19.8)
    assert 90 <= groups.num_full < 100
    assert groups == draw_groups(points, 10, full_marks=20.0)
    assert groups.mean["low"] < 19.8 < groups.mean["high"] <= 20.0
    with pytest.raises(ValueError, match="measure more episodes"):
        draw_groups([2.0] * 9, 10, full_marks=20.0)
