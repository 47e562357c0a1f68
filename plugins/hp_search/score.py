"""One number for a trial: success first, quality only among equals.

A search method wants one number. Ours orders trials as the report does: by the task's metric (success),
and between equal ones by its quality metric. Quality enters by its rank, scaled so that all of it together
is worth less than half an episode, and less than half of the smallest step between two successes that were
seen. So no quality, however good, makes up for one episode lost. A trial without a score has no number at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from vbotd.domain.history import History
from vbotd.domain.metric import MetricCard
from vbotd.domain.trial import Trial


def objectives(history: History) -> dict[str, float]:
    """Return the number of each scored trial by its id; higher is better whatever the metrics' directions."""
    scored = [trial for trial in history.trials if trial.score is not None]
    sign = _sign(history.task.metric if history.task else None)
    success = {trial.id: round(sign * trial.score.value, 9)  # 0.7 and 0.1 * 7 are the same number of episodes
               for trial in scored if trial.score is not None}
    bonus = _quality_ranks(history, scored)
    worth = _worth_of_quality(scored, success)
    return {trial: value + worth * bonus.get(trial, 0.0) for trial, value in success.items()}


def _sign(metric: MetricCard | None) -> float:
    return -1.0 if metric and metric.direction == "min" else 1.0


def _worth_of_quality(scored: list[Trial], success: Mapping[str, float]) -> float:
    """Return the most that quality may add: half of the smaller of an episode and the smallest step seen."""
    episodes = max((trial.score.n for trial in scored if trial.score), default=0)
    levels = sorted(set(success.values()))
    steps = [high - low for low, high in itertools.pairwise(levels)]
    return 0.5 * min([1.0 / max(episodes, 1), *steps])


def _quality_ranks(history: History, scored: list[Trial]) -> dict[str, float]:
    """Return the share of the scored trials that each one beats in quality, in [0, 1)."""
    values = {trial.id: value for trial in scored if (value := quality_of(history, trial)) is not None}
    if not values:
        return {}
    sign = _sign(history.task.quality if history.task else None)
    return {trial: sum(sign * other < sign * value for other in values.values()) / len(values)
            for trial, value in values.items()}


def quality_of(history: History, trial: Trial) -> float | None:
    """Return the mean of the quality metric over the trial's evaluations, or None where it was not measured."""
    card = history.task.quality if history.task else None
    if card is None:
        return None
    values = [run.metrics[card.tag].value for run in history.runs_of(trial.id)
              if run.kind == "evaluate" and card.tag in run.metrics]
    return sum(values) / len(values) if values else None
