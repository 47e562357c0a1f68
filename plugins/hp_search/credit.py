"""Who proposed what was worth it? Trials, cost, and by how much each proposer moved the best score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vbotd.domain.history import History
from vbotd.domain.trial import Trial

from .results import Result, horizon_of, results_of, value_of
from .rungs import millions


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A proposer's account. `gain` is the sum of the steps by which it moved the best success upwards, in its unit."""

    proposer: str
    trials: int
    scored: int
    gain: float
    env_steps: int
    best: str


def credits_of(history: History) -> tuple[Credit, ...]:
    """Return the account of each proposer, the largest gain first.

    The best moves in the order in which trials were admitted, by what they reached when trained to the end; so of two
    equally good ideas the earlier has the credit.
    """
    final = {trial.id: known[-1] for trial in history.trials
             if (known := results_of(history, trial)) and known[-1].env_steps >= horizon_of(history)}
    gains = _gains(history, [trial for trial in history.trials if trial.id in final], final)
    names = dict.fromkeys(_proposer(trial) for trial in history.trials)
    accounts = [_account(history, name, final, gains) for name in names]
    return tuple(sorted(accounts, key=lambda account: -account.gain))


def _proposer(trial: Trial) -> str:
    changed = sorted(set(trial.proposal.amended_by.values()))
    return " with ".join([trial.proposal.proposer, *changed])


def _gains(history: History, trials: Sequence[Trial], final: dict[str, Result]) -> dict[str, float]:
    gains: dict[str, float] = {}
    best: float | None = None
    for trial in trials:
        success = value_of(history, final[trial.id])[0]
        if best is not None and success > best:
            gains[trial.id] = success - best
        best = success if best is None else max(best, success)
    return gains


def _account(history: History, name: str, final: dict[str, Result], gains: dict[str, float]) -> Credit:
    own = [trial for trial in history.trials if _proposer(trial) == name]
    ranked = [trial for trial in own if trial.id in final]
    best = max(ranked, key=lambda trial: value_of(history, final[trial.id]), default=None)
    ids = {trial.id for trial in own}
    env_steps = sum(max(0, run.env_steps - int(run.spec.get("resumed_env_steps") or 0))
                    for run in history.runs if run.kind == "train" and run.trial in ids)
    return Credit(proposer=name, trials=len(own), scored=sum(trial.score is not None for trial in own),
                  gain=sum(gains.get(trial.id, 0.0) for trial in own), env_steps=env_steps,
                  best=best.id.rpartition("/")[2] if best else "")


def credit_lines(history: History) -> Iterator[str]:
    """Yield a line on the proposers, where there is more than one."""
    accounts = credits_of(history)
    if len(accounts) > 1:
        yield "  - who proposed: " + "; ".join(
            f"{one.proposer} {one.trials} trials ({one.scored} scored, {millions(one.env_steps)} env steps), "
            + (f"moved the best by {one.gain:.3g}" if one.gain else "did not move the best")
            + (f", its best {one.best}" if one.best else "") for one in accounts)
