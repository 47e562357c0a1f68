"""Statistics that a few wild points do not move, against arithmetic by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vbotd.core.health.robust import (
    held,
    mad_sigma,
    mann_kendall,
    noise_sigma,
    page_hinkley,
    rolling_median,
    spearman,
    theil_sen,
    thinned,
    wander_sigma,
)

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40)


def test_one_wild_point_moves_nothing():
    values = [1.0, 2.0, 3.0, 4.0, 1e9]
    assert mad_sigma(values) == pytest.approx(1.4826)
    assert theil_sen([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1e9]) == pytest.approx(6.0)
    assert rolling_median([1.0, 9.0, 2.0, 3.0], 3) == [1.0, 5.0, 2.0, 3.0]


def test_noise_is_told_apart_from_a_trend():
    draw = random.Random(1)
    rising = [0.1 * n + draw.gauss(0.0, 0.02) for n in range(400)]
    assert noise_sigma(rising) == pytest.approx(0.02, rel=0.3)
    assert wander_sigma(rising) < 0.4, "and the wander is of the neighbourhood"
    assert noise_sigma([0.1 * n for n in range(50)]) == pytest.approx(0.0, abs=1e-12)
    assert wander_sigma([draw.gauss(0.0, 3.0) for _ in range(400)]) == pytest.approx(3.0, rel=0.2)


@given(NUMBERS)
def test_ranks_correlate_as_scipy_says(values: list[float]):
    other = [value**3 - value for value in values]
    if len(set(values)) > 1 and len(set(other)) > 1:
        assert spearman(values, other) == pytest.approx(stats.spearmanr(values, other).statistic, abs=1e-9)


@given(NUMBERS, st.floats(-5, 5), st.floats(0.1, 10))
def test_a_slope_follows_unit_and_offset(values: list[float], offset: float, scale: float):
    assert theil_sen([offset + scale * value for value in values]) == pytest.approx(
        scale * theil_sen(values), abs=1e-6 + 1e-6 * scale * max(map(abs, values)))


def test_a_trend_is_significant_and_noise_is_none():
    draw = random.Random(2)
    assert mann_kendall([n + draw.gauss(0, 3) for n in range(40)]) < 1e-6
    quiet = [mann_kendall([draw.gauss(0, 1) for _ in range(30)]) for _ in range(200)]
    assert sum(p < 0.05 for p in quiet) < 25
    assert mann_kendall([1.0, 1.0, 1.0, 1.0, 1.0]) == mann_kendall([1.0, 2.0]) == 1.0


def test_page_hinkley_waits_for_what_adds_up():
    level = [1.0] * 50
    assert page_hinkley(level, allowed=0.05, bar=1.0) is None
    fallen = page_hinkley(level + [0.0] * 10, allowed=0.05, bar=1.0)
    assert fallen is not None and 50 <= fallen <= 53


def test_persistence_is_in_a_row():
    assert held([True, True, False, True, True, True], 3) == 5
    assert held([True, True], 3) is None
    assert thinned(list(range(100)), 5) == [0, 24, 49, 74, 99]
