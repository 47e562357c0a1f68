"""The event store as its one writer sees it: append facts, keep the fold cached in the same transaction."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from vbotd import failpoint
from vbotd.core.codec import dump, load, touched
from vbotd.core.state import State, fold, without_closed
from vbotd.domain import event as e
from vbotd.domain.event import Event, Stored
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run, Trial
from vbotd.errors import StoreDamaged, StoreError, StoreFull
from vbotd.store.checksum import COLUMNS, flaw_of_events
from vbotd.store.rows import row_of, stored_of
from vbotd.store.schema import DERIVED, REMEDY, connect_writer

RECORDS = {"campaign": CampaignRecord, "trial": Trial, "run": Run}  # what the tables' records are


class EventStore:
    """Appends events and holds the state that they fold to. One thread, one process.

    A commit is all or nothing: the rows of the events, of the entities that they changed and of the
    commands that they answer are written together, or StoreError is raised and `state` is as before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = connect_writer(path)
        self.state = self._load_open()

    def commit(self, events: Sequence[Event], at: float) -> tuple[Stored, ...]:
        """Write events at a time (epoch seconds) and return them with their places in the order."""
        if not events:
            return ()
        db = self._db
        try:
            failpoint.hit("commit.before")
            db.execute("BEGIN IMMEDIATE")
            seq = db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0]
            stored = tuple(Stored(seq=seq + n, at=at, event=event) for n, event in enumerate(events, start=1))
            state = fold(self.state, stored)
            _insert_events(db, stored)
            failpoint.hit("commit.after_events")
            _write_entities(db, state, stored)
            failpoint.hit("commit.before_end")
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        failpoint.hit("commit.after")
        self.state = without_closed(state)
        return stored

    def _give_up(self, error: sqlite3.Error | OSError) -> NoReturn:
        """Take a failed commit back and raise; only for want of room may it be tried again, an fsync never is."""
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
        kind = StoreFull if is_full(error) else StoreError
        raise kind(f"{self.path}: a commit failed: {error} — nothing of it was kept") from error

    def campaign_with(self, sha256: str) -> str | None:
        """Return the id of the campaign that was accepted with these very bytes."""
        row = self._db.execute("SELECT id FROM campaign WHERE sha256 = ?", (sha256,)).fetchone()
        return row[0] if row else None

    def was_refused(self, sha256: str) -> bool:
        """Say whether a file with these very bytes was refused before."""
        return self._db.execute("SELECT 1 FROM event WHERE kind = 'CampaignRefused' AND "
                                "json_extract(data, '$.sha256') = ? LIMIT 1", (sha256,)).fetchone() is not None

    def campaign_ids(self, name: str) -> frozenset[str]:
        """Return the ids in use that begin with a name, of open and of long closed campaigns."""
        rows = self._db.execute("SELECT id FROM campaign WHERE id >= ? AND id < ?", (name, name + "\U0010ffff"))
        return frozenset(row[0] for row in rows)

    def has_command(self, key: str) -> bool:
        """Say whether a command with this key was answered before."""
        return self._db.execute("SELECT 1 FROM command WHERE key = ?", (key,)).fetchone() is not None

    def last_event(self, *kinds: str) -> Stored | None:
        """Return the newest event of the given kinds."""
        marks = ",".join("?" * len(kinds))
        row = self._db.execute(f"SELECT {COLUMNS} FROM event WHERE kind IN ({marks}) ORDER BY seq DESC LIMIT 1",
                               kinds).fetchone()
        return stored_of(row, self.path) if row else None

    def unclean_starts(self, since: float) -> tuple[float, ...]:
        """Return when daemons started after one that had died without a word, from a time on (epoch seconds)."""
        rows = self._db.execute("SELECT at FROM event WHERE kind = 'DaemonStarted' AND at >= ? AND "
                                "json_extract(data, '$.clean') = 0 ORDER BY seq DESC LIMIT 1000", (since,))
        return tuple(row[0] for row in rows)

    def events(self) -> Iterator[Stored]:
        """Yield all events in their order."""
        try:
            for row in self._db.execute(f"SELECT {COLUMNS} FROM event ORDER BY seq"):
                yield stored_of(row, self.path)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(f"{self.path}: an event cannot be read: {error} — {REMEDY}") from error

    def rebuild(self) -> tuple[str, ...]:
        """Fold all events anew into the derived tables; return the rows that had been different."""
        db = self._db
        before = _derived_rows(db)
        db.execute("BEGIN IMMEDIATE")
        for table in DERIVED:
            db.execute(f"DELETE FROM {table}")
        state = State()
        for stored in self.events():
            state = fold(state, (stored,))
            _write_entities(db, state, (stored,))
            state = without_closed(state)
        after = _derived_rows(db)
        db.execute("COMMIT")
        self.state = self._load_open()
        return tuple(sorted(f"{table} {key}" for table, key in before.keys() | after.keys()
                            if before.get((table, key)) != after.get((table, key))))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _load_open(self) -> State:
        db = self._db
        try:
            campaigns = {r[0]: load(CampaignRecord, r[1]) for r in db.execute(
                "SELECT id, record FROM campaign WHERE status != 'closed' OR id IN "
                "(SELECT campaign FROM run WHERE status IN ('launching', 'running', 'stopping')) ORDER BY rowid")}
            trials: dict[str, Trial] = {}
            runs: dict[str, Run] = {}
            for campaign in campaigns:
                trials |= {r[0]: load(Trial, r[1]) for r in db.execute(
                    "SELECT id, record FROM trial WHERE campaign = ? ORDER BY number", (campaign,))}
                runs |= {r[0]: load(Run, r[1]) for r in db.execute(
                    "SELECT id, record FROM run WHERE campaign = ? ORDER BY rowid", (campaign,))}
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(f"{self.path}: the derived tables cannot be read: {error} — "
                             "run 'vbotd doctor --rebuild'") from error
        self._check_events_of(tuple(campaigns))
        return State(campaigns=campaigns, trials=trials, runs=runs)

    def _check_events_of(self, campaigns: Sequence[str]) -> None:
        """Look whether the events of campaigns are what was written: those that go on, the past would take too long."""
        marks = ",".join("?" * len(campaigns))
        try:
            flaw = flaw_of_events(self._db, f"campaign IN ({marks})", campaigns)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            flaw = f"an event cannot be read: {error}"
        if flaw:
            raise StoreDamaged(f"{self.path}: {flaw} — {REMEDY}")


