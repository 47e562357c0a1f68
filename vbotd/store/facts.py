"""Where does the report get its facts? From short indexed queries, heartbeats and two folders; never the whole history.

Reads: `state/vbotd.db`, `state/vbotd.lock`, `state/catalogue.json`, `state/rejected/`, `runs/*/heartbeat.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vbotd.core.report_best import best_of_campaign, is_current
from vbotd.core.report_facts import RECENT_S, REPORT_KINDS, BestOf, Death, Facts, RejectedFile
from vbotd.domain import event as e
from vbotd.domain.event import Stored
from vbotd.domain.history import CampaignRecord
from vbotd.domain.skill import Section
from vbotd.domain.trial import Run, Trial
from vbotd.layout import Layout
from vbotd.store.inbox import daemon_is_running
from vbotd.store.present import heartbeats, score_cards, usable_cores, utc_offset_s
from vbotd.store.read import Reader

MOST_CLOSED = 8  # closed campaigns in a report; older ones are for `vbotd review`
MOST_EVENTS = 100  # of each kind
MOST_DEATHS = 5
MOST_REJECTED = 20
READ_ANEW_S = 600.0  # though nothing has happened: what is too old for a report leaves it, and damage is noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a report reads from the store, as it stood at an event."""

    records: tuple[CampaignRecord, ...]
    trials: tuple[Trial, ...]
    runs: tuple[Run, ...]
    events: tuple[Stored, ...]
    deaths: tuple[Death, ...]
    requests: tuple[Stored, ...]


@dataclass(slots=True)
class Known:
    """What the last report was made of: read and worked out again only where something has happened since.

    For one store; it holds no more than a report does.
    """

    read_at: float = 0.0
    seq: int = -1
    past: Past | None = None
    campaigns: dict[str, tuple[int, tuple[Trial, ...], tuple[Run, ...]]] = field(default_factory=dict)
    # By campaign: what was read of it, the metrics that it was judged by, and its best trials.
    bests: dict[str, tuple[object, object, BestOf | None]] = field(default_factory=dict)
    told: dict[str, tuple[BestOf, Any]] = field(default_factory=dict)  # by campaign, as JSON without the secrets
    secrets: tuple[str, ...] = ()
    shown: Past | None = None  # what the files of the campaigns show
    fingerprint: Sequence[str] | None = None  # of the report that was written last

    def past_at(self, reader: Reader, now: float) -> Past:
        """Return what the store holds for a report: what is known, unless something has happened or it is old."""
        # Order: the place first, so that what happens meanwhile is read again next time.
        seq = reader.last_seq()
        if self.past is None or seq != self.seq or not 0.0 <= now - self.read_at < READ_ANEW_S:
            self.past = self._read(reader, now)
            self.seq, self.read_at = seq, now
        return self.past

    def bests_of(self, facts: Facts) -> tuple[BestOf, ...]:
        """Return the best trials of the campaigns in the facts, which were gathered last."""
        found = {}
        for record in reversed(facts.records):
            if is_current(facts, record):
                read, cards = self.campaigns[record.id], (facts.metric_of(record), facts.quality_of(record))
                known = self.bests.get(record.id)
                is_known = known is not None and known[0] is read and known[1] == cards
                found[record.id] = known if known and is_known else (read, cards, best_of_campaign(facts, record))
        self.bests = found
        return tuple(best for _, _, best in found.values() if best is not None)

    def hide(self, secrets: tuple[str, ...]) -> None:
        """Take note of what nothing may tell: what was made with other secrets is made anew."""
        if secrets != self.secrets:
            self.secrets, self.shown = secrets, None
            self.told.clear()

    def _read(self, reader: Reader, now: float) -> Past:
        events = recent_events(reader, now)
        records = _records(reader, events, now)
        self._refresh(reader, (record.id for record in records))
        return Past(
            records=records, events=events, deaths=_deaths(reader, events), requests=reader.open_requests(),
            trials=tuple(trial for _, some, _ in self.campaigns.values() for trial in some),
            runs=tuple(run for _, _, some in self.campaigns.values() for run in some))

    def _refresh(self, reader: Reader, campaigns: Iterable[str]) -> None:
        """Read the trials and runs of these campaigns, and forget all others."""
        found = {}
        for campaign in campaigns:
            known = self.campaigns.get(campaign)
            seq = reader.last_seq(campaign)
            found[campaign] = known if known is not None and known[0] == seq else (
                seq, reader.trials(campaign), reader.runs(campaign))
        self.campaigns = found


