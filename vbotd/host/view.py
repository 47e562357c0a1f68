"""What a plugin may look up beside the history: seeds and down-sampled series, read when asked for."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbotd.domain.history import History
from vbotd.domain.task import ParamValue
from vbotd.hookspecs import Point
from vbotd.layout import Layout

if TYPE_CHECKING:
    from vbotd.store.series import SeriesBook
    from vbotd.store.tfevents import RunTail

Presets = Mapping[str, Mapping[str, ParamValue]]
MAX_POINTS = 500
MAX_OPEN_RUNS = 32  # a tail keeps what it has read, so a live run costs only what is new


def seed_of(campaign: str, label: str) -> int:
    """Return a seed in [0, 2**32) that depends on the campaign and the label alone."""
    return int.from_bytes(hashlib.sha256(f"{campaign}\n{label}".encode()).digest()[:4], "big")


class Library:
    """The series of runs, read from their folders as far as anyone asks for them."""

    def __init__(self, home: Path) -> None:
        self._layout = Layout(home)
        self._books: OrderedDict[str, tuple[RunTail, SeriesBook]] = OrderedDict()

    def refresh(self, run: str) -> SeriesBook:
        """Return all series of a run, up to date."""
        from vbotd.store.series import SeriesBook
        from vbotd.store.tfevents import RunTail

        if run not in self._books:
            self._books[run] = RunTail(self._folder(run)), SeriesBook()
        self._books.move_to_end(run)
        tail, book = self._books[run]
        while len(self._books) > MAX_OPEN_RUNS:
            self._books.popitem(last=False)
        while points := tail.poll().points:
            book.absorb(points)
        return book

    def _folder(self, run: str) -> Path:
        folder = self._layout.run(run).resolve()
        if not folder.is_relative_to(self._layout.runs.resolve()):
            raise ValueError(f"run '{run}' is not below runs/ — use a run's id as it stands in the history")
        return folder


class RunSeries(Mapping[str, Sequence[Point]]):
    """The series of one run by tag, at most 500 points each; a tag that is not there is empty, never an error."""

    def __init__(self, library: Library, run: str) -> None:
        self._library, self._run = library, run
        self._book: SeriesBook | None = None

    def _loaded(self) -> SeriesBook:
        if self._book is None:
            self._book = self._library.refresh(self._run)
        return self._book

    def __getitem__(self, tag: str) -> Sequence[Point]:
        from vbotd.store.series import downsample

        series = self._loaded().series.get(tag)
        return downsample(series.points(), MAX_POINTS) if series else ()

    def __contains__(self, tag: object) -> bool:
        return tag in self._loaded().series

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._loaded().series))

    def __len__(self) -> int:
        return len(self._loaded().series)


class HostView:
    """The view of one campaign that `vbotd_propose` is handed."""

    def __init__(self, library: Library, campaign: str,
                 histories: Callable[[str], Sequence[History]] = lambda task: (),
                 presets: Callable[[str], Presets] = lambda task: {}) -> None:
        self._library, self._campaign = library, campaign
        self._histories, self._presets = histories, presets

    def seed(self, label: str) -> int:
        """Return a seed in [0, 2**32) that depends on the campaign and the label alone."""
        return seed_of(self._campaign, label)

    def series(self, run_id: str, tag: str) -> Sequence[Point]:
        """Return at most 500 points of one series of one run, () where there is none."""
        return RunSeries(self._library, run_id)[tag]

    def histories(self, task: str) -> Sequence[History]:
        """Return every campaign of a task, this one among them, the oldest first."""
        return self._histories(task)

    def presets(self, task: str) -> Presets:
        """Return the settings of each preset of a task, by the preset's name."""
        return self._presets(task)
