"""The series of live runs: read as they grow, judged by the health rules, never a reason to kill by silence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from vbotd.core.health import examine
from vbotd.core.health.numbers import non_finite
from vbotd.core.sighting import FindingsSeen, Progress
from vbotd.domain.finding import Finding
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.run_context import context_of_run
from vbotd.store.tfevents import Point, Poll, RunTail, SeriesBook

GAPS_KEPT = 50  # between two records, for what is usual
JUDGEMENTS = 200  # of a run: the rules look at hundredths of it, and hundreds of iterations more change nothing
JUDGE_AFTER_S = 15.0  # even if nothing came: silence is told, too
POLLS_AT_ONCE = 8  # of a run that was adopted with a day of series behind it; the rest comes with the next look


@dataclass(slots=True)
class _Seen:
    """What was read of one live run: its tail, its thinned series, and when it wrote."""

    tail: RunTail
    book: SeriesBook = field(default_factory=SeriesBook)
    gaps_s: list[float] = field(default_factory=list)
    wrote_at: float | None = None
    judged_at: float = 0.0
    judged_env_steps: int = -1
    env_steps: int = 0
    told: set[tuple[str, str]] = field(default_factory=set)

    def take(self, points: Sequence[Point]) -> None:
        self.book.absorb(points)
        self.env_steps = max([self.env_steps, *(point.step for point in points)])
        for at in sorted({point.wall_time for point in points}):
            if self.wrote_at is not None and at > self.wrote_at:
                self.gaps_s.append(at - self.wrote_at)
            self.wrote_at = max(at, self.wrote_at or at)
        del self.gaps_s[:-GAPS_KEPT]


class Watching:
    """Keeps a tail on each live training run, and the progress that each live run tells in its heartbeat."""

    def __init__(self, layout: Layout, *, now: Callable[[], float] = time.time) -> None:
        self._layout, self._now = layout, now
        self._seen: dict[str, _Seen] = {}
        self.progress: dict[str, Progress] = {}

    def poll(self, runs: Iterable[Run]) -> list[FindingsSeen]:
        """Read what is new and return what is wrong with it; each finding is told once a rule and tag."""
        live = {run.id: run for run in runs if run.is_live}
        for gone in [run for run in self._seen if run not in live]:
            del self._seen[gone]
        self.progress = {run: progress for run in live if (progress := self._heartbeat(run)) is not None}
        looked = [(run.id, self._look(run)) for run in live.values() if run.kind == "train"]
        return [FindingsSeen(run=run, findings=tuple(("core", finding) for finding in found))
                for run, found in looked if found]

    def _look(self, run: Run) -> list[Finding]:
        seen = self._seen.setdefault(run.id, _Seen(tail=RunTail(self._layout.run(run.id))))
        found: list[Finding] = []
        for _ in range(POLLS_AT_ONCE):
            polled = seen.tail.poll()
            seen.take(polled.points)
            # Of all points, before they are thinned: one number that is none is enough.
            found += [*_damage(polled), *non_finite(_by_tag(polled.points))]
            if not polled.bytes_read:
                break
        now = self._now()
        if self._is_due(run.id, seen, now):
            found += self._judged(run, seen, now)
        once = {(finding.rule, finding.tag): finding for finding in reversed(found)}
        fresh = [finding for key, finding in once.items() if finding.stop or key not in seen.told]
        seen.told |= {(finding.rule, finding.tag) for finding in fresh}
        return fresh

    def _is_due(self, run: str, seen: _Seen, now: float) -> bool:
        """Say whether a run is to be judged: once it has written, after each share of its env steps, and in silence."""
        if seen.wrote_at is None:
            return False
        total = self.progress[run].total_env_steps if run in self.progress else 0
        fresh = seen.env_steps - seen.judged_env_steps > total / JUDGEMENTS
        if not fresh and now - seen.judged_at < JUDGE_AFTER_S:
            return False
        seen.judged_at, seen.judged_env_steps = now, seen.env_steps
        return True

    def _judged(self, run: Run, seen: _Seen, now: float) -> tuple[Finding, ...]:
        try:
            beat = read_json(self._layout.run(run.id) / "heartbeat.json") or {}
        except UnreadableFile:
            beat = {}
        gap_s = median(seen.gaps_s) if seen.gaps_s else None
        silent_s = None if seen.wrote_at is None else now - seen.wrote_at
        context = context_of_run(self._layout.run(run.id), self._layout, beat, {"run": run.id, **run.spec},
                                 silent_s=silent_s, gap_s=gap_s)
        return examine(seen.book.points(), context)

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


def _damage(polled: Poll) -> list[Finding]:
    return [Finding(rule="events-damaged", level="warning", tag=each.kind,
                    message=f"{each.file} at byte {each.offset}: {each.detail}") for each in polled.troubles]


def _by_tag(points: Sequence[Point]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for tag, step, value, _ in points:
        found.setdefault(tag, []).append((step, value))
    return found
