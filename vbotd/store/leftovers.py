"""What a process that died while it wrote has left behind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

STALE_S = 3600.0


def stale_files(folder: Path, now: float) -> list[Path]:
    """Return the temporaries of atomic writes that are an hour old at `now` (epoch seconds): their writers are gone."""
    found = []
    for path in sorted(folder.rglob(".*.tmp")):
        with suppress(OSError):
            if now - path.stat().st_mtime > STALE_S:
                found.append(path)
    return found
