"""Copies of the event store that were opened and checked, and how one takes the place of a damaged store.

Writes: `state/backups/vbotd-<UTC time>.db`, each under a temporary name until it is whole and verified.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vbotd import failpoint
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.checksum import flaw_of_events
from vbotd.store.files import sync_folder
from vbotd.store.schema import APPLICATION_ID, SCHEMA_VERSION

HOURLY, DAILY = 24, 7  # how many are kept: the newest of each of the last hours, then of each of the last days
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy of the store: where, and when it was made (epoch seconds)."""

    path: Path
    at: float


def back_up(layout: Layout, now: float) -> Backup:
    """Copy the store as it stands, check the copy, keep it, and drop the older ones that nobody needs.

    Raises: StoreError when the store cannot be read, the copy is not sound, or there is no room for it.
    """
    layout.backups.mkdir(parents=True, exist_ok=True)
    target = layout.backups / f"vbotd-{datetime.fromtimestamp(now, UTC).strftime(STAMP)}.db"
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with closing(sqlite3.connect(layout.store, timeout=5.0)) as source, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
        problem = flaw(temporary)
        if problem:
            raise StoreError(f"{temporary.name}: the copy is not sound: {problem}")
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        failpoint.hit("backup.before_rename")
        temporary.rename(target)
        sync_folder(layout.backups)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{target}: no backup was made: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    for old in surplus(backups(layout), now):
        with suppress(OSError):
            old.path.unlink()
    return Backup(path=target, at=now)


def backups(layout: Layout) -> tuple[Backup, ...]:
    """Return the backups that are there, the newest first."""
    found = []
    for path in layout.backups.glob("vbotd-*.db"):
        with suppress(ValueError):
            made = datetime.strptime(path.stem.removeprefix("vbotd-"), STAMP).replace(tzinfo=UTC)
            found.append(Backup(path=path, at=made.timestamp()))
    return tuple(sorted(found, key=lambda backup: -backup.at))


def surplus(found: tuple[Backup, ...], now: float) -> tuple[Backup, ...]:
    """Return the backups that are neither the newest of one of the last hours nor of one of the last days."""
    kept: dict[tuple[str, int], Backup] = {}
    for backup in found:  # the newest first
        age_s = max(0.0, now - backup.at)
        for unit, length_s, most in (("hour", 3600.0, HOURLY), ("day", 86400.0, DAILY)):
            if age_s < length_s * most:
                kept.setdefault((unit, int(backup.at // length_s)), backup)
    newest = found[:1]  # whatever the clock says
    return tuple(backup for backup in found if backup not in kept.values() and backup not in newest)


def flaw(path: Path) -> str:
    """Return what is wrong with a file as an event store of ours, "" where it is sound."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                return "it is no vbotd store"
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if not 0 < version <= SCHEMA_VERSION:
                return f"its version is {version}, this vbotd knows {SCHEMA_VERSION}"
            verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            return flaw_of_events(db) if verdict == "ok" else str(verdict)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return str(error)


def restore(layout: Layout) -> tuple[Backup, Path | None]:
    """Put the newest sound backup in the place of the store; the damaged one is kept beside it.

    Returns: the backup, and where the damaged store lies now (None: there was none).
    Raises: StoreError when no backup is sound. Nothing is changed then.
    """
    chosen = next((backup for backup in backups(layout) if not flaw(backup.path)), None)
    if chosen is None:
        raise StoreError(f"{layout.backups}: there is no sound backup — nothing was changed")
    aside = None
    if layout.store.exists():
        aside = layout.store.with_name(f"vbotd.db.damaged-{datetime.fromtimestamp(time.time(), UTC).strftime(STAMP)}")
        layout.store.rename(aside)
    journal = layout.store.with_name(layout.store.name + "-journal")
    if journal.exists():  # it belongs to the damaged one, and would be rolled back into the copy
        journal.rename(journal.with_name((aside or layout.store).name + "-journal"))
    with closing(sqlite3.connect(chosen.path)) as source, closing(sqlite3.connect(layout.store)) as copy:
        source.backup(copy)
    sync_folder(layout.state)
    return chosen, aside
