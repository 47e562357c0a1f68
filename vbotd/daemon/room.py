"""How `runs/` is kept under its cap: it is measured at each look, and what nothing depends on goes in time.

A look costs what the campaigns that go on have on the disk, not what all the campaigns ever had: the size of a folder
whose campaign is over is remembered, and measured anew now and then, for people delete and copy files, too.

Reads: `state/vbotd.db`, `runs/`. Writes: nothing; deletes checkpoints below `runs/`.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from vbotd.core.retention import Kept, Marks, campaign_of, marks, to_delete
from vbotd.layout import Layout
from vbotd.store.read import Reader

log = logging.getLogger("vbotd.daemon")

LOOKS_KEPT = 240  # of what was written between two looks, which says how much to expect
MEASURED_ANEW_S = 3600.0  # the folders of campaigns that are over
IN_VAIN_S = 600.0  # nothing more may go: until it is tried again


class Room:
    """Looks at the size of `runs/` and keeps it under a cap. For one thread."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._over: dict[str, int] = {}  # bytes in the folders of campaigns that are over
        self._measured_at = self._vain_at = 0.0
        self._vain: frozenset[str] = frozenset()  # what was over when nothing more could go
        self._grown: deque[int] = deque(maxlen=LOOKS_KEPT)
        self._left: int | None = None  # bytes that the last look left

    def look(self, now: float, cap_bytes: int) -> tuple[Kept, ...]:
        """Measure, and delete what must go for the cap to hold until the next look; return what went."""
        total = self._measured(now)
        if self._left is not None:
            self._grown.append(max(0, total - self._left))
        self._left = total
        levels = marks(cap_bytes, self._grown)
        over = frozenset(self._over)
        if total <= levels.high or (over <= self._vain and 0.0 <= now - self._vain_at < IN_VAIN_S):
            return ()
        gone = self._free(levels, cap_bytes)
        if self._left > levels.high:
            self._vain, self._vain_at = over, now
        return gone

    def _free(self, levels: Marks, cap_bytes: int) -> tuple[Kept, ...]:
        files, total = checkpoints_in(self._layout)
        with Reader(self._layout.store) as reader:
            records = reader.records()
            runs = (run for record in records for run in reader.runs(record.id))
            chosen = to_delete(files, total, levels.low, records, runs)
        gone = tuple(file for file in chosen if self._delete(file))
        self._left = total - sum(file.size for file in gone)
        log.log(logging.WARNING if self._left > cap_bytes else logging.INFO,
                "action=cap deleted=%d bytes=%d left=%d cap=%d", len(gone), total - self._left, self._left, cap_bytes)
        return gone

    def _delete(self, file: Kept) -> bool:
        """Delete a checkpoint; one that cannot be deleted is left for the next time."""
        self._over.pop(campaign_of(file.path), None)
        try:
            (self._layout.runs / file.path).unlink(missing_ok=True)
        except OSError as error:
            log.warning("action=cap file=%s error=%s", file.path, error)
            return False
        return True

    def _measured(self, now: float) -> int:
        """Return the bytes of everything in `runs/`."""
        if not 0.0 <= now - self._measured_at < MEASURED_ANEW_S:
            self._measured_at = now
            self._over.clear()
        names, found = _folders(self._layout)
        for gone in self._over.keys() - names:
            del self._over[gone]
        with Reader(self._layout.store) as reader:
            live = {run.campaign for run in reader.live_runs()}
            for name in names:
                # Asked before it is measured: what closes meanwhile is measured once more.
                record = None if name in self._over or name in live else reader.record(name)
                size = self._over[name] if name in self._over else sum(
                    entry.stat(follow_symlinks=False).st_size for entry in files_below(self._layout.runs / name))
                if record is not None and record.status == "closed":
                    self._over[name] = size
                found += size
        return found


def checkpoints_in(layout: Layout) -> tuple[list[Kept], int]:
    """Return the checkpoints below `runs/`, the oldest first, and the bytes of everything in it."""
    found: list[tuple[float, Kept]] = []
    total = 0
    for entry in files_below(layout.runs):
        status = entry.stat(follow_symlinks=False)
        total += status.st_size
        if entry.name.startswith("ckpt_") and entry.name.endswith(".pt"):
            path = os.path.relpath(entry.path, layout.runs)
            found.append((status.st_mtime, Kept(path=path, size=status.st_size)))
    return [file for _, file in sorted(found, key=lambda item: item[0])], total


def files_below(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries below a folder that are no folders; what disappears meanwhile is left out."""
    try:
        with os.scandir(folder) as entries:
            here = list(entries)
    except OSError:
        return
    for entry in here:
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(entry.path)
            else:
                entry.stat(follow_symlinks=False)  # kept in the entry: its second reading cannot fail
                yield entry


def _folders(layout: Layout) -> tuple[set[str], int]:
    """Return the names of the folders in `runs/`, and the bytes of what lies beside them."""
    names, loose = set(), 0
    try:
        with os.scandir(layout.runs) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names.add(entry.name)
                else:
                    loose += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return names, loose
    return names, loose
