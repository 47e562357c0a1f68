"""What a trial is worth: held-out episodes decide, a failed run has no score, and one seed proves little.

The score of the search seed chooses. Report seeds (the further ones) never choose: they say whether a trial is better
than the baseline (`core/verdict`), and theirs is the number that is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vbotd.core.interval import of_mean
from vbotd.core.ranking import best_of, scored_run, search_seed
from vbotd.core.verdict.claims import Claim, claim_of, claims_of
from vbotd.core.verdict.lengths import length_of, scores_by_length
from vbotd.core.verdict.looks import FEWEST_PAIRS
from vbotd.core.verdict.words import claim_words, verdict_of
from vbotd.core.wording import counted, interval, is_rate, number
from vbotd.domain.campaign import Gate
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Opinion
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Run, Trial

CONFIRM = "confirm"  # purpose of the evaluation on fresh instances that is reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What is reported of a trial, measured by runs whose seeds and episodes did not choose it.

    `metrics` are means over the runs, each run counting once, with the interval of such a mean; `runs` are their ids.
    """

    metrics: Mapping[str, Measurement]
    seeds: tuple[int, ...]
    runs: tuple[str, ...]


def reported(trial: Trial, runs: Iterable[Run]) -> Reported | None:
    """Return what the report seeds of a trial had on fresh episodes, None where none of them was measured there."""
    own = [run for run in runs if run.trial == trial.id]
    found = [run for seed in trial.seeds[1:] if (run := scored_run(own, CONFIRM, seed)) is not None]
    if not found:
        return None
    tags = [tag for tag in found[0].metrics if all(tag in run.metrics for run in found)]
    return Reported(metrics={tag: _over_runs([run.metrics[tag] for run in found], tag) for tag in tags},
                    seeds=tuple(run.seed for run in found), runs=tuple(run.id for run in found))


def default_opinion(trial: Trial, runs: Sequence[Run], others: Sequence[Trial], task: TaskCard) -> tuple[
        Opinion, Measurement | None]:
    """Return the core's own verdict on a trial and its score.

    No score: discard, with the reason. With report seeds that a trial before it has too: what the pairs say. The whole
    interval below that of the best so far at this length of training: discard. Otherwise keep: nothing is promoted on
    one seed, and who was trained further, or less far, is no rival.

    Args:
        runs: of the campaign; those of the trial alone do where there is nothing to compare it with.
        others: the other trials that it competes with.
    """
    own = [run for run in runs if run.trial == trial.id]
    run, tag = scored_run(own, seed=search_seed(trial)), task.metric.tag
    score = run.metrics.get(tag) if run is not None else None
    if run is None or score is None:
        return Opinion(verdict="discard", why=_why_no_score(own, task)), None
    claims = claims_of((trial, *others), runs, task.metric)
    claim = claim_of(trial.id, claims)
    if claim is not None:
        return Opinion(verdict=verdict_of(claim), why=claim_words(claim, tag)), score
    rivals = _at_length(length_of(trial, own), others, runs, task)
    best = best_of(rivals, task)
    if best is not None and best.score is not None and _worse(score, best.score, task):
        return Opinion(verdict="discard", why=(
            f"{tag} {_measured(score, tag)} lies wholly behind {best.id} with {_measured(best.score, tag)}")), score
    return Opinion(verdict="keep", why=(
        f"{tag} {_measured(score, tag)} over {score.n} held-out episodes, "
        f"{_how_sure(trial, claims, is_behind=best is not None and _behind(score, best, task))}"
        f"{_unlike(others, rivals)}")), score


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


def _measured(score: Measurement, tag: str) -> str:
    return f"{number(score.value, tag)} [{interval(score, tag)}]"


def _at_length(length: int, others: Iterable[Trial], runs: Sequence[Run], task: TaskCard) -> list[Trial]:
    """Return the trials that have a score of so many env steps of training, with that score."""
    return [replace(other, score=known[length]) for other in others
            if length in (known := scores_by_length(other, runs, task.metric.tag))]


def _unlike(others: Sequence[Trial], rivals: Sequence[Trial]) -> str:
    """Say how many scored trials there were no like of; "" where all are rivals."""
    beside = sum(other.score is not None for other in others) - len(rivals)
    return f"; not compared with {counted(beside, 'trial')} trained further or less far" if beside > 0 else ""


def _worse(score: Measurement, best: Measurement, task: TaskCard) -> bool:
    return score.high < best.low if task.metric.direction == "max" else score.low > best.high


def _behind(score: Measurement, best: Trial, task: TaskCard) -> bool:
    assert best.score is not None, "the best has a score"
    return (score.value < best.score.value) == (task.metric.direction == "max") and score.value != best.score.value


def _how_sure(trial: Trial, claims: Sequence[Claim], *, is_behind: bool) -> str:
    """Return what speaks for a score that makes no claim: how many seeds, and what would prove more of a best one."""
    against = sum(claim.reference == trial.id for claim in claims)
    if against:
        return f"{len(trial.seeds)} seeds; {against} other{'s are' if against > 1 else ' is'} compared with it"
    if len(trial.seeds) > 1:
        return f"{len(trial.seeds)} seeds, but none that a trial before it has too: there is nothing to compare it with"
    if is_behind:
        return "one seed, and behind the best so far"
    return f"one seed: {FEWEST_PAIRS} further ones, the same for it and the baseline, could confirm it"


def _over_runs(measured: Sequence[Measurement], tag: str) -> Measurement:
    """Return the mean over runs, with the interval that their spread over seeds gives it; of one run, its own."""
    if len(measured) == 1:
        return measured[0]
    found = of_mean([m.value for m in measured])
    low, high = (max(found["low"], 0.0), min(found["high"], 1.0)) if is_rate(tag) else (found["low"], found["high"])
    return Measurement(value=found["value"], low=low, high=high, n=sum(m.n for m in measured))


def _why_no_score(runs: Sequence[Run], task: TaskCard) -> str:
    bad = [run for run in runs if run.outcome not in ("finished", None)]
    if bad:
        run = bad[-1]
        return f"no score: {run.id} {run.outcome}: {run.reason}"
    return f"no score: its evaluation did not measure {task.metric.tag}"