def _insert_events(db: sqlite3.Connection, stored: Iterable[Stored]) -> None:
    db.executemany(f"INSERT INTO event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(row_of, stored))


def _write_entities(db: sqlite3.Connection, state: State, stored: Iterable[Stored]) -> None:
    """Write the rows of every entity that the events name, as the state has them now."""
    ids = [touched(item.event) for item in stored]
    for campaign in dict.fromkeys(i[0] for i in ids):
        record = state.campaigns.get(campaign)
        if record is not None:
            db.execute("INSERT INTO campaign VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE "
                       "SET status = ?2, record = ?4", (record.id, record.status, record.sha256, dump(record)))
    for trial_id in dict.fromkeys(i[1] for i in ids):
        trial = state.trials.get(trial_id)
        if trial is not None:
            db.execute("INSERT INTO trial VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET record = ?4",
                       (trial.id, trial.campaign, trial.number, dump(trial)))
    for run_id in dict.fromkeys(i[2] for i in ids):
        run = state.runs.get(run_id)
        if run is not None:
            db.execute("INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO UPDATE "
                       "SET status = ?8, token = ?9, record = ?10",
                       (run.id, run.campaign, run.trial, run.kind, _purpose_at_rung(run), run.seed, run.attempt,
                        run.status, run.token or None, dump(run)))
    for item in stored:
        match item.event:
            case e.CommandAccepted() as c:
                db.execute("INSERT INTO command VALUES (?, ?, ?, 1, ?, ?)",
                           (c.key, c.verb, c.principal, c.answer, item.seq))
            case e.CommandRefused() as c:
                db.execute("INSERT INTO command VALUES (?, ?, ?, 0, ?, ?)",
                           (c.key, c.verb, c.principal, c.why, item.seq))
            case e.AgentTurn() as c:
                db.execute("INSERT INTO command VALUES (?, ?, ?, 1, ?, ?)",
                           (c.key, "agent_turn", c.principal, "noted", item.seq))


def _derived_rows(db: sqlite3.Connection) -> dict[tuple[str, str], tuple[object, ...]]:
    """Return the derived rows as this version reads them: a field that is new since they were written is no drift."""
    found: dict[tuple[str, str], tuple[object, ...]] = {}
    for table in DERIVED:
        rows = db.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in rows.description]
        for row in rows:
            found[table, row[0]] = tuple(_as_read(table, *cell) for cell in zip(columns, row, strict=True))
    return found


def _as_read(table: str, column: str, value: Any) -> object:
    if column == "record" and table in RECORDS:
        with suppress(ValueError):  # what cannot be read differs from all that can
            return load(RECORDS[table], value)
    return value


def is_full(error: sqlite3.Error | OSError) -> bool:
    """Say whether a write failed for want of room."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _purpose_at_rung(run: Run) -> str:
    """Return what a run is for: an extended trial has one run of a kind and purpose a rung, which the id tells."""
    rung = re.search(r"-s\d+(-r\d+)-a\d+$", run.id)
    return run.purpose + (rung[1] if rung else "")
