"""What did the captures of a trial show? The kinematic gate's word as it stands in the history, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vbotd.domain.finding import Finding
from vbotd.domain.history import History
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import Run, Trial

PLUGIN = "vlm_capture"
GATE_RULE, OPINION_RULE = "kinematic-gate", "vlm-opinion"
PASSES, UNCLEAR, STILLS, ERROR_RATE = "gait/passes", "gait/unclear", "capture/stills", "look/known_error_rate"
SCORE, CONFIRM = "score", "confirm"  # purposes of the evaluations that choose and that report


def is_ours(run: Run, kind: str) -> bool:
    """Say whether a run is one of ours, of that kind, and has finished."""
    return run.kind == kind and run.asked_by.replace("-", "_") == PLUGIN and run.outcome == "finished"


def captures_of(history: History, trial: str) -> tuple[Run, ...]:
    """Return our captures of a trial's newest policy that the gate has judged, the newest last."""
    runs = history.runs_of(trial)
    trained = max((k for k, run in enumerate(runs) if run.kind == "train"), default=0)
    return tuple(run for run in runs[trained:] if is_ours(run, "capture") and PASSES in run.metrics)


def looks_at(history: History, capture: Run) -> tuple[Run, ...]:
    """Return the looks at a capture."""
    return tuple(run for run in history.runs_of(capture.trial) if is_ours(run, "look")
                 and (run.spec.get("look") or {}).get("capture") == capture.id)


def finding_of(run: Run, rule: str) -> Finding | None:
    """Return what a rule found about a run, None where it found nothing."""
    return next((finding for finding in run.findings if finding.rule == rule), None)


def gate_words(capture: Run) -> str:
    """Return what the gate said of a capture."""
    found = finding_of(capture, GATE_RULE)
    if found is not None:
        return found.message
    passes = capture.metrics[PASSES]
    return f"the kinematic gate: {passes.value:.0%} of {passes.n} episodes pass"


def score_of(history: History, trial: Trial) -> Measurement | None:
    """Return what a trial scored: as judged, or as its newest evaluation has it before that."""
    if trial.judged:
        return trial.score
    tag = history.task.metric.tag if history.task else ""
    found = [run.metrics[tag] for run in history.runs_of(trial.id)
             if run.kind == "evaluate" and run.purpose == SCORE and run.outcome == "finished" and tag in run.metrics]
    return found[-1] if found else None


def is_best_so_far(history: History, trial: Trial) -> bool:
    """Say whether no other trial of the same stage has a better score, those that the gate discarded left out."""
    own = score_of(history, trial)
    if own is None or history.task is None:
        return False
    sign = 1.0 if history.task.metric.direction == "max" else -1.0
    return all(sign * other.value <= sign * own.value for other in _rivals(history, trial))


def champion_of(history: History) -> Trial | None:
    """Return the campaign's champion; before it has one, the best trial so far that was captured."""
    by_id = {trial.id: trial for trial in history.trials}
    if history.record.champion in by_id:
        return by_id[history.record.champion]
    seen = [trial for trial in history.trials if captures_of(history, trial.id)]
    return next((trial for trial in reversed(seen) if is_best_so_far(history, trial)), seen[-1] if seen else None)


def known_answers(histories: Sequence[History]) -> tuple[int, int]:
    """Return in how many known clips the model was wrong, and how many it was shown, over all looks."""
    rates = [run.metrics[ERROR_RATE] for history in histories for run in history.runs
             if is_ours(run, "look") and ERROR_RATE in run.metrics]
    return round(sum(rate.value * rate.n for rate in rates)), sum(rate.n for rate in rates)


def _rivals(history: History, trial: Trial) -> Iterator[Measurement]:
    for other in history.trials:
        score = score_of(history, other)
        if other.id != trial.id and other.stage == trial.stage and other.verdict != "discard" and score is not None:
            yield score
