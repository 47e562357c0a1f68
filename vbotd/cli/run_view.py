"""What do the files in a run's folder say about it now? For people who look on; the daemon has its own eyes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vbotd.cli.commanding import not_found_message
from vbotd.core.diagnose import Diagnosis, diagnose
from vbotd.core.diagnosis_words import in_words
from vbotd.core.health.context import KL_TARGET
from vbotd.errors import NotFound
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.run_context import context_of_run

MAX_RUNS = 500
MARKS = ("spec.json", "heartbeat.json", "result.json")
# After that long without a heartbeat, five of the longest allowed intervals, a run is called silent.
SILENT_S = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run as its folder shows it. `state` is a word for people; `points` are the series by tag, thinned.

    `words` is the diagnosis in sentences.
    """

    name: str
    state: str
    has_ended: bool
    diagnosis: Diagnosis
    points: Mapping[str, tuple[tuple[int, float], ...]]
    troubles: tuple[str, ...]
    words: tuple[str, ...] = ()
    kl_target: float = KL_TARGET


def plain(text: object) -> str:
    """Return text from a worker's files without anything that a terminal could obey, at most 200 characters."""
    return "".join(letter for letter in str(text)[:200] if letter.isprintable())


def find_runs(layout: Layout, target: str) -> list[Path]:
    """Return the run folders that `target` means, in the order of their names: a folder's path, or an id.

    An id is a campaign, a trial (`campaign/t001`) or a run, as below the workspace's `runs/`.

    Raises: NotFound, naming what there is.
    """
    for root in (Path(target).expanduser(), layout.runs / target, layout.adhoc_runs / target):
        if root.is_dir() and (found := _runs_below(root)):
            return found
    known = sorted(path.name for path in layout.runs.iterdir() if path.is_dir()) if layout.runs.is_dir() else []
    raise NotFound(not_found_message("folder of a run, trial or campaign", target, known, "see 'vbotd status'"))


def _runs_below(root: Path) -> list[Path]:
    if _is_run(root):
        return [root]
    # Campaign, trial, run: three levels, and no deeper, since a person may name any folder.
    found = (path for pattern in ("*", "*/*", "*/*/*") for path in root.glob(pattern) if path.is_dir())
    return sorted(path for path in found if _is_run(path))[:MAX_RUNS]


def _is_run(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in MARKS) or any(folder.glob("events.out.tfevents.*"))


class RunWatch:
    """Follows one run's folder: each look reads only what is new."""

    def __init__(self, folder: Path, layout: Layout, *, now: Callable[[], float] = time.time) -> None:
        # The reader of event files costs 50 ms to import, which other verbs shall not pay.
        from vbotd.store.tfevents import RunTail, SeriesBook

        self._folder, self._layout, self._now = folder, layout, now
        absolute = folder.resolve()
        below = absolute.is_relative_to(layout.runs)
        self.name = plain(absolute.relative_to(layout.runs) if below else Path(*absolute.parts[-3:]))
        self._tail, self._book = RunTail(folder), SeriesBook()
        self._troubles: list[str] = []

    def look(self) -> RunView:
        """Read what is new and say how the run stands."""
        while (poll := self._tail.poll()).bytes_read or poll.troubles:
            self._book.absorb(poll.points)
            self._troubles += [f"{plain(each.file)} at byte {each.offset:,}: {each.detail}" for each in poll.troubles]
        beat, result = self._json("heartbeat.json"), self._json("result.json")
        ended = result is not None or (self._folder / "exit.json").exists()
        points = self._book.points()
        context = context_of_run(self._folder, self._layout, beat or {}, self._json("spec.json") or {})
        target = context.kl_target
        diagnosis = diagnose(points, beat or {}, context)
        return RunView(
            name=self.name, state=self._state(beat, result, ended=ended), has_ended=ended, points=points,
            diagnosis=diagnosis, troubles=tuple(self._troubles[-20:]), words=in_words(diagnosis, target),
            kl_target=target)

    def _state(self, beat: Mapping[str, Any] | None, result: Mapping[str, Any] | None, *, ended: bool) -> str:
        if result is not None:
            return plain(result.get("outcome", "ended"))
        if ended:
            return "ended without a result"
        if beat is None:
            return "starting"
        at = beat.get("at")
        age_s = self._now() - at if isinstance(at, int | float) else 0.0
        if age_s > SILENT_S:
            return f"silent for {age_s:,.0f} s"
        return plain(beat.get("phase", "running"))

    def _json(self, name: str) -> dict[str, Any] | None:
        try:
            return read_json(self._folder / name)
        except UnreadableFile as err:
            note = f"{name}: {plain(err.why)}"
            if note not in self._troubles:
                self._troubles.append(note)
            return None
