"""How far was a trial trained when it had which score? Scores of different lengths of training are not compared.

A trial that a search trains a ninth of the way scores less than one that is trained to the end, and that says nothing
of its settings. One that was trained on has a score of each length, so that it can be compared at any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vbotd.domain.metric import Measurement
from vbotd.domain.trial import Run, Trial

SCORE = "score"  # purpose of the evaluation that a trial is chosen by


def trained_to(train: Run | None) -> int:
    """Return the env steps that a training was to reach, 0 for none."""
    asked = (train.spec.get("train") or {}) if train is not None else {}
    return int(asked.get("until") or asked.get("env_steps") or 0)


def length_of(trial: Trial, runs: Iterable[Run]) -> int:
    """Return the env steps that a trial's search seed was last told to train to; without such a run, the trial's."""
    trained = [run for run in runs if _is_of_search_seed(run, trial) and run.kind == "train"]
    return trained_to(trained[-1]) if trained else trial.env_steps or 0


def scores_by_length(trial: Trial, runs: Iterable[Run], tag: str) -> Mapping[int, Measurement]:
    """Return the scores of a trial's search seed by the env steps that it had been told to train to.

    Where its runs are not among those given, its own score stands for the length that the trial has been told.
    """
    found: dict[int, Measurement] = {}
    length = trial.env_steps or 0
    for run in runs:
        if not _is_of_search_seed(run, trial):
            continue
        if run.kind == "train":
            length = trained_to(run)
        elif run.kind == "evaluate" and run.purpose == SCORE and run.outcome == "finished" and tag in run.metrics:
            found[length] = run.metrics[tag]
    if not found and trial.score is not None:
        found[length] = trial.score
    return found


def _is_of_search_seed(run: Run, trial: Trial) -> bool:
    return run.trial == trial.id and (not trial.seeds or run.seed == trial.seeds[0])
