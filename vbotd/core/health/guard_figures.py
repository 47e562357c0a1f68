"""What is the collapse guard worth? Counts over curves whose truth is known, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vbotd.core.health.collapse import first_decline
from vbotd.core.health.corpus_curves import Curve
from vbotd.core.health.thresholds import THRESHOLDS, Thresholds
from vbotd.core.interval import Measured, of_rate

IN_TIME = 0.10  # of the horizon after the peak


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFigures:
    """`recall`: collapsing curves that were stopped after their peak. `in_time`: within 10 % of the horizon after it.

    `false_stops`: healthy curves that were stopped; `early`: collapsing ones that were, before their peak.
    `delay_rate`: median share of the horizon between peak and stop. `saved_rate`: of the env steps after the peaks,
    those saved.
    """

    recall: Measured | None
    in_time: Measured | None
    false_stops: Measured | None
    early: Measured | None
    delay_rate: float | None
    saved_rate: float | None


def guard_figures(healthy: Sequence[Curve], collapsing: Sequence[Curve],
                  limits: Thresholds = THRESHOLDS) -> GuardFigures:
    """Run the guard over every curve, as it would have run live, and count."""
    false_stops = sum(stopped_at(curve, limits) is not None for curve in healthy)
    delays, early, saved, wasted = list[float](), 0, 0.0, 0.0
    for curve in collapsing:
        assert curve.peak_at is not None, "a collapsing curve says where it peaks"
        wasted += 1.0 - curve.peak_at / curve.horizon
        at = stopped_at(curve, limits)
        if at is None:
            continue
        if at < curve.peak_at:
            early += 1
            continue
        delays.append((at - curve.peak_at) / curve.horizon)
        saved += 1.0 - at / curve.horizon
    num = len(collapsing)
    return GuardFigures(
        false_stops=of_rate(false_stops, len(healthy)) if healthy else None,
        recall=of_rate(len(delays), num) if num else None, early=of_rate(early, num) if num else None,
        in_time=of_rate(sum(delay <= IN_TIME for delay in delays), num) if num else None,
        delay_rate=median(delays) if delays else None, saved_rate=saved / wasted if wasted else None)


def stopped_at(curve: Curve, limits: Thresholds = THRESHOLDS) -> int | None:
    """Return the env step at which the guard stops a curve, None where it lets it go on."""
    levels = curve.levels
    points = curve.points
    if levels:
        points = tuple((step, value * level) for (step, value), (_, level) in zip(points, levels, strict=True))
    decline = first_decline(points, curve.horizon, limits, levels=levels, is_rate=curve.is_rate)
    return None if decline is None else decline.at
