"""Hints that something was dropped. A hint only wakes the loop, whose rescan is the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.polling import PollingObserver

log = logging.getLogger("vbotd.daemon")
CHANGES = frozenset({"created", "moved", "closed", "modified", "deleted"})


class _Waker(FileSystemEventHandler):
    """Wakes the loop. An exception here would end the observer's thread for good, so nothing else is done."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def dispatch(self, event: Any) -> None:
        if event.event_type in CHANGES:  # reading a file raises events too; they must not wake its reader
            self._wake()


class FolderWatch:
    """Watches the drop folders with inotify where that works, and leaves it to the rescan where it does not."""

    def __init__(self, folders: Iterable[Path], wake: Callable[[], None], *, how: str = "auto") -> None:
        self._folders, self._wake, self._how = tuple(folders), wake, how
        self._observer: Any = None

    def start(self) -> None:
        """Start watching; a system without watches left is told in the log and costs seconds, not files."""
        observer: Any = PollingObserver(timeout=1.0) if self._how == "polling" else Observer()
        try:
            for folder in self._folders:
                observer.schedule(_Waker(self._wake), str(folder))
            observer.start()
        except OSError as error:
            log.warning("action=watch error=%s — the inbox is looked through every second instead", error)
            return
        self._observer = observer

    def stop(self) -> None:
        """End the observer's threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2.0)
