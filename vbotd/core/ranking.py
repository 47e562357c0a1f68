"""Which trial of a campaign is the best? One rule: for the champion, for what a person is shown, and for skills.

Loads little, for the verbs that answer at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vbotd.core.verdict.lengths import SCORE
from vbotd.domain.metric import MetricCard
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Run, Trial, Verdict

# Proved better than the baseline goes before any score of one seed, and what was discarded goes behind.
_STANDING: Mapping[Verdict | None, int] = {"promote": 1, "discard": -1}


def search_seed(trial: Trial) -> int | None:
    """Return the seed that the search compares a trial by, None for a trial of before trials had seeds."""
    return trial.seeds[0] if trial.seeds else None


def scored_run(runs: Iterable[Run], purpose: str = SCORE, seed: int | None = None) -> Run | None:
    """Return the finished evaluation of a trial that has the given purpose, the newest if there are several.

    With `seed` only that of a training with this seed counts: `search_seed(trial)` for what chose the trial.
    """
    found = [r for r in runs if r.kind == "evaluate" and r.purpose == purpose and r.outcome == "finished" and r.metrics
             and (seed is None or r.seed == seed)]
    return found[-1] if found else None


def best_of(trials: Iterable[Trial], task: TaskCard, quality: Mapping[str, float] | None = None) -> Trial | None:
    """Return the best scored trial, None where none has a score; `quality` by trial id."""
    ranked = in_order(trials, task.metric, task.quality, quality)
    return ranked[0] if ranked else None


def contenders(trials: Sequence[Trial], stages: Sequence[str]) -> Sequence[Trial]:
    """Return the trials that the champion is one of: with stages, the newest of the furthest one with a score.

    Not the best: scores at a half-way difficulty, or of a trial that forgot the stages before, are no measure of it.
    """
    for stage in reversed(stages):
        found = tuple(trial for trial in trials if trial.stage == stage and trial.score is not None)
        if found:
            return found[-1:]
    return trials


def in_order(trials: Iterable[Trial], metric: MetricCard, quality: MetricCard | None = None,
             measured: Mapping[str, float] | None = None) -> list[Trial]:
    """Return the scored trials, the best first: one rule for the champion, for reports and for what skills say.

    One proved better comes first and a discarded one last, then by score, quality (`measured`, by trial id) and earlier
    number. Where the best score proved to be luck, so may the second best: then those with report seeds come first.
    A policy is a policy: this compares whatever is to be had, however long it was trained. Whether *settings* are
    better is asked at equal lengths only (`default_opinion`), and a report says who was trained less far.
    """
    keys = {trial.id: _rank_key(trial, trial.score.value, metric, quality, measured)
            for trial in trials if trial.score is not None}
    scored = [trial for trial in trials if trial.id in keys]
    was_best = max(scored, key=lambda trial: keys[trial.id][1:], default=None)
    was_luck = was_best is not None and was_best.verdict == "discard" and len(was_best.seeds) > 1
    tested = {trial.id for trial in scored if was_luck and len(trial.seeds) > 1 and trial.verdict != "discard"}
    return sorted(scored, key=lambda trial: (trial.id in tested, *keys[trial.id]), reverse=True)


def _rank_key(trial: Trial, score: float, metric: MetricCard, quality: MetricCard | None,
              measured: Mapping[str, float] | None) -> tuple[int, float, float, int]:
    """Return the sort key of a scored trial, larger is better; what was not measured comes behind what was."""
    value = (measured or {}).get(trial.id)
    second = float("-inf") if quality is not None and measured else 0.0
    if quality is not None and value is not None:
        second = value if quality.direction == "max" else -value
    return (_STANDING.get(trial.verdict, 0), score if metric.direction == "max" else -score, second, -trial.number)


def qualities(trials: Iterable[Trial], runs: Iterable[Run], quality: MetricCard | None) -> dict[str, float]:
    """Return the quality metric of each scored trial, by trial id."""
    if quality is None:
        return {}
    by_trial: dict[str, list[Run]] = {}
    for run in runs:
        by_trial.setdefault(run.trial, []).append(run)
    found = {}
    for trial in trials:
        scored = scored_run(by_trial.get(trial.id, ()), seed=search_seed(trial))
        if scored is not None and quality.tag in scored.metrics:
            found[trial.id] = scored.metrics[quality.tag].value
    return found
