"""What do a run's series say about its health? Pure rules over numbers; a finding for each thing that is seen.

`examine` may be asked every two seconds about a live run, or once about one of the past: it keeps nothing between two
calls, and a series of 1,000 points a tag costs it milliseconds. Only what makes all further env steps worthless is an
error that stops a run. That a run is silent never is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vbotd.core.health import exploits, numbers, progress, updates, value
from vbotd.core.health.causes import folded
from vbotd.core.health.collapse import collapse
from vbotd.core.health.context import Context, Kept, context_of
from vbotd.core.health.divergence import paid_to_live, reward_without_success
from vbotd.core.health.exploration import exploration
from vbotd.core.health.features import features
from vbotd.core.health.thresholds import THRESHOLDS, Thresholds
from vbotd.core.health.watched import SeriesByTag, Watched
from vbotd.domain.finding import Finding

__all__ = ["RULES", "THRESHOLDS", "Context", "Kept", "SeriesByTag", "Thresholds", "context_of", "examine"]

RULES: Sequence[Callable[[Watched], list[Finding]]] = (
    lambda watched: numbers.non_finite(watched.series), numbers.no_points, numbers.blind, numbers.silent, numbers.slow,
    updates.learning_rate, updates.kl_too_high, updates.clipping, updates.gradients,
    value.value_loss, value.explained_variance, exploration, features,
    collapse, progress.stalled, reward_without_success, paid_to_live,
    exploits.sprint_crash, exploits.touch_and_go, exploits.chatter, exploits.term_gaming, exploits.curriculum_cheat,
    progress.drift, progress.endings,
)  # fmt: skip
LEVELS = ("error", "warning", "info")


def examine(series: SeriesByTag, context: Context, limits: Thresholds = THRESHOLDS) -> tuple[Finding, ...]:
    """Return what the rules see in a run's series (points (env step, value) by tag), errors first, causes only."""
    watched = Watched(series, context, limits)
    found = [finding for rule in RULES for finding in rule(watched)]
    return tuple(sorted(folded(found), key=lambda finding: LEVELS.index(finding.level)))
