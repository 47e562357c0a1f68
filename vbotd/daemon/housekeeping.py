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

from vbotd.daemon.room import Room
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.backup import back_up, backups
from vbotd.store.leftovers import stale_files
from vbotd.store.read import Reader

log = logging.getLogger("vbotd.daemon")

EVERY_S = 60.0
BACKUP_EVERY_S = 3600.0
LOG_BYTES = 64 << 20  # of one run's worker.log; beyond, the beginning and the end are kept
AGENT_LOG_BYTES = 8 << 20  # of what the sessions of the agent loop say, likewise
LOG_KEPT_BYTES = 1 << 20  # of each


class Housekeeping:
    """A thread that looks after the workspace until it is told to stop."""

    def __init__(self, layout: Layout, keep_gb: float) -> None:
        self.keep_gb = keep_gb
        self._layout = layout
        self._end = threading.Event()
        self._room = Room(layout)
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
        self._room.look(now, int(self.keep_gb * 2**30))


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
