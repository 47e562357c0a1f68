"""What must stay flat while daemons come and go: descriptors, memory, the disk, and the age of the report."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vbotd.store.backup import DAILY, HOURLY
from vbotd.store.views import KEPT_REPORTS

STALE_S = 60.0
SLOTS = 4
KEEP_GB = 0.75  # of which a champion of each campaign and what is open take two thirds at the end of a week
MEMORY_GROWTH = 1.1  # the second half of the time against the first
THREADS = 20


@dataclass(slots=True)
class Flat:
    """What must stay flat: the range of open descriptors, the largest of the rest, and how large memory was when."""

    descriptors: Counter[int] = field(default_factory=Counter)
    runs_bytes: int = 0
    backups: int = 0
    archived: int = 0
    stale_s: float = 0.0
    memory: list[int] = field(default_factory=list)

    @property
    def memory_growth(self) -> float:
        """The largest memory of the second half of the time against the first."""
        half = len(self.memory) // 2
        return max(self.memory[half:]) / max(self.memory[:half]) if half else 1.0


@dataclass(slots=True)
class Lived:
    """What came of it: `wrong` says in words what did not hold."""

    seconds: float
    ticks: int
    trials: int
    daemons: int
    faults: Counter[str]
    flat: Flat
    deleted_bytes: int
    wrong: tuple[str, ...]


def broken(lived: Lived) -> list[str]:
    """Return in words what was not flat."""
    flat, found = lived.flat, []
    cap = int(KEEP_GB * 2**30)
    if len(flat.descriptors) != 1:
        found.append(f"open descriptors: {dict(sorted(flat.descriptors.items()))} (how many: how often)")
    if flat.runs_bytes > cap:
        found.append(f"runs/ took {flat.runs_bytes:,} bytes; the cap is {cap:,}")
    if flat.backups > HOURLY + DAILY + 1 or flat.archived > KEPT_REPORTS:
        found.append(f"{flat.backups} backups, {flat.archived} archived reports")
    if flat.stale_s > STALE_S:
        found.append(f"the report was {flat.stale_s:.0f} s old")
    if flat.memory_growth > MEMORY_GROWTH:
        found.append(f"memory grew {flat.memory_growth:.2f}-fold in the second half")
    if threading.active_count() > THREADS:
        found.append(f"{threading.active_count()} threads are left")
    return found


def told(lived: Lived) -> str:
    """Return the figures in words."""
    flat, memory = lived.flat, lived.flat.memory or [0]
    faults = sum(count for what, count in lived.faults.items() if what != "kill")
    return (
        f"{lived.seconds / 86400.0:.1f} days of the daemon itself in {lived.ticks:,} ticks with {lived.trials} trials, "
        f"{lived.faults['kill']} kills, {faults} other faults and {lived.daemons} daemons: "
        f"{'-'.join(str(number) for number in sorted(flat.descriptors))} descriptors open throughout, memory x "
        f"{flat.memory_growth:.2f} ({memory[0] / 1e6:.0f} to {max(memory) / 1e6:.0f} MB), runs/ at most "
        f"{flat.runs_bytes / 2**20:.0f} MiB at any moment (cap {KEEP_GB * 1024:.0f}, "
        f"{lived.deleted_bytes / 2**20:,.0f} deleted), {flat.backups} backups, the report at most {flat.stale_s:.0f} s "
        "old")


def size_of(folder: Path, suffix: str = "") -> int:
    """Return the bytes of the files below a folder whose names end so."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            if name.endswith(suffix):
                with suppress(OSError):
                    total += os.lstat(os.path.join(where, name)).st_size
    return total
