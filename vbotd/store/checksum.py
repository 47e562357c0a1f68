"""How is a flipped bit noticed that leaves an event readable? By a sum over its row that was written with it.

The rule this protects: an event is told as it was committed, or not at all. The sum is a CRC-32, which misses no burst
of up to 32 bits; it guards against disks and memory, not against people who may write the file anyway.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

A_PAGE = 5_000
SINCE_VERSION = 2  # of the schema; the events of an older store have no sum
COLUMNS = "seq, at, kind, version, campaign, trial, run, data, checksum"


def columns(schema_version: int) -> str:
    """Return the columns of an event's row to select in a store of a version, in the order of `COLUMNS`."""
    return COLUMNS if schema_version >= SINCE_VERSION else COLUMNS.replace("checksum", "NULL")


def checksum_of(seq: int, at: float, kind: str, version: int, campaign: str, trial: str, run: str, data: str) -> int:
    """Return the sum over everything else in an event's row, as an unsigned number of 32 bits."""
    return zlib.crc32(f"{seq}\n{at!r}\n{kind}\n{version}\n{campaign}\n{trial}\n{run}\n{data}".encode())


def is_whole(row: Sequence[Any]) -> bool:
    """Say whether a row (its `COLUMNS`) is what was written; one without a sum is taken as it is."""
    return row[8] is None or row[8] == checksum_of(*row[:8])


def flaw_of_events(db: sqlite3.Connection, where: str = "1", values: Sequence[Any] = ()) -> str:
    """Return what is wrong with the events of a store, "" for nothing: a sum that does not fit, or one that is missing.

    `where` chooses events, with its `values`; only without it is it seen that one is missing.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    # A page at a time: whoever reads holds up the daemon's commits.
    page = f"SELECT {columns(version)} FROM event WHERE {where} AND seq > ? ORDER BY seq LIMIT {A_PAGE}"
    last = 0
    while rows := db.execute(page, (*values, last)).fetchall():
        for row in rows:
            if where == "1" and row[0] != last + 1:
                return f"event {last + 1} is missing"
            if not is_whole(row):
                return f"event {row[0]} ({row[2]}) is not what was written: its checksum does not fit"
            last = row[0]
    return ""
