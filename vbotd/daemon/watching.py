"""The series of live runs: read as they grow, damage and not-a-number reported, never a reason to kill by silence."""

from __future__ import annotations

import math
from collections.abc import Iterable

from vbotd.core.sighting import FindingsSeen, Progress
from vbotd.domain.finding import Finding
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.tfevents import RunTail


class Watching:
    """Keeps a tail on each live training run, and the progress that each live run tells in its heartbeat."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._tails: dict[str, RunTail] = {}
        self.progress: dict[str, Progress] = {}

    def poll(self, runs: Iterable[Run]) -> list[FindingsSeen]:
        """Read what is new and return what is wrong with it."""
        live = {run.id: run for run in runs if run.is_live}
        for gone in [run for run in self._tails if run not in live]:
            del self._tails[gone]
        self.progress = {run: progress for run in live if (progress := self._heartbeat(run)) is not None}
        seen = []
        for run in live.values():
            if run.kind != "train":
                continue
            tail = self._tails.setdefault(run.id, RunTail(self._layout.run(run.id)))
            polled = tail.poll()
            findings = [Finding(rule="events-damaged", level="warning", tag=trouble.kind,
                                message=f"{trouble.file} at byte {trouble.offset}: {trouble.detail}")
                        for trouble in polled.troubles]
            bad = next((p for p in polled.points if not math.isfinite(p.value)), None)
            if bad is not None:
                findings.append(Finding(rule="not-a-number", level="error", tag=bad.tag, env_steps=bad.step,
                                        message=f"{bad.tag} is {bad.value} at env step {bad.step:,}",
                                        fix="lower ppo.learning_rate, or look at the reward terms", stop=True))
            if findings:
                seen.append(FindingsSeen(run=run.id, findings=tuple(("core", f) for f in findings)))
        return seen

    def _heartbeat(self, run: str) -> Progress | None:
        try:
            said = read_json(self._layout.run(run) / "heartbeat.json")
        except UnreadableFile:
            return None
        if said is None:
            return None
        try:
            return Progress(env_steps=int(said.get("env_steps") or 0),
                            total_env_steps=int(said.get("total_env_steps") or 0),
                            env_steps_per_s=float(said.get("env_steps_per_s") or 0.0))
        except (TypeError, ValueError):
            return None
