"""The tables of the event store, and how a connection to it is set up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vbotd.errors import StoreDamaged, StoreError
from vbotd.store.upgrade import copy_of, upgrade

APPLICATION_ID = 0x76626F74  # "vbot"
SCHEMA_VERSION = 2  # when it is raised, add a step to upgrade.py and a store to tests/golden

SCHEMA = """
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    kind     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    campaign TEXT NOT NULL,
    trial    TEXT NOT NULL,
    run      TEXT NOT NULL,
    data     TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX event_by_campaign ON event (campaign, seq);
CREATE INDEX event_by_kind ON event (kind, seq);
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

CREATE TABLE campaign (
    id     TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('scheduled', 'open', 'paused', 'closing', 'closed')),
    sha256 TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
) STRICT;

CREATE TABLE trial (
    id       TEXT PRIMARY KEY,
    campaign TEXT NOT NULL,
    number   INTEGER NOT NULL,
    record   TEXT NOT NULL,
    UNIQUE (campaign, number)
) STRICT;

CREATE TABLE run (
    id       TEXT PRIMARY KEY,
    campaign TEXT NOT NULL,
    trial    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    seed     INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('queued', 'launching', 'running', 'stopping', 'ended')),
    token    TEXT,
    record   TEXT NOT NULL,
    UNIQUE (trial, kind, purpose, seed, attempt)
) STRICT;
CREATE INDEX run_by_campaign ON run (campaign);
CREATE UNIQUE INDEX run_token ON run (token) WHERE token IS NOT NULL;
CREATE UNIQUE INDEX one_live_run ON run (trial, kind, purpose, seed)
    WHERE status IN ('launching', 'running', 'stopping');

CREATE TABLE command (
    key       TEXT PRIMARY KEY,
    verb      TEXT NOT NULL,
    principal TEXT NOT NULL,
    accepted  INTEGER NOT NULL,
    answer    TEXT NOT NULL,
    seq       INTEGER NOT NULL
) STRICT;
"""

DERIVED = ("campaign", "trial", "run", "command")


CACHE_KIB = 2000  # of the store's pages: it fills in the first days of a daemon's life, and never grows beyond


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the store for its one writer, making it when there is none, and upgrading one that an older vbotd wrote.

    Rollback journal with synchronous=EXTRA: the write-ahead mode of the SQLite that Python 3.11 ships
    (3.40) has a known corruption window, and a few commits a second do not need it.

    Raises: StoreError when the file is damaged, is something else, or is of a newer vbotd. It is left untouched.
    """
    fresh = not path.exists() or path.stat().st_size == 0
    if fresh:
        _refuse_to_start_over(path)
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        db.execute("PRAGMA busy_timeout=5000")
        if not fresh:
            _check(db, path)
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA synchronous=EXTRA")
        db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA cell_size_check=ON")
        if fresh or version_of(db) == 0:
            db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; "
                             f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif (version := version_of(db)) < SCHEMA_VERSION:
            upgrade(db, path, version, SCHEMA_VERSION)
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(f"{path}: cannot be opened: {error} — {REMEDY}") from error
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the store for reading. Not `mode=ro`, which fails on the hot journal that a killed daemon leaves.

    Raises: StoreError when there is no store yet, or it is not readable.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no store here yet — start the daemon once with 'vbotd run'")
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
        db.execute("PRAGMA busy_timeout=5000")
        db.execute("PRAGMA query_only=ON")
        version = version_of(db)
        if version == 0:
            raise StoreError(f"{path}: the store is empty — a daemon is just making it, or died before it could; "
                             "'vbotd run' finishes that")
        if version > SCHEMA_VERSION:
            raise StoreError(_newer(path, version))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot be read: {error} — {REMEDY}") from error
    return db


REMEDY = ("nothing was changed; 'vbotd doctor --restore' puts the newest sound backup in its place and keeps this "
           "file beside it")


def _refuse_to_start_over(path: Path) -> None:
    """Refuse to make a new store where there was one: a disk that is not mounted, a file that was emptied."""
    traces = [name for name in ("backups", "campaigns") if any((path.parent / name).glob("[!.]*"))]
    if traces:
        raise StoreError(f"{path}: the store is gone, but {' and '.join(f'{name}/' for name in traces)} beside it tell "
                         "of one — is a disk not mounted? Nothing was made; 'vbotd doctor --restore' puts the newest "
                         "sound backup there. To begin anew on purpose, move the folder state/ aside")


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of the schema that a store has, 0 for one without any.

    Raises: sqlite3.DatabaseError where no vbotd wrote such a number.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version < 0:
        raise sqlite3.DatabaseError(f"its version of the schema is {version}")
    return version


def _newer(path: Path, version: int) -> str:
    return (f"{path}: was written by a newer vbotd (store version {version}, this one knows {SCHEMA_VERSION}) — "
            f"nothing was changed — upgrade vbotd{_way_back(path)}")


def _way_back(path: Path) -> str:
    """Return where the store lies as this vbotd, or an older one, had left it; "" where it is not kept."""
    kept = next((copy for version in range(SCHEMA_VERSION, 0, -1) if (copy := copy_of(path, version)).exists()), None)
    return (f"; or go back to what was before that upgrade: move {path.name} aside and put {kept.name} in its place"
            if kept else "")


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = version_of(db)
    if version > SCHEMA_VERSION:
        raise StoreError(_newer(path, version))
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and tables:
        raise StoreError(f"{path}: is a database, but not a vbotd store — {REMEDY}")
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreDamaged(f"{path}: is damaged ({verdict}) — {REMEDY}")
