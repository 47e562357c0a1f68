"""How does a store that an older vbotd wrote become one of now? Step by step, all of it in one transaction.

The rule this protects: before anything is changed, the store as it was is kept beside it as `vbotd.db.version-N`, whole
and on the disk, so that who goes back to the older vbotd has what that one can read. The statements of a step are
never changed once they were released; `tests/golden/store-N.db.xz` holds a store of each version.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from vbotd.store.checksum import checksum_of
from vbotd.store.files import sync_folder

log = logging.getLogger("vbotd.store")

# By the version that a step begins from.
STEPS: Mapping[int, tuple[str, ...]] = {
    1: ("""CREATE TABLE event_2 (
            seq      INTEGER PRIMARY KEY,
            at       REAL NOT NULL,
            kind     TEXT NOT NULL,
            version  INTEGER NOT NULL,
            campaign TEXT NOT NULL,
            trial    TEXT NOT NULL,
            run      TEXT NOT NULL,
            data     TEXT NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT""",
        """INSERT INTO event_2 SELECT seq, at, kind, version, campaign, trial, run, data,
            event_checksum(seq, at, kind, version, campaign, trial, run, data) FROM event ORDER BY seq""",
        "DROP TABLE event",  # with its indexes and triggers
        "ALTER TABLE event_2 RENAME TO event",
        "CREATE INDEX event_by_campaign ON event (campaign, seq)",
        "CREATE INDEX event_by_kind ON event (kind, seq)",
        """CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
            BEGIN SELECT RAISE(ABORT, 'events are never changed'); END""",
        """CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
            BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END"""),
}


def upgrade(db: sqlite3.Connection, path: Path, version: int, newest: int) -> None:
    """Bring a store from one version to another; on any error it stays what it was.

    Raises: sqlite3.Error, OSError.
    """
    copy = keep_copy(db, path, version)
    db.create_function("event_checksum", 8, checksum_of, deterministic=True)
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, newest):
            for statement in STEPS[step]:
                db.execute(statement)
        db.execute(f"PRAGMA user_version={newest}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    log.warning("action=upgrade store=%s from=%d to=%d kept=%s", path, version, newest, copy.name)


def copy_of(path: Path, version: int) -> Path:
    """Return where the store is kept as it was before it was upgraded from a version."""
    return path.with_name(f"{path.name}.version-{version}")


def keep_copy(db: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy a store as it is beside it; what stands under that name already is replaced."""
    target = copy_of(path, version)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with closing(sqlite3.connect(temporary)) as copy:
            db.backup(copy)
        descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(target)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return target
