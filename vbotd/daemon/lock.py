"""One daemon a workspace: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from vbotd.errors import LockHeld

PATIENCE_S = 1.0  # 'vbotd status' holds the lock for microseconds when it looks whether anybody does


class WorkspaceLock:
    """Holds `state/vbotd.lock` for the life of the process; the pid inside is for people only."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(self._descriptor, 100, 0).decode(errors="replace").strip() or "unknown"
                    os.close(self._descriptor)
                    raise LockHeld(f"another daemon ({holder}) holds {path} — only one may write the store — "
                                   "'vbotd status' reads without it") from None
                time.sleep(0.02)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"pid {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self._descriptor)


def holder_of(path: Path) -> str | None:
    """Return who holds the lock ("pid 4121, since ..."), or None when no daemon runs here."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)
