"""What is a model asked, where one is configured, when robots are stuck? Once for each trial that is built on."""

from __future__ import annotations

from typing import Any

from vbotd.domain.history import History
from vbotd.domain.skill import FollowUp
from vbotd.domain.trial import Run, Trial

from .hypotheses import ground_of
from .options import Options
from .plan import IDEAS, diagnoses
from .story import is_own, is_test, tell


def follow_ups(run: Run, history: History, options: Options) -> list[FollowUp]:
    """Return the run that asks a model, after the evaluation of a trial whose robots do something else."""
    trial = next((trial for trial in history.trials if trial.id == run.trial), None)
    if not options.ask_model or trial is None or history.task is None or not _is_due(run, trial, history, options):
        return []
    seen = diagnoses(history, trial)
    if not seen or any(one.kind == IDEAS for one in history.runs_of(trial.id)):
        return []
    ground = ground_of(history.task, trial.params, {})
    terms: dict[str, Any] = {
        term: {"weight": ground.weight(term), "low": card.low, "high": card.high, "summary": card.summary[:120]}
        for term, card in ground.cards.items()}
    return [FollowUp(kind=IDEAS, purpose=IDEAS, why=f"what a model would change against {seen[0].behaviour}", spec={
        "asks_model": True, "ideas": {"task": history.task.summary, "behaviour": seen[0].behaviour,
                                      "evidence": seen[0].evidence[:400], "terms": terms}})]


def _is_due(run: Run, trial: Trial, history: History, options: Options) -> bool:
    """Say whether an evaluation is of what stands as the best reward, or of a test that promises to become it."""
    if run.kind != "evaluate" or run.purpose not in ("score", "") or run.outcome != "finished":
        return False
    base = tell(history, options).base
    promises = is_own(trial) and is_test(trial) and bool(trial.seeds) and run.seed != trial.seeds[0]
    return promises or (base is not None and base.id == trial.id)
