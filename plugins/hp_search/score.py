"""One number for a trial: success first, quality only among equals.

A search method wants one number. Ours orders trials as the report does: by the task's metric (success),
and between equal ones by its quality metric. Quality enters by its rank, scaled so that all of it together
is worth less than half an episode, and less than half of the smallest step between two successes that were
seen. So no quality, however good, makes up for one episode lost. A trial without a score has no number at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from vbotd.domain.history import History

from .results import Result, results_of, value_of


def objectives(history: History, results: Sequence[Result] | None = None) -> dict[str, float]:
    """Return the number of each scored trial by its id; higher is better whatever the metrics' directions.

    `results` has one of each trial, all of the same length of training; by default it is each trial's last.
    """
    known = last_results(history) if results is None else results
    values = {result.trial: value_of(history, result) for result in known}
    success = {trial: value[0] for trial, value in values.items()}
    bonus = _ranks({trial: value[1] for trial, value in values.items() if value[1] > float("-inf")})
    worth = _worth_of_quality(known, success)
    return {trial: value + worth * bonus.get(trial, 0.0) for trial, value in success.items()}


def last_results(history: History) -> tuple[Result, ...]:
    """Return the result of each trial's longest training."""
    return tuple(known[-1] for trial in history.trials if (known := results_of(history, trial)))


def _worth_of_quality(results: Sequence[Result], success: Mapping[str, float]) -> float:
    """Return the most that quality may add: half of the smaller of an episode and the smallest step seen."""
    episodes = max((result.score.n for result in results), default=0)
    levels = sorted(set(success.values()))
    steps = [high - low for low, high in itertools.pairwise(levels)]
    return 0.5 * min([1.0 / max(episodes, 1), *steps])


def _ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the values that each one beats, in [0, 1)."""
    return {trial: sum(other < value for other in values.values()) / len(values) for trial, value in values.items()}
