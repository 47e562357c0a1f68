"""Which further runs are wanted after one has ended? A capture, and a model's look at it."""

from __future__ import annotations

from typing import Any

from vbotd.domain.history import History
from vbotd.domain.skill import FollowUp
from vbotd.domain.trial import Run, Trial

from .evidence import CONFIRM, SCORE, STILLS, is_best_so_far, is_ours
from .options import Options

CAPTURE, LOOK = "capture", "look"


def follow_ups(run: Run, history: History, options: Options) -> list[FollowUp]:
    """Return the runs that are wanted after this one."""
    if is_ours(run, CAPTURE):
        return _look(run, options)
    trial = next((trial for trial in history.trials if trial.id == run.trial), None)
    if trial is None or (trial.seeds and run.seed != trial.seeds[0]):
        return []  # one capture shows a policy; the report seeds are for numbers
    if run.kind == "train":
        wanted = options.capture == "every" and run.outcome in ("finished", "stopped") and run.checkpoint is not None
        return [_capture(trial, "trained", "every trial is captured after its training", {}, options)] if wanted else []
    if run.kind != "evaluate" or run.outcome != "finished":
        return []
    instances = {"instances": (run.spec.get("evaluate") or {}).get("instances", 100_001)}
    if run.purpose == CONFIRM:
        return [_capture(trial, "confirmed", "before the campaign is called a success", instances, options)]
    if run.purpose == SCORE and options.capture == "best" and is_best_so_far(history, trial):
        return [_capture(trial, "scored", "it is the best so far, and may become the champion", instances, options)]
    return []


def _capture(trial: Trial, purpose: str, why: str, instances: dict[str, Any], options: Options) -> FollowUp:
    rung = f"-r{trial.rung}" if trial.rung else ""  # a trial that is trained on is captured anew
    return FollowUp(kind=CAPTURE, purpose=f"{purpose}{rung}", why=why, spec={"capture": {
        "episodes": options.episodes, "seconds": options.seconds, "frames": options.frames,
        "cameras": list(options.cameras), "film": options.film, **instances}})


def _look(capture: Run, options: Options) -> list[FollowUp]:
    stills = capture.metrics.get(STILLS)
    if not options.look or stills is None or not stills.value:
        return []
    purpose = capture.purpose.partition(":")[2] or "capture"
    return [FollowUp(kind=LOOK, purpose=purpose, why="what a vision model thinks of it",
                     spec={"look": {"capture": capture.id}, "asks_model": True})]
