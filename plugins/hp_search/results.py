"""What is known of each trial at each rung: its held-out score there, how it failed, whether it is past its peak.

A score belongs to the rung that its training had been told to reach. It is of the search's own seed, on episodes that
no training saw; seeds that were added to confirm a trial never choose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from vbotd.domain.history import History
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.trial import Run, Trial

from .halving import Entry, Value
from .planning import Ladder

SCORE = ("score", "")  # purposes of an evaluation that chooses
Failure = Literal["settings", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A trial's score after `env_steps` of training (as asked for), and its quality where it was measured."""

    trial: str
    env_steps: int
    score: Measurement
    quality: float | None = None


def horizon_of(history: History) -> int:
    """Return the env steps of a whole training of the campaign."""
    asked = history.campaign.train.env_steps
    return asked or (history.task.env_steps if history.task else 1)


def target_of(history: History, trial: Trial) -> int:
    """Return the env steps that a trial has been told to train."""
    return trial.env_steps or horizon_of(history)


def results_of(history: History, trial: Trial) -> tuple[Result, ...]:
    """Return a trial's results, one for each length of training that was evaluated, the shortest first."""
    found: dict[int, Result] = {}
    until = target_of(history, trial)
    for run in _of_search_seed(history, trial):
        if run.kind == "train":
            until = _until(run) or until
        elif (result := _result(history, run, until)) is not None:
            found[until] = result
    if not found and trial.score is not None:
        found[until] = Result(trial=trial.id, env_steps=until, score=trial.score)  # its runs are not told
    return tuple(found[env_steps] for env_steps in sorted(found))


def _of_search_seed(history: History, trial: Trial) -> Iterator[Run]:
    for run in history.runs_of(trial.id):
        if run.seed == (trial.seeds[0] if trial.seeds else run.seed):
            yield run


def _until(train: Run) -> int:
    asked = train.spec.get("train") or {}
    return int(asked.get("until") or asked.get("env_steps") or 0)


def _result(history: History, run: Run, until: int) -> Result | None:
    task = history.task
    score = run.metrics.get(task.metric.tag) if task else None
    if run.kind != "evaluate" or run.purpose not in SCORE or run.outcome != "finished" or score is None or task is None:
        return None
    quality = run.metrics.get(task.quality.tag) if task.quality else None
    return Result(trial=run.trial, env_steps=until, score=score, quality=quality.value if quality else None)


def failure_of(history: History, trial: Trial) -> Failure | None:
    """Return whose fault it is that a judged trial has no score where it was trained to, None where it has one.

    A training that diverged, failed or was stopped speaks of its settings; one that was lost, of the machine.
    """
    if not trial.judged or any(one.env_steps >= target_of(history, trial) for one in results_of(history, trial)):
        return None
    ended = [run.outcome for run in _of_search_seed(history, trial) if run.outcome not in (None, "finished")]
    return "machine" if ended and all(outcome == "lost" for outcome in ended) else "settings"


def value_of(history: History, result: Result) -> Value:
    """Return what a result is ranked by: success, and only among equals the quality; larger is better."""
    task = history.task
    success = round(_sign(task.metric if task else None) * result.score.value, 9)
    if result.quality is None:
        return (success, float("-inf"))
    return (success, _sign(task.quality if task else None) * result.quality)


def _sign(metric: MetricCard | None) -> float:
    return -1.0 if metric and metric.direction == "min" else 1.0


def is_collapsed(history: History, trial: Trial) -> bool:
    """Say whether a trial is past its peak: a collapse was found in a run, or its score fell beyond the intervals."""
    if any(finding.rule.startswith("collapse") for run in _of_search_seed(history, trial) for finding in run.findings
           if finding.level != "info"):
        return True
    known = results_of(history, trial)
    if len(known) < 2:
        return False
    before, now = known[-2].score, known[-1].score
    falls = now.high < before.low, now.low > before.high
    return falls[0] if _sign(history.task.metric if history.task else None) > 0 else falls[1]


def entries_of(history: History, steps: Ladder, proposer: str) -> tuple[Entry, ...]:
    """Return the trials of the bracket: those that the search began with a part of their training."""
    return tuple(_entry(history, trial, steps) for trial in history.trials
                 if trial.proposal.proposer == proposer and trial.proposal.env_steps is not None)


def _entry(history: History, trial: Trial, steps: Ladder) -> Entry:
    values = {steps.index(result.env_steps): value_of(history, result) for result in results_of(history, trial)}
    return Entry(trial=trial.id, number=trial.number, rung=steps.index(trial.env_steps), pending=not trial.judged,
                 values=values, collapsed=is_collapsed(history, trial))
