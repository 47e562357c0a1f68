"""One daemon a workspace: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from vbotd.errors import LockHeld
from vbotd.store.locks import is_locked

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
        return path.read_text(errors="replace")[:100].strip() or "unknown" if is_locked(path) else None
    except OSError:
        return None
