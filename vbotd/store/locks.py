"""Does anybody hold a lock? The kernel lets go of it when its holder dies, so a held one is proof of a life."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_locked(path: Path) -> bool:
    """Say whether a process holds the lock of a file. A missing file is not locked; a file alone says nothing.

    Raises: OSError when that cannot be found out (no descriptor left, a disk that fails): unknown is not dead.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        # Shared and for a microsecond: two that look at once must not take each other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
