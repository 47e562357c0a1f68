"""The bounds behind promotion and forgetting, and what lies half-way between two stages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vbotd_plugins import curriculum as skill
from vbotd_plugins.curriculum import bounds, rungs

from tests.plugins.climbing import Night, rate, stage
from vbotd.domain.campaign import Gate
from vbotd.domain.metric import Measurement


@pytest.mark.parametrize(("n", "observed", "bar"), [
    (200, 0.755, 0.7), (200, 0.85, 0.8), (200, 0.935, 0.9), (512, 0.734, 0.7), (512, 0.83, 0.8), (512, 0.922, 0.9)])
def test_a_bar_is_passed_from_the_known_rate_on(n: int, observed: float, bar: float) -> None:
    """The figures of the reference's algorithms, 6.2: the least observed rate that passes each bar."""
    low = [bounds.wilson(k / n, n)[0] for k in range(n + 1)]
    least = next(k for k in range(n + 1) if low[k] >= bar) / n
    assert least == pytest.approx(observed, abs=0.006)


rates = st.tuples(st.integers(1, 1000), st.floats(0.0, 1.0)).map(
    lambda pair: (round(pair[0] * pair[1]) / pair[0], pair[0]))


@given(rates)
@settings(deadline=None)
def test_the_bounds_hold_the_rate_and_are_in_0_to_1(measured: tuple[float, int]) -> None:
    low, high = bounds.wilson(*measured)
    assert 0.0 <= low <= measured[0] <= high <= 1.0


@given(rates, rates)
@settings(deadline=None)
def test_a_sure_drop_is_never_more_than_the_observed_one(before: tuple[float, int], now: tuple[float, int]) -> None:
    one, other = rate(*before), rate(*now)
    assert bounds.sure_drop("eval/success_rate", one, other) <= one.value - other.value + 1e-12
    better = bounds.sure_drop("eval/x", one, other, less_is_better=True)
    assert better <= other.value - one.value + 1e-12


def test_a_mean_passes_by_the_one_sided_end_of_its_interval() -> None:
    mean = Measurement(value=5.2, low=5.0 - 0.03, high=5.43, n=256)
    assert bounds.passes(Gate(tag="eval/waypoints", op=">=", value=5.0), mean)
    assert not bounds.passes(Gate(tag="eval/waypoints", op=">=", value=5.03), mean)
    assert bounds.passes(Gate(tag="eval/waypoints", op="<", value=5.43), mean)
    assert not bounds.passes(Gate(tag="eval/waypoints", op=">=", value=5.0), None)


def test_two_evaluations_together_are_surer_than_one() -> None:
    both = bounds.pooled([rate(0.9), rate(0.8)])
    assert (both.value, both.n) == (pytest.approx(0.85), 512)
    assert both.high - both.low < 0.8 * (rate(0.85).high - rate(0.85).low)


@pytest.mark.parametrize(("easy", "hard", "middle"), [
    ((2.0, 5.0), (8.0, 11.0), (5.0, 8.0)), ((2.0, 5.0), (2.0, 11.0), (2.0, 8.0)), (0.2, 1.0, 0.6), (2, 7, 4),
    (7, 2, 5), (3, 4, None), (False, True, None), ("flat", "rough", None), (1.0, 1.0, None),
    ((1.0,), (1.0, 2.0), None)])
def test_half_way_is_for_numbers(easy: Any, hard: Any, middle: Any) -> None:
    low = stage("low", 1, 2, **{"env.slope": easy, "ppo.gamma": 0.9})
    high = stage("high", 1, 2, **{"env.slope": hard, "ppo.gamma": 0.99})
    below, above = rungs.rungs_of(Night(skill, lambda trial, params: 1.0, stages=(low, high)).history)
    found = rungs.between(below, above, 1)
    assert (found and found.changed) == (None if middle is None else {"env.slope": middle})
    if found is not None:  # what is no difficulty stays the harder stage's
        assert (found.name, found.stage, found.params["ppo.gamma"]) == ("high/1", "high", 0.99)


numbers = st.floats(-100, 100).map(lambda value: round(value, 3))
ranges = st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair)))


@given(ranges, ranges)
@settings(deadline=None)
def test_a_rehearsed_range_holds_both_and_nothing_more(one: Any, other: Any) -> None:
    low, high = stage("low", *one), stage("high", *other)
    below, above = rungs.rungs_of(Night(skill, lambda trial, params: 1.0, stages=(low, high)).history)
    wider = rungs.rehearsed(above, [below]).get("env.radius_m", other)
    assert wider == (min(one[0], other[0]), max(one[1], other[1]))
    assert rungs.rehearsed(above, []) == {}
