"""Where does it stand what the model has cost? In one file a day, two lines a call: set aside, then settled.

    state/agent/spent-YYYY-MM-DD.jsonl   (UTC)

The first line is on the disk before the request leaves, so a process that is killed at any moment leaves a sum that is
never too small. A line that was torn by a kill is the first line of a call that was not made, or the second one of a
call whose set-aside amount then stands: both are safe to pass over.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vbotd.core.spending import Caps, Cost, Entry, entries, why_too_much
from vbotd.errors import VbotdError
from vbotd.layout import Layout

DAYS_LOOKED_BACK = 2


class OverCap(VbotdError):
    """The next call could cost more than is left; the message says of what, and where the cap stands."""


def folder(layout: Layout) -> Path:
    """Return where the agent loop keeps its files."""
    return layout.state / "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger of a workspace. Processes may use it at the same time."""

    layout: Layout
    caps: Caps
    now: Callable[[], float] = time.time

    def reserve(self, call: str, session: str, most: Cost) -> Path:
        """Set aside the most that a call can cost, and return the file of the day on which it counts.

        Raises: OverCap, and then nothing is set aside.
        """
        path = day_file(self.layout, self.now())
        with _locked(path) as handle:
            why = why_too_much(_entries_of(handle).values(), session, most, self.caps)
            if why:
                raise OverCap(why)
            _append(handle, {"at": self.now(), "what": "reserve", "call": call, "session": session,
                             "tokens": most.tokens, "usd": most.usd})
        return path

    def settle(self, path: Path, call: str, cost: Cost, how: str) -> None:
        """Put what a call did cost in the place of what was set aside for it, in the file of its day."""
        with _locked(path) as handle:
            _append(handle, {"at": self.now(), "what": "settle", "call": call, "how": how[:200],
                             "tokens": cost.tokens, "usd": cost.usd})

    def today(self) -> dict[str, Entry]:
        """Return the calls of this day."""
        return calls_in(day_file(self.layout, self.now()))

    def unsettled(self) -> list[tuple[Path, Entry]]:
        """Return the calls of these days of which nobody wrote how they ended; who asks holds the session's lock."""
        paths = [day_file(self.layout, self.now() - 86_400 * days) for days in reversed(range(DAYS_LOOKED_BACK))]
        return [(path, entry) for path in paths for entry in calls_in(path).values() if not entry.settled]


def day_file(layout: Layout, at: float) -> Path:
    """Return the ledger of the day (UTC) of a time (epoch seconds)."""
    return folder(layout) / f"spent-{time.strftime('%Y-%m-%d', time.gmtime(at))}.jsonl"


def calls_in(path: Path) -> dict[str, Entry]:
    """Return the calls of a day's file; there are none where it is not there."""
    if not path.exists():
        return {}
    with _locked(path) as handle:
        return _entries_of(handle)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _entries_of(handle: int) -> dict[str, Entry]:
    return entries(_lines(_all_of(handle)))


def _all_of(handle: int) -> bytes:
    size = os.fstat(handle).st_size
    data = b""
    while len(data) < size and (piece := os.pread(handle, size - len(data), len(data))):
        data += piece
    return data


def _lines(data: bytes) -> Iterator[Mapping[str, Any]]:
    for line in data.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _append(handle: int, line: Mapping[str, Any]) -> None:
    size = os.fstat(handle).st_size
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    data = (b"\n" if torn else b"") + json.dumps(line, separators=(",", ":")).encode() + b"\n"
    while data:
        data = data[os.write(handle, data):]
    os.fsync(handle)