def gather(reader: Reader, layout: Layout, now: float, *, sections: Iterable[tuple[str, Section]] = (),
           daemon_alive: bool | None = None, known: Known | None = None) -> Facts:
    """Return what the report is made of. `daemon_alive` None: look at the lock. `known` is brought up to date."""
    past = (known or Known()).past_at(reader, now)
    metrics, qualities = score_cards(layout)
    return Facts(
        now=now, records=past.records, runs=past.runs, trials=past.trials, events=past.events, deaths=past.deaths,
        daemon_alive=daemon_is_running(layout) if daemon_alive is None else daemon_alive,
        rejected=_rejected(layout), sections=tuple(sections), requests=past.requests,
        heartbeats=heartbeats(layout, (run.id for run in past.runs if run.is_live)),
        metrics=metrics, qualities=qualities, cores=usable_cores(layout), utc_offset_s=utc_offset_s(now))


def recent_events(reader: Reader, now: float) -> tuple[Stored, ...]:
    """Return the events of the last two nights that a report reads, in their order."""
    # One kind a query: then the index on (kind, seq) gives the newest without a walk through the history.
    found = [stored for kind in REPORT_KINDS for stored in reader.last_events(kinds=(kind,), limit=MOST_EVENTS)
             if now - stored.at <= RECENT_S or kind == "DaemonStarted"]
    return tuple(sorted(found, key=lambda stored: stored.seq))


def _records(reader: Reader, events: Iterable[Stored], now: float) -> tuple[CampaignRecord, ...]:
    """Return the campaigns that are not closed, and the newest of those that closed lately."""
    closed = [s.event.campaign for s in events if isinstance(s.event, e.CampaignClosed)]
    found = {record.id: record for record in reader.records("scheduled", "open", "paused", "closing")}
    for campaign in closed[-MOST_CLOSED:]:
        record = reader.record(campaign)
        if record is not None and record.closed_at is not None and now - record.closed_at <= RECENT_S:
            found[record.id] = record
    # A campaign that is over, and a process of it that is not, is not passed over in silence.
    for campaign in {run.campaign for run in reader.live_runs()} - found.keys():
        record = reader.record(campaign)
        if record is not None:
            found[record.id] = record
    return tuple(sorted(found.values(), key=lambda record: record.accepted_at))


def _deaths(reader: Reader, events: Iterable[Stored]) -> tuple[Death, ...]:
    """Return when daemons died without a word, each with the last event before and the start after it."""
    starts = [s for s in events if isinstance(s.event, e.DaemonStarted) and not s.event.clean]
    found = []
    for start in starts[-MOST_DEATHS:]:
        before = reader.events(after=start.seq - 2, limit=1)
        if before and before[0].seq < start.seq:
            found.append(Death(last_seq=before[0].seq, last_at=before[0].at, back_seq=start.seq, back_at=start.at))
    return tuple(found)


def _rejected(layout: Layout) -> tuple[RejectedFile, ...]:
    """Return the refused files that still lie there, the newest first."""
    try:
        with os.scandir(layout.rejected) as entries:
            found = [RejectedFile(name=entry.name, why=f"{entry.name}.why.md", at=entry.stat().st_mtime)
                     for entry in entries if not entry.name.startswith(".") and not entry.name.endswith(".why.md")
                     and entry.is_file(follow_symlinks=False)]
    except OSError:
        return ()
    return tuple(sorted(found, key=lambda file: -file.at)[:MOST_REJECTED])
