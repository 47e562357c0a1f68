"""The task that is killed: its worker trains nothing, takes a moment, and keeps a ledger of its own.

This file is copied into the scratch workspace's `plugins/`; the ledger, appended to beside the store by the workers
themselves, is the oracle that the store is held against.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

LEDGER = "ledger.txt"


@hookimpl
def vbotd_tasks() -> list[TaskCard]:
    """Offer the one task."""
    return [TaskCard(
        name="chaos_walk", summary="takes a moment and ends well", factory=f"{__name__}:train", env_steps=1000,
        num_envs=1, entries={"train": f"{__name__}:train", "evaluate": f"{__name__}:evaluate"},
        params=(ParamCard(key="env.train_s", default=0.05, low=0.0, high=600.0, unit="s"),))]


def train(folder: Any) -> None:
    """Write the ledger, wait, leave a checkpoint and a result; stop early when asked to."""
    spec = folder.spec()
    note("start", spec.run)
    folder.checkpoints.mkdir(exist_ok=True)
    total = int(spec.train["env_steps"])
    until = time.monotonic() + float(spec.params.get("env.train_s", 0.05))
    while time.monotonic() < until and not folder.stop_requested():
        folder.heartbeat(phase="train", env_steps=total // 2, total_env_steps=total, env_steps_per_s=100.0,
                         success_rate=None)
        time.sleep(0.01)
    name = f"checkpoints/ckpt_{total:012d}.pt"
    (folder.path / name).touch()
    note("end", spec.run)
    folder.write_result({"outcome": "stopped" if folder.stop_requested() else "finished", "reason": "",
                         "env_steps": total, "wall_s": 0.1, "simulated_s": 1.0, "metrics": {},
                         "checkpoint": {"path": name, "sha256": "0" * 64, "env_steps": total}})


def evaluate(folder: Any) -> None:
    """Write the ledger and a score."""
    spec = folder.spec()
    note("start", spec.run)
    if not Path(spec.evaluate["checkpoint"]).exists():
        raise FileNotFoundError(spec.evaluate["checkpoint"])
    note("end", spec.run)
    folder.write_result({"outcome": "finished", "reason": "", "env_steps": 10, "wall_s": 0.1, "simulated_s": 1.0,
                         "checkpoint": None, "metrics": {
                             "eval/success_rate": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 256}}})


def note(what: str, run: str) -> None:
    """Append one short line, whole: `start` or `end`, the run, this process."""
    line = f"{what} {run} {os.getpid()}\n".encode()
    descriptor = os.open(Path(os.environ["VBOTD_HOME"]) / LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
