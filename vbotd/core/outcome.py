"""How a run ended, from what its shim and its worker left behind. Unknown is never success."""

from __future__ import annotations

import math
import signal as signals
from collections.abc import Mapping
from typing import Any

from vbotd.core.sighting import RunSeen
from vbotd.domain.event import RunEnded, RunFenced, RunStarted
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import CheckpointRef, Outcome, Run

SIMULATING = frozenset({"train", "evaluate", "capture", "audit"})  # a plugin's own kind of run need not


def reconcile(run: Run, seen: RunSeen) -> RunStarted | RunFenced | RunEnded | None:
    """Return the event that a look at a live run's folder justifies, or None while there is nothing new.

    The rows of the recovery table (claim, lock, exit, boot), each with the one event that it allows:
    no claim and our bid won: fenced. Claim and lock held: started. Lock free and an exit: ended, with the
    true code. Lock free, no exit, tree swept: lost.
    """
    if seen.claim == "fenced" or seen.fence == "won":
        if run.status == "stopping":
            return RunEnded(campaign=run.campaign, trial=run.trial, run=run.id, outcome="stopped",
                            reason=f"{run.stop_why} (it had not started yet)")
        return RunFenced(campaign=run.campaign, trial=run.trial, run=run.id, token=run.token,
                         why="the launch was proved never to have started anything")
    if seen.claim == "none":
        return None
    if seen.alive:
        if run.started_at is None and seen.pid is not None:
            return RunStarted(campaign=run.campaign, trial=run.trial, run=run.id, pid=seen.pid,
                              started_at=seen.claimed_at or run.launched_at or 0.0)
        return None
    if seen.exit is not None:
        return _ended(run, seen)
    if not seen.swept:
        return None
    why = ("the machine was restarted" if not seen.same_boot else
           "its folder was deleted while it ran; every process of the run was looked for and ended" if seen.bereft else
           "its shim died without a word; every process of the run was looked for and ended")
    return RunEnded(campaign=run.campaign, trial=run.trial, run=run.id, outcome="lost", reason=why,
                    env_steps=seen.env_steps, checkpoint=seen.last_checkpoint, last_checkpoint=seen.last_checkpoint)


def _ended(run: Run, seen: RunSeen) -> RunEnded:
    assert seen.exit is not None
    outcome, reason = classify(run, seen)
    result = seen.result if outcome in ("finished", "stopped", "diverged") else None
    checkpoint = _checkpoint(run, result) or seen.last_checkpoint
    metrics = _metrics(result) if outcome in ("finished", "stopped") else {}
    return RunEnded(
        campaign=run.campaign, trial=run.trial, run=run.id, outcome=outcome, reason=reason,
        exit_code=seen.exit.exit_code, signal=seen.exit.signal, ended_at=seen.exit.ended_at,
        env_steps=int(_number(result, "env_steps") or seen.env_steps), wall_s=seen.exit.duration_s,
        simulated_s=_number(result, "simulated_s") or 0.0, checkpoint=checkpoint,
        last_checkpoint=seen.last_checkpoint, metrics=metrics)


def classify(run: Run, seen: RunSeen) -> tuple[Outcome, str]:
    """Return (outcome, reason) of a run whose process has ended."""
    assert seen.exit is not None
    code, result = seen.exit.exit_code, seen.result
    if code == 0:
        if result is None:
            return "failed", seen.result_problem or "it exited with 0 but left no result: no work was proved"
        said = result.get("outcome")
        if said == "stopped":
            return "stopped", str(result.get("reason") or run.stop_why or "it was asked to stop")
        if said != "finished":
            return "failed", f"it exited with 0 but its result says '{said}'"
        if run.kind in SIMULATING and not _number(result, "env_steps"):
            return "failed", "it ended without a single env step: no work was done"
        return "finished", str(result.get("reason") or "")
    if code == 3:
        return "diverged", str((result or {}).get("reason") or "the training or the simulation diverged")
    if run.status == "stopping":
        return "stopped", f"{run.stop_why} (it had to be ended by {_how(seen)})"
    last = seen.log_tail.strip().splitlines()[-1:] or [""]
    return "failed", f"{_how(seen)}{': ' + last[0][:300] if last[0] else ''}"


def _how(seen: RunSeen) -> str:
    assert seen.exit is not None
    if seen.exit.signal is not None:
        name = signals.Signals(seen.exit.signal).name if seen.exit.signal in set(signals.Signals) else "?"
        hint = " (out of memory, or killed by hand)" if name == "SIGKILL" else ""
        return f"signal {seen.exit.signal} {name}{hint}"
    return {4: "exit code 4 (its settings are wrong)"}.get(
        seen.exit.exit_code or 0, f"exit code {seen.exit.exit_code}")


def _number(result: Mapping[str, Any] | None, key: str) -> float | None:
    value = (result or {}).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _checkpoint(run: Run, result: Mapping[str, Any] | None) -> CheckpointRef | None:
    said = (result or {}).get("checkpoint")
    if not isinstance(said, Mapping):
        return None
    path, sha = said.get("path"), said.get("sha256")
    if not isinstance(path, str) or not isinstance(sha, str) or path.startswith("/") or ".." in path.split("/"):
        return None
    return CheckpointRef(path=f"{run.id}/{path}", sha256=sha, env_steps=int(_number(said, "env_steps") or 0))


def _metrics(result: Mapping[str, Any] | None) -> dict[str, Measurement]:
    said = (result or {}).get("metrics")
    if not isinstance(said, Mapping):
        return {}
    found: dict[str, Measurement] = {}
    for tag, item in list(said.items())[:200]:
        if not isinstance(item, Mapping):
            continue
        value, low, high = (_number(item, key) for key in ("value", "low", "high"))
        if value is None:
            continue
        found[str(tag)[:256]] = Measurement(value=value, low=value if low is None else low,
                                            high=value if high is None else high, n=int(_number(item, "n") or 0))
    return found
