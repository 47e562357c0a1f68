"""Where does the report get its facts? From short indexed queries, heartbeats and two folders; never the whole history.

Reads: `state/vbotd.db`, `state/vbotd.lock`, `state/catalogue.json`, `state/rejected/`, `runs/*/heartbeat.json`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from vbotd.core.report_facts import RECENT_S, REPORT_KINDS, Death, Facts, Heartbeat, RejectedFile
from vbotd.domain import event as e
from vbotd.domain.event import Stored
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import Direction, MetricCard
from vbotd.domain.skill import Section
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.inbox import daemon_is_running
from vbotd.store.read import Reader

MOST_CLOSED = 8  # closed campaigns in a report; older ones are for `vbotd review`
MOST_EVENTS = 200  # of each kind
MOST_DEATHS = 5
MOST_REJECTED = 20
LARGEST_CATALOGUE = 16 << 20


def gather(reader: Reader, layout: Layout, now: float, *, sections: Iterable[tuple[str, Section]] = (),
           daemon_alive: bool | None = None) -> Facts:
    """Return what the report is made of. `daemon_alive` None: look at the lock."""
    events = recent_events(reader, now)
    records = _records(reader, events, now)
    runs = tuple(run for record in records for run in reader.runs(record.id))
    return Facts(
        now=now, records=records, runs=runs,
        trials=tuple(trial for record in records for trial in reader.trials(record.id)),
        events=events, deaths=_deaths(reader, events),
        daemon_alive=daemon_is_running(layout) if daemon_alive is None else daemon_alive,
        rejected=_rejected(layout), sections=tuple(sections), heartbeats=heartbeats(layout, runs),
        metrics=metric_cards(layout), cores=cores(), utc_offset_s=utc_offset_s(now))


def recent_events(reader: Reader, now: float) -> tuple[Stored, ...]:
    """Return the events of the last two nights that a report reads, in their order."""
    # One kind a query: then the index on (kind, seq) gives the newest without a walk through the history.
    found = [stored for kind in REPORT_KINDS for stored in reader.last_events(kinds=(kind,), limit=MOST_EVENTS)
             if now - stored.at <= RECENT_S or kind == "DaemonStarted"]
    return tuple(sorted(found, key=lambda stored: stored.seq))


def heartbeats(layout: Layout, runs: Iterable[Run]) -> dict[str, Heartbeat]:
    """Return the last sign of life of each live run that has given one."""
    found = {}
    for run in runs:
        if run.is_live:
            try:
                said = read_json(layout.run(run.id) / "heartbeat.json", max_bytes=64 << 10)
            except UnreadableFile:
                continue  # the run's own trouble, told by the health rules
            if said is not None:
                found[run.id] = heartbeat_from(run.id, said)
    return found


def heartbeat_from(run: str, said: Mapping[str, Any]) -> Heartbeat:
    """Return a heartbeat from what a worker wrote; what is no number counts as not said."""
    success = _number(said.get("success_rate"))
    return Heartbeat(
        run=run, phase=str(said.get("phase", ""))[:40], env_steps=int(_number(said.get("env_steps")) or 0),
        total_env_steps=int(_number(said.get("total_env_steps")) or 0),
        env_steps_per_s=max(0.0, _number(said.get("env_steps_per_s")) or 0.0), success_rate=success,
        at=_number(said.get("at")) or 0.0)


def metric_cards(layout: Layout) -> dict[str, MetricCard] | None:
    """Return the score of each task in the kept catalogue; None where there is no catalogue."""
    try:
        kept = read_json(layout.catalogue, max_bytes=LARGEST_CATALOGUE)
    except UnreadableFile:
        return None
    if kept is None or not isinstance(kept.get("catalogue"), dict):
        return None
    cards = {}
    for task in kept["catalogue"].get("tasks", ()):
        metric = task.get("metric") or {}
        direction: Direction = "min" if metric.get("direction") == "min" else "max"
        cards[str(task.get("name"))] = MetricCard(tag=str(metric.get("tag", "eval/success_rate")),
                                                  direction=direction, unit=str(metric.get("unit", "")))
    return cards


def cores() -> int:
    """Return how many cores this process may use (containers and `taskset` allow fewer than there are)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def utc_offset_s(now: float) -> float:
    """Return how far the machine's own time zone is ahead of UTC at that moment."""
    return float(time.localtime(now).tm_gmtoff)


def _records(reader: Reader, events: Iterable[Stored], now: float) -> tuple[CampaignRecord, ...]:
    """Return the campaigns that are not closed, and the newest of those that closed lately."""
    closed = [s.event.campaign for s in events if isinstance(s.event, e.CampaignClosed)]
    found = {record.id: record for record in reader.records("scheduled", "open", "paused", "closing")}
    for campaign in closed[-MOST_CLOSED:]:
        record = reader.record(campaign)
        if record is not None and record.closed_at is not None and now - record.closed_at <= RECENT_S:
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


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
