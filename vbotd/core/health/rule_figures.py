"""What are the rules worth? Runs whose trouble is known are replayed as they would have been watched live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vbotd.core.health import THRESHOLDS, Context, SeriesByTag, Thresholds, examine
from vbotd.core.interval import Measured, of_rate
from vbotd.domain.finding import Finding

LOOKS = 20  # at a run, evenly over its env steps


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRun:
    """A run, and what is wrong with it: one of `expected` must be found; empty for a healthy one.

    `fatal`: what is found must be an error that stops the run.
    """

    name: str
    label: str
    expected: frozenset[str]
    fatal: bool
    context: Context
    series: SeriesByTag


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFigures:
    """`recall` by label; of the healthy runs those that a rule would have stopped, and those with any alarm at all.

    `alarms` counts, over the healthy runs, which rules raised one (warnings and errors; an info alarms nobody).
    """

    recall: Mapping[str, Measured] = field(default_factory=dict)
    false_stops: Measured | None = None
    false_alarms: Measured | None = None
    alarms: Mapping[str, int] = field(default_factory=dict)
    missed: tuple[str, ...] = ()


def rule_figures(runs: Sequence[LabelledRun], limits: Thresholds = THRESHOLDS) -> RuleFigures:
    """Replay every run, and count."""
    hits: dict[str, list[bool]] = {}
    stops, alarmed, alarms, missed = 0, 0, dict[str, int](), list[str]()
    healthy = [run for run in runs if not run.expected]
    for run in healthy:
        found = [finding for finding in replayed(run, limits) if finding.level != "info"]
        stops += any(finding.stop for finding in found)
        alarmed += bool(found)
        for rule in {finding.rule for finding in found}:
            alarms[rule] = alarms.get(rule, 0) + 1
    for run in runs:
        if run.expected:
            hit = any(finding.rule in run.expected and (finding.stop or not run.fatal)
                      for finding in replayed(run, limits))
            hits.setdefault(run.label, []).append(hit)
            if not hit:
                missed.append(run.name)
    return RuleFigures(
        recall={label: of_rate(sum(rows), len(rows)) for label, rows in hits.items()}, alarms=alarms,
        false_stops=of_rate(stops, len(healthy)) if healthy else None, missed=tuple(missed),
        false_alarms=of_rate(alarmed, len(healthy)) if healthy else None)


def replayed(run: LabelledRun, limits: Thresholds = THRESHOLDS) -> list[Finding]:
    """Return what was found at any look, up to the first finding that stops the run."""
    last = max((points[-1][0] for points in run.series.values() if points), default=0)
    found: list[Finding] = []
    for look in range(1, LOOKS + 1):
        end = last * look // LOOKS
        seen = {tag: rows for tag, points in run.series.items() if (rows := [p for p in points if p[0] <= end])}
        found += examine(seen, run.context, limits)
        if any(finding.stop for finding in found):
            break
    return found
