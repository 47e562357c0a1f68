"""The event store as everybody but the daemon sees it: short queries, nothing held open between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vbotd.core.codec import load
from vbotd.domain.event import Stored
from vbotd.domain.history import CampaignRecord, History
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Run, Trial
from vbotd.errors import StoreError
from vbotd.store.checksum import columns
from vbotd.store.rows import stored_of
from vbotd.store.schema import connect_reader, version_of


class Reader:
    """Reads what is true. Every method is one or two short queries; there is no read transaction in between.

    Raises: StoreError when there is no store at `path`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = connect_reader(path)
        self._columns = columns(version_of(self._db))  # no daemon of now may have upgraded it yet

    def records(self, *statuses: str) -> tuple[CampaignRecord, ...]:
        """Return the campaigns (of the given statuses, or all), oldest first."""
        where = f" WHERE status IN ({','.join('?' * len(statuses))})" if statuses else ""
        return self._load(CampaignRecord, f"SELECT record FROM campaign{where} ORDER BY rowid", statuses)

    def record(self, campaign: str) -> CampaignRecord | None:
        """Return one campaign."""
        return self._first(self._load(CampaignRecord, "SELECT record FROM campaign WHERE id = ?", (campaign,)))

    def trials(self, campaign: str) -> tuple[Trial, ...]:
        """Return the trials of a campaign in the order of their numbers."""
        return self._load(Trial, "SELECT record FROM trial WHERE campaign = ? ORDER BY number", (campaign,))

    def trial(self, trial: str) -> Trial | None:
        """Return one trial."""
        return self._first(self._load(Trial, "SELECT record FROM trial WHERE id = ?", (trial,)))

    def runs(self, campaign: str) -> tuple[Run, ...]:
        """Return the runs of a campaign in the order they were queued."""
        return self._load(Run, "SELECT record FROM run WHERE campaign = ? ORDER BY rowid", (campaign,))

    def run(self, run: str) -> Run | None:
        """Return one run."""
        return self._first(self._load(Run, "SELECT record FROM run WHERE id = ?", (run,)))

    def live_runs(self) -> tuple[Run, ...]:
        """Return the runs whose process may exist."""
        return self._load(Run, "SELECT record FROM run WHERE status IN ('launching', 'running', 'stopping') "
                               "ORDER BY rowid", ())

    def history(self, campaign: str, task: TaskCard | None = None) -> History | None:
        """Return a campaign with its trials and runs, as a plugin is shown it."""
        record = self.record(campaign)
        if record is None:
            return None
        return History(record=record, task=task, trials=self.trials(campaign), runs=self.runs(campaign))

    def events(self, *, after: int = 0, campaign: str = "", run: str = "", kinds: Sequence[str] = (),
               limit: int = 1000) -> tuple[Stored, ...]:
        """Return events in their order, those behind `after`, at most `limit`."""
        where, values = self._where(campaign, run, kinds)
        rows = self._all(f"SELECT {self._columns} FROM event WHERE seq > ?{where} ORDER BY seq LIMIT ?",
                         (after, *values, limit))
        return tuple(stored_of(row, self._path) for row in rows)

    def last_events(self, *, campaign: str = "", run: str = "", kinds: Sequence[str] = (),
                    limit: int = 50) -> tuple[Stored, ...]:
        """Return the newest events, in their order."""
        where, values = self._where(campaign, run, kinds)
        rows = self._all(f"SELECT {self._columns} FROM event WHERE 1{where} ORDER BY seq DESC LIMIT ?",
                         (*values, limit))
        return tuple(stored_of(row, self._path) for row in reversed(rows))

    def last_seq(self, campaign: str = "") -> int:
        """Return the place of the newest event (of a campaign, its trials and runs), 0 for none."""
        where, values = self._where(campaign, "", ())
        return int(self._one(f"SELECT coalesce(max(seq), 0) FROM event WHERE 1{where}", values)[0])

    def answer(self, key: str) -> tuple[bool, str] | None:
        """Return (accepted, answer) of the command with this key, or None while it waits."""
        row = self._one("SELECT accepted, answer FROM command WHERE key = ?", (key,))
        return (bool(row[0]), row[1]) if row else None

    def command(self, key: str) -> Stored | None:
        """Return the event that answered the command with this key, or None while it waits."""
        row = self._one("SELECT seq FROM command WHERE key = ?", (key,))
        found = self.events(after=row[0] - 1, limit=1) if row else ()
        return found[0] if found else None

    def open_requests(self, limit: int = 50) -> tuple[Stored, ...]:
        """Return what agents ask of a person and nobody has decided yet, in its order, the newest at most."""
        rows = self._all("SELECT seq FROM command AS asked WHERE verb = 'request' AND NOT EXISTS (SELECT 1 FROM "
                         "command WHERE key IN (asked.key || '.approved', asked.key || '.rejected')) "
                         "ORDER BY seq DESC LIMIT ?", (limit,))
        return tuple(stored for row in reversed(rows) for stored in self.events(after=row[0] - 1, limit=1))

    def campaign_with(self, sha256: str) -> str | None:
        """Return the id of the campaign that was accepted with these very bytes."""
        row = self._one("SELECT id FROM campaign WHERE sha256 = ?", (sha256,))
        return row[0] if row else None

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: cannot be read: {error} — run 'vbotd doctor'") from error

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        rows = self._all(query, values)
        return rows[0] if rows else None

    def _load(self, kind: type, query: str, values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(load(kind, row[0]) for row in self._all(query, values))

    @staticmethod
    def _first(rows: tuple[Any, ...]) -> Any:
        return rows[0] if rows else None

    @staticmethod
    def _where(campaign: str, run: str, kinds: Sequence[str]) -> tuple[str, list[str]]:
        where = ""
        values: list[str] = []
        if campaign:
            where, values = where + " AND campaign = ?", [*values, campaign]
        if run:
            where, values = where + " AND run = ?", [*values, run]
        if kinds:
            where, values = where + f" AND kind IN ({','.join('?' * len(kinds))})", [*values, *kinds]
        return where, values


