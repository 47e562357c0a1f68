"""What a trial is worth: held-out episodes decide, a failed run has no score, and one seed proves little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vbotd.domain.campaign import Gate
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Opinion
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Run, Trial

SCORE = "score"  # purpose of the evaluation that a trial is chosen by
CONFIRM = "confirm"  # purpose of the evaluation on fresh instances that is reported


def scored_run(runs: Iterable[Run], purpose: str = SCORE) -> Run | None:
    """Return the finished evaluation of a trial that has the given purpose, the newest if there are several."""
    found = [r for r in runs if r.kind == "evaluate" and r.purpose == purpose and r.outcome == "finished" and r.metrics]
    return found[-1] if found else None


def default_opinion(trial: Trial, runs: Sequence[Run], others: Sequence[Trial], task: TaskCard) -> tuple[
        Opinion, Measurement | None]:
    """Return the core's own verdict on a trial and its score.

    No score: discard, with the reason. The whole interval below that of the best so far: discard.
    Otherwise keep. `promote` is not given on one seed's selection episodes.
    """
    run = scored_run(runs)
    score = run.metrics.get(task.metric.tag) if run is not None else None
    if run is None or score is None:
        return Opinion(verdict="discard", why=_why_no_score(runs, task)), None
    best = best_of(others, task)
    if best is not None and best.score is not None and _worse(score, best.score, task):
        return Opinion(verdict="discard", why=(
            f"{task.metric.tag} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}] lies wholly behind "
            f"{best.id} with {best.score.value:.3f} [{best.score.low:.3f}, {best.score.high:.3f}]")), score
    return Opinion(verdict="keep", why=(
        f"{task.metric.tag} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}] over {score.n} held-out episodes, "
        "one seed")), score


def best_of(trials: Iterable[Trial], task: TaskCard, quality: Mapping[str, float] | None = None) -> Trial | None:
    """Return the best scored trial: the metric first, then the quality (by trial id), then the earlier number."""
    scored = [t for t in trials if t.score is not None]
    if not scored:
        return None
    return max(scored, key=lambda t: rank_key(t, task, quality))


def rank_key(trial: Trial, task: TaskCard, quality: Mapping[str, float] | None = None) -> tuple[float, float, int]:
    """Return the sort key of a trial, larger is better; a trial without a score comes last."""
    if trial.score is None:
        return (float("-inf"), 0.0, -trial.number)
    sign = 1.0 if task.metric.direction == "max" else -1.0
    worst = float("-inf")
    q = (quality or {}).get(trial.id)
    if task.quality is None or q is None:
        second = worst if task.quality is not None and quality else 0.0
    else:
        second = q if task.quality.direction == "max" else -q
    return (sign * trial.score.value, second, -trial.number)


def qualities(trials: Iterable[Trial], runs: Iterable[Run], task: TaskCard) -> dict[str, float]:
    """Return the quality metric of each scored trial, by trial id."""
    if task.quality is None:
        return {}
    by_trial: dict[str, list[Run]] = {}
    for run in runs:
        by_trial.setdefault(run.trial, []).append(run)
    found = {}
    for trial in trials:
        scored = scored_run(by_trial.get(trial.id, ()))
        if scored is not None and task.quality.tag in scored.metrics:
            found[trial.id] = scored.metrics[task.quality.tag].value
    return found


def gate_misses(gates: Iterable[Gate], metrics: Mapping[str, Measurement]) -> tuple[str, ...]:
    """Return the gates that are not passed, in words. The careful end of the interval has to pass."""
    return tuple(f"{gate.tag} {gate.op} {gate.value:g} ({_said(gate, metrics.get(gate.tag))})"
                 for gate in gates if not _passes(gate, metrics.get(gate.tag)))


def _passes(gate: Gate, measured: Measurement | None) -> bool:
    if measured is None:
        return False
    return {">=": measured.low >= gate.value, ">": measured.low > gate.value,
            "<=": measured.high <= gate.value, "<": measured.high < gate.value}[gate.op]


def _said(gate: Gate, measured: Measurement | None) -> str:
    if measured is None:
        return "was not measured"
    return f"measured {measured.value:.4g}, 95 % interval {measured.low:.4g} to {measured.high:.4g}"


def _worse(score: Measurement, best: Measurement, task: TaskCard) -> bool:
    return score.high < best.low if task.metric.direction == "max" else score.low > best.high


def _why_no_score(runs: Sequence[Run], task: TaskCard) -> str:
    bad = [run for run in runs if run.outcome not in ("finished", None)]
    if bad:
        run = bad[-1]
        return f"no score: {run.id} {run.outcome}: {run.reason}"
    return f"no score: its evaluation did not measure {task.metric.tag}"
