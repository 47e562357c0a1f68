"""What is a model asked, where one is configured, when robots are stuck? Once for each trial that is built on."""

from __future__ import annotations

from typing import Any

from vbotd.domain.history import History
from vbotd.domain.skill import FollowUp
from vbotd.domain.trial import Run, Trial

from .hypotheses import ground_of
from .options import Options
from .plan import IDEAS, diagnoses, is_good_enough
from .story import is_own, is_test, tell

UNCLEAR = "not named yet: see the numbers"  # a behaviour that a model is told
LONGEST = 400  # characters of evidence


def follow_ups(run: Run, history: History, options: Options) -> list[FollowUp]:
    """Return the run that asks a model, after the evaluation of a trial whose robots do something else."""
    trial = next((trial for trial in history.trials if trial.id == run.trial), None)
    if not options.ask_model or trial is None or history.task is None or not _is_due(run, trial, history, options):
        return []
    if any(one.kind == IDEAS for one in history.runs_of(trial.id)):
        return []
    # A guard that stops a training early leaves no time to say what its robots do: then the numbers have to speak.
    seen = diagnoses(history, trial)
    if not seen and is_good_enough(history, options, trial):
        return []
    behaviour, evidence = (seen[0].behaviour, seen[0].evidence) if seen else (UNCLEAR, _numbers(run, history))
    ground = ground_of(history.task, trial.params, {})
    terms: dict[str, Any] = {
        term: {"weight": ground.weight(term), "low": card.low, "high": card.high, "summary": card.summary[:120]}
        for term, card in ground.cards.items()}
    return [FollowUp(kind=IDEAS, purpose=IDEAS, why=f"what a model would change: behaviour {behaviour}", spec={
        "asks_model": True, "ideas": {"task": history.task.summary, "behaviour": behaviour,
                                      "evidence": evidence[:LONGEST], "terms": terms}})]


def _numbers(run: Run, history: History) -> str:
    """Return what an evaluation measured, and what was found grave in the trainings of its trial, in words."""
    found = [finding.message for training in history.runs_of(run.trial) if training.kind == "train"
             for finding in training.findings if finding.level == "error"]
    return "; ".join([*(f"{tag} {measured.value:.3g}" for tag, measured in run.metrics.items()), *found])


def _is_due(run: Run, trial: Trial, history: History, options: Options) -> bool:
    """Say whether an evaluation is of what stands as the best reward, or of a test that promises to become it."""
    if run.kind != "evaluate" or run.purpose not in ("score", "") or run.outcome != "finished":
        return False
    base = tell(history, options).base
    promises = is_own(trial) and is_test(trial) and bool(trial.seeds) and run.seed != trial.seeds[0]
    return promises or (base is not None and base.id == trial.id)
