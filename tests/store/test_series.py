"""Series in bounded memory: which points stay depends on the points alone."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.store.series import MAX_KEPT_POINTS, MAX_TAGS, Point, Series, SeriesBook, downsample


def series_of(pairs) -> Series:
    series = Series()
    for step, value in pairs:
        series.add(step, value)
    return series


@given(count=st.integers(0, 5000), n=st.integers(1, 600))
def test_downsampling_keeps_order_and_both_ends(count, n):
    points = list(range(count))
    kept = downsample(points, n)
    assert len(kept) == min(count, n)
    assert list(kept) == sorted(set(kept))
    assert kept[-1:] == tuple(points[-1:])
    assert n == 1 or kept[:1] == tuple(points[:1])


def test_downsampling_to_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        downsample([1], 0)


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 5000, 123_457])
def test_a_series_is_bounded_even_and_keeps_both_ends(count):
    series = series_of((step, float(step)) for step in range(count))
    kept = series.points()
    assert len(kept) <= MAX_KEPT_POINTS
    assert len(kept) >= min(count, MAX_KEPT_POINTS // 2)
    assert kept[0] == (0, 0.0)
    assert kept[-1] == (count - 1, count - 1.0) == (series.last_step, series.last_value)
    assert (series.count, series.low, series.high, series.non_finite) == (count, 0.0, count - 1.0, 0)
    gaps = {after[0] - before[0] for before, after in pairwise(kept[:-1])}
    assert len(gaps) <= 1


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(-10, 10) | st.just(math.nan)), max_size=60))
def test_the_last_writer_wins_at_every_step(pairs):
    series = series_of(pairs)
    expected = sorted(dict(pairs).items())
    assert repr(series.points()) == repr(tuple(expected))
    assert series.count == len(expected)
    assert series.non_finite == sum(math.isnan(value) for _, value in expected)
    assert repr((series.last_step, series.last_value)) == repr(expected[-1] if expected else (None, None))


def test_reading_the_same_again_changes_nothing_even_when_thinned():
    pairs = [(step, float(step % 7)) for step in range(0, 30_000, 3)]
    once, twice = series_of(pairs), series_of(pairs + pairs)
    assert once.points() == twice.points()
    assert (once.count, once.low, once.high) == (twice.count, twice.low, twice.high)


def test_not_a_number_is_counted_kept_and_left_out_of_the_range():
    series = series_of([(0, math.inf), (1, 2.0), (2, math.nan)])
    assert (series.low, series.high, series.non_finite, series.count) == (2.0, 2.0, 2, 3)
    assert math.isnan(series.points()[-1][1])


def test_a_book_does_not_depend_on_how_the_points_came():
    points = [Point(tag, step, step * 0.5, 0.0) for step in range(3000) for tag in ("a", "b")]
    one, many = SeriesBook(), SeriesBook()
    one.absorb(points)
    for start in range(0, len(points), 7):
        many.absorb(points[start:start + 7])
    assert one.points() == many.points()
    assert {tag: len(kept) for tag, kept in one.points(500).items()} == {"a": 500, "b": 500}


def test_a_book_has_a_bounded_number_of_tags():
    book = SeriesBook()
    book.absorb(Point(f"t{i}", 1, 1.0, 0.0) for i in range(MAX_TAGS + 10))
    assert (len(book.series), book.dropped) == (MAX_TAGS, 10)
