"""The tables of the event store, and how a connection to it is set up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vbotd.errors import StoreError

APPLICATION_ID = 0x76626F74  # "vbot"
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    kind     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    campaign TEXT NOT NULL,
    trial    TEXT NOT NULL,
    run      TEXT NOT NULL,
    data     TEXT NOT NULL
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


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the store for its one writer, making it when there is none.

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
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA cell_size_check=ON")
        if fresh or _version(db) == 0:
            db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; "
                             f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    except (sqlite3.Error, UnicodeDecodeError) as error:
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
        version = _version(db)
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


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _newer(path: Path, version: int) -> str:
    return (f"{path}: was written by a newer vbotd (store version {version}, this one knows {SCHEMA_VERSION}) — "
            "nothing was changed — upgrade vbotd")


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version > SCHEMA_VERSION:
        raise StoreError(_newer(path, version))
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and tables:
        raise StoreError(f"{path}: is a database, but not a vbotd store — {REMEDY}")
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreError(f"{path}: is damaged ({verdict}) — {REMEDY}")
