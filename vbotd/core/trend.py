"""Where is a series going? One line about it, from medians and means of windows, never from single points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean, median, pstdev
from typing import Literal

Trend = Literal["up", "down", "flat", "unknown"]

MIN_POINTS = 8  # fewer say nothing about a direction


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMetric:
    """One series in a line. `first` and `latest` are medians of up to five finite points (None: there is none)."""

    tag: str
    first: float | None
    latest: float | None
    trend: Trend
    count: int


def finite_values(points: Sequence[tuple[int, float]]) -> list[float]:
    """Return the finite values of a series, in its order."""
    return [value for _, value in points if isfinite(value)]


def key_metric(tag: str, points: Sequence[tuple[int, float]]) -> KeyMetric:
    """Return one series in a line."""
    values = finite_values(points)
    ends = (median(values[:5]), median(values[-5:])) if values else (None, None)
    return KeyMetric(tag=tag, first=ends[0], latest=ends[1], trend=trend(values), count=len(points))


def trend(values: Sequence[float]) -> Trend:
    """Say where a series is going lately: its last quarter against the quarter before.

    Statistics: it moves when the means differ by 2 standard errors and by 3 % of the whole range.
    """
    quarter = len(values) // 4
    if len(values) < MIN_POINTS:
        return "unknown"
    before, after = values[-2 * quarter:-quarter], values[-quarter:]
    change = fmean(after) - fmean(before)
    error = sqrt((pstdev(before) ** 2 + pstdev(after) ** 2) / quarter)
    if abs(change) <= max(2 * error, 0.03 * (max(values) - min(values))):
        return "flat"
    return "up" if change > 0 else "down"
