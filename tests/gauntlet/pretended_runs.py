"""A place where runs execute that leaves what real runs leave, in the time of a fake clock, and ends them by dice."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tests.store.event_files import VERSION, append, framed
from vbotd.core.sighting import ExitSeen, RunSeen
from vbotd.daemon.launch import spec_of
from vbotd.domain.trial import CheckpointRef, Run
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic

CHECKPOINT_BYTES = 1 << 20  # sparse: it counts as its size, and takes no room
CHECKPOINTS = 8  # of a training; a verdict names the last one, and the others may be deleted
ENV_STEPS = 1000
SHORTEST_TRAINING = 1 / 6  # of the longest
OTHER_S = (30.0, 120.0)
BEAT_EVERY_S = 90.0
REMEMBERED_S = 7200.0  # after the end of a run: no fault lasts as long
NEVER_CLAIMS, REFUSED, VANISHES, FAILS = 0.01, 0.005, 0.02, 0.05
EVENTS = "events.out.tfevents.1.host.1"


class PretendedRuns:
    """As a `vbotd.daemon.launch.Launcher`. It outlives the daemons, as runs do."""

    def __init__(self, layout: Layout, dice: random.Random, now: Callable[[], float], *,
                 longest_s: float) -> None:
        self._train_s = SHORTEST_TRAINING * longest_s, longest_s
        self._layout, self._dice, self._now = layout, dice, now
        self._ends: dict[str, float] = {}
        self._seen: dict[str, RunSeen] = {}
        self._beaten: dict[str, float] = {}
        self.checkpoints = 0

    def start(self, run: Run) -> None:
        """Start a run. Raises OSError now and then, as a system without processes left does."""
        chance = self._dice.random()
        if chance < REFUSED:
            raise OSError(11, "Resource temporarily unavailable")
        if chance < REFUSED + NEVER_CLAIMS or run.token in self._ends:
            return
        folder = self._layout.run(run.id)
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder / "spec.json", spec_of(run, self._layout))
        (folder / "worker.log").write_text("it begins\n")
        if run.kind == "train":
            (folder / EVENTS).write_bytes(VERSION)
        self._ends[run.token] = self._now() + self._dice.uniform(*(self._train_s if run.kind == "train" else OTHER_S))

    @property
    def next_end(self) -> float:
        """The time at which the next run ends, infinity for none."""
        return min((end for end in self._ends.values() if end > self._now()), default=math.inf)

    def tend(self) -> None:
        """Forget the runs that ended long ago."""
        over = [token for token, end in self._ends.items() if end < self._now() - REMEMBERED_S]
        for token in over:
            del self._ends[token]
            self._seen.pop(token, None)
            self._beaten.pop(token, None)

    def look(self, run: Run) -> RunSeen:
        """Return what there is to see of a live run; how it ended is decided once."""
        end = self._ends.get(run.token)
        if end is None:
            return RunSeen(run=run.id, claim="none", alive=False, fence="won")
        if self._now() < end:
            if run.kind == "train":
                self._train(run, end)
            self._beat(run)
            return RunSeen(run=run.id, claim="shim", alive=True, pid=7, claimed_at=self._now())
        if run.token not in self._seen:
            self._seen[run.token] = self._ended(run)
        return self._seen[run.token]

    def press(self, run: Run, rung: str) -> None:
        """End a run at once."""
        if run.token in self._ends:
            self._ends[run.token] = min(self._ends[run.token], self._now())

    def close(self) -> None:
        """The runs go on."""

    def _beat(self, run: Run) -> None:
        """Give a sign of life now and then: five minutes without one would be told."""
        if self._now() - self._beaten.get(run.token, 0.0) < BEAT_EVERY_S:
            return
        self._beaten[run.token] = self._now()
        # Not by our own way of writing: a worker is another process, and what fails in the daemon is not its own.
        (self._layout.run(run.id) / "heartbeat.json").write_text(json.dumps({
            "phase": "train", "env_steps": ENV_STEPS // 2, "total_env_steps": ENV_STEPS, "env_steps_per_s": 1.0,
            "at": self._now()}))

    def _train(self, run: Run, end: float) -> None:
        """Write one more point of a curve that rises and never lies still."""
        done = 1.0 - (end - self._now()) / self._train_s[1]
        value = Summary.Value(tag="rollout/episode_return", simple_value=10.0 * done + self._dice.random())
        event = Event(step=int(ENV_STEPS * done), wall_time=self._now(), summary=Summary(value=[value]))
        append(self._layout.run(run.id) / EVENTS, framed(event.SerializeToString()))

    def _ended(self, run: Run) -> RunSeen:
        chance = self._dice.random()
        checkpoint = self._checkpoints(run) if run.kind == "train" else None
        if chance < VANISHES:
            return RunSeen(run=run.id, claim="shim", alive=False, swept=True, last_checkpoint=checkpoint)
        code = 1 if chance < VANISHES + FAILS else 0
        value = self._dice.random()
        result: dict[str, Any] = {
            "outcome": "finished", "env_steps": ENV_STEPS, "simulated_s": 1.0,
            "checkpoint": checkpoint and {"path": checkpoint.path.removeprefix(f"{run.id}/"),
                                          "sha256": checkpoint.sha256, "env_steps": checkpoint.env_steps},
            "metrics": {"eval/success_rate": {"value": value, "low": value - 0.05, "high": value + 0.05, "n": 256}}}
        return RunSeen(run=run.id, claim="shim", alive=False, pid=7, claimed_at=self._now(), last_checkpoint=checkpoint,
                       exit=ExitSeen(exit_code=code, signal=None, ended_at=self._now(), duration_s=600.0),
                       result=result if code == 0 else None, log_tail="" if code == 0 else "ValueError: by dice")

    def _checkpoints(self, run: Run) -> CheckpointRef:
        folder = self._layout.run(run.id) / "checkpoints"
        folder.mkdir(exist_ok=True)
        steps = 0
        for number in range(1, CHECKPOINTS + 1):
            steps = ENV_STEPS * number // CHECKPOINTS
            with (folder / f"ckpt_{steps:012d}.pt").open("wb") as file:
                file.truncate(CHECKPOINT_BYTES)
        self.checkpoints += CHECKPOINTS
        return CheckpointRef(path=f"{run.id}/checkpoints/ckpt_{steps:012d}.pt", sha256="ab", env_steps=steps)
