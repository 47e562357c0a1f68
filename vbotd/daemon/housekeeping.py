"""What a daemon that runs for months does beside its work: backups, logs that stay small, runs under their cap.

It works in a thread of its own with its own connection to the store, so that the loop never waits for a large folder.
Whatever fails here is logged and tried again the next time; it never stops anything.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from vbotd.core.retention import Kept, to_delete
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.backup import back_up, backups
from vbotd.store.leftovers import stale_files
from vbotd.store.read import Reader

log = logging.getLogger("vbotd.daemon")

EVERY_S = 60.0
BACKUP_EVERY_S = 3600.0
CAP_EVERY_S = 600.0
LOG_BYTES = 64 << 20  # of one run's worker.log; beyond, the beginning and the end are kept
AGENT_LOG_BYTES = 8 << 20  # of what the sessions of the agent loop say, likewise
LOG_KEPT_BYTES = 1 << 20  # of each


class Housekeeping:
    """A thread that looks after the workspace until it is told to stop."""

    def __init__(self, layout: Layout, keep_gb: float) -> None:
        self.keep_gb = keep_gb
        self._layout = layout
        self._end = threading.Event()
        self._capped_at = 0.0
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin, with a backup if the last one is old."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a backup that is being made is finished first."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)

    def _work(self) -> None:
        while not self._end.is_set():
            try:
                self._round(time.time())
            except Exception:
                log.exception("action=housekeeping")
            self._end.wait(EVERY_S)

    def _round(self, now: float) -> None:
        newest = next(iter(backups(self._layout)), None)
        if newest is None or not 0.0 <= now - newest.at < BACKUP_EVERY_S:
            try:
                log.info("action=backup file=%s", back_up(self._layout, now).path.name)
            except StoreError as error:
                log.warning("action=backup error=%s", error)
        for path in stale_files(self._layout.state, now):
            with suppress(OSError):
                path.unlink()
        with Reader(self._layout.store) as reader:
            live = reader.live_runs()
        for run in live:
            shorten(self._layout.run(run.id) / "worker.log")
        shorten(self._layout.state / "agent" / "agent.log", AGENT_LOG_BYTES)
        if now - self._capped_at >= CAP_EVERY_S:
            self._capped_at = now
            cap(self._layout, int(self.keep_gb * 2**30))


def shorten(path: Path, most_bytes: int = 0) -> bool:
    """Cut the middle out of a log that has grown too large; its writers append, so they go on behind the end.

    `most_bytes` is the largest size that stays (0: `LOG_BYTES`).
    """
    try:
        size = path.stat().st_size
        if size <= (most_bytes or LOG_BYTES):
            return False
        with path.open("r+b") as file:
            file.seek(-LOG_KEPT_BYTES, os.SEEK_END)
            end = file.read(LOG_KEPT_BYTES)
            file.truncate(LOG_KEPT_BYTES)
            file.seek(0, os.SEEK_END)
            file.write(f"\n[vbotd: {size - 2 * LOG_KEPT_BYTES:,} bytes were cut out here]\n".encode() + end)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("action=shorten file=%s error=%s", path, error)
        return False
    return True


def cap(layout: Layout, cap_bytes: int) -> tuple[Kept, ...]:
    """Delete the checkpoints that nothing depends on until `runs/` is under its cap; return what went."""
    files, total = _measured(layout.runs)
    if total <= cap_bytes:
        return ()
    with Reader(layout.store) as reader:
        records = reader.records()
        runs = [run for record in records for run in reader.runs(record.id)]
    gone = to_delete(files, total, cap_bytes, records, runs)
    for file in gone:
        with suppress(FileNotFoundError):
            (layout.runs / file.path).unlink()
    left = total - sum(file.size for file in gone)
    log.log(logging.WARNING if left > cap_bytes else logging.INFO,
            "action=cap deleted=%d bytes=%d left=%d cap=%d", len(gone), total - left, left, cap_bytes)
    return gone


def _measured(runs: Path) -> tuple[list[Kept], int]:
    """Return the checkpoints below a folder, the oldest first, and the size of everything in it."""
    found: list[tuple[float, Kept]] = []
    total = 0
    for folder, _, names in os.walk(runs):
        for name in names:
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            total += status.st_size
            if name.startswith("ckpt_") and name.endswith(".pt"):
                found.append((status.st_mtime, Kept(path=path.relative_to(runs).as_posix(), size=status.st_size)))
    return [file for _, file in sorted(found, key=lambda item: item[0])], total
