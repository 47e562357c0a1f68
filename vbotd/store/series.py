"""What has a run's series looked like so far, in bounded memory?

A series keeps at most 1,000 of its points, evenly spaced, the first and the last always among them. Which
ones is decided by the points alone, never by how they were split into polls, so the same files give the
same series.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

MAX_KEPT_POINTS = 1_000
MAX_TAGS = 2_000

T = TypeVar("T")


class Point(NamedTuple):
    """One scalar of a run. `step` counts env steps; `wall_time` (epoch seconds) is the writer's, and never orders."""

    # A NamedTuple, not a dataclass: a night has millions, and a frozen dataclass takes four times as long to make.
    tag: str
    step: int
    value: float
    wall_time: float


def downsample(points: Sequence[T], n: int) -> tuple[T, ...]:
    """Return at most `n` of the points, evenly spaced, with the first and the last (of n = 1, the last)."""
    if n < 1:
        raise ValueError(f"n is {n} — a series keeps at least 1 point")
    if len(points) <= n:
        return tuple(points)
    if n == 1:
        return (points[-1],)
    return tuple(points[i * (len(points) - 1) // (n - 1)] for i in range(n))


class Series:
    """One tag: a bounded selection of its points, and figures over all of them.

    `count` is the number of distinct steps, `non_finite` how many of them came as NaN or infinite; `low` and
    `high` are over the finite values ever written (None before the first).

    Order: a step that comes again replaces the value that was there (last writer wins); a step from before the
    last that is not kept changes the figures only, once points had to be dropped.
    """

    __slots__ = ("_steps", "_stride", "_values", "count", "high", "last_step", "last_value", "low", "non_finite")

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._values: list[float] = []
        self._stride = 1
        self.count = 0
        self.non_finite = 0
        self.low: float | None = None
        self.high: float | None = None
        self.last_step: int | None = None
        self.last_value: float | None = None

    def add(self, step: int, value: float) -> None:
        """Take in one point."""
        finite = math.isfinite(value)
        if finite:
            self.low = value if self.low is None or value < self.low else self.low
            self.high = value if self.high is None or value > self.high else self.high
        if self.last_step is None or step > self.last_step:
            if self.count % self._stride == 0:
                self._keep(len(self._steps), step, value)
            self.count += 1
            self.non_finite += not finite
            self.last_step, self.last_value = step, value
            return
        self._rewrite(step, value, finite=finite)

    def _rewrite(self, step: int, value: float, *, finite: bool) -> None:
        """Take in a point whose step is not beyond the last: a resumed run, or a file that is read again."""
        place = bisect_left(self._steps, step)
        if place < len(self._steps) and self._steps[place] == step:
            self.non_finite += math.isfinite(self._values[place]) - finite
            self._values[place] = value
        elif step == self.last_step:
            self.non_finite += math.isfinite(self.last_value or 0.0) - finite
        elif self._stride == 1:
            self._keep(place, step, value)
            self.count += 1
            self.non_finite += not finite
        if step == self.last_step:
            self.last_value = value

    def _keep(self, place: int, step: int, value: float) -> None:
        self._steps.insert(place, step)
        self._values.insert(place, value)
        if len(self._steps) > MAX_KEPT_POINTS - 1:
            # Every second goes. What stays are the multiples of the new stride, counted from the first point.
            del self._steps[1::2]
            del self._values[1::2]
            self._stride *= 2

    def points(self) -> tuple[tuple[int, float], ...]:
        """Return the kept points (env step, value) in the order of steps."""
        kept = tuple(zip(self._steps, self._values, strict=True))
        if self.last_step is None or self.last_value is None or self._steps[-1] == self.last_step:
            return kept
        return (*kept, (self.last_step, self.last_value))


class SeriesBook:
    """All series of one run. At most 2,000 tags; the points of further ones are counted in `dropped`."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self.dropped = 0

    def absorb(self, points: Iterable[Point]) -> None:
        """Take in the points of one poll."""
        book = self._series
        for tag, step, value, _ in points:
            series = book.get(tag)
            if series is None:
                if len(book) >= MAX_TAGS:
                    self.dropped += 1
                    continue
                series = book[tag] = Series()
            series.add(step, value)

    @property
    def series(self) -> Mapping[str, Series]:
        """The series by tag, in the order in which the tags appeared."""
        return self._series

    def points(self, n: int = MAX_KEPT_POINTS) -> dict[str, tuple[tuple[int, float], ...]]:
        """Return every tag's points (env step, value), at most `n` each; 500 is what a plugin is shown."""
        return {tag: downsample(series.points(), n) for tag, series in self._series.items()}
