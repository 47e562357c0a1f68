"""What stands where, right now? The few values that `vbotd status` prints, read without building the domain's.

The records are JSON, and SQLite takes out of them what is wanted: no pydantic (0.2 s of import and of building
validators), and the time depends on the open campaigns alone, never on the length of the history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from vbotd.core.heartbeat import Heartbeat
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.present import heartbeats, metric_cards, usable_cores
from vbotd.store.schema import connect_reader

MOST_CLOSED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignGlance:
    """A campaign in a line. `hours_left` None: no limit. `best` is the trial with the best selection score, "" none.

    While a campaign is open, trials of equal score are told apart by number here, and by quality in the report.
    """

    id: str
    status: str
    outcome: str
    task: str
    why: str
    trials_judged: int
    trials_failed: int
    trials_admitted: int
    trials_budget: int
    queued: int
    hours_left: float | None
    metric: str
    best: str
    score: Measurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGlance:
    """A live run in a line; `heartbeat` is None before the first."""

    id: str
    kind: str
    status: str
    threads: int
    started_at: float | None
    heartbeat: Heartbeat | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The workspace at one moment. `closed` are the last few campaigns that are over, the newest first."""

    campaigns: tuple[CampaignGlance, ...]
    closed: tuple[CampaignGlance, ...]
    runs: tuple[RunGlance, ...]
    cores: int
    last_seq: int
    last_at: float | None

    @property
    def cores_busy(self) -> int:
        """Cores that live runs hold."""
        return sum(run.threads for run in self.runs)


def glance(layout: Layout, now: float) -> Glance:
    """Return what stands where. No store yet is an empty workspace.

    Raises: StoreError when there is a store and it cannot be read.
    """
    if not layout.store.exists():
        return Glance(campaigns=(), closed=(), runs=(), cores=usable_cores(layout), last_seq=0, last_at=None)
    db = connect_reader(layout.store)
    try:
        metrics = metric_cards(layout) or {}
        last = db.execute("SELECT seq, at FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return Glance(
            campaigns=_campaigns(db, "status != 'closed' ORDER BY rowid", metrics, now),
            closed=_campaigns(db, f"status = 'closed' ORDER BY rowid DESC LIMIT {MOST_CLOSED}", metrics, now),
            runs=_live_runs(db, layout), cores=usable_cores(layout), last_seq=last[0] if last else 0,
            last_at=last[1] if last else None)
    except sqlite3.Error as error:
        raise StoreError(f"{layout.store}: cannot be read: {error} — run 'vbotd doctor'") from error
    finally:
        db.close()


_CAMPAIGN = """
SELECT id, status, record ->> '$.outcome', record ->> '$.content.task',
       coalesce(nullif(record ->> '$.why', ''), nullif(record ->> '$.paused_why', ''), record ->> '$.closing_why', ''),
       record ->> '$.content.budget.trials', record ->> '$.content.budget.hours', record ->> '$.champion'
FROM campaign WHERE """
_TRIALS = """
SELECT count(*), coalesce(sum(record ->> '$.judged'), 0),
       coalesce(sum((record ->> '$.judged') AND (record ->> '$.score') IS NULL), 0)
FROM trial WHERE campaign = ?"""
_BEST = """
SELECT id, record ->> '$.score.value' AS value, record ->> '$.score.low', record ->> '$.score.high',
       record ->> '$.score.n'
FROM trial WHERE campaign = ? AND value IS NOT NULL
ORDER BY id = ? DESC, CASE record ->> '$.verdict' WHEN 'promote' THEN 0 WHEN 'discard' THEN 2 ELSE 1 END,
         value * ? DESC, number LIMIT 1"""
_RUNS = """
SELECT min(CASE WHEN kind != 'audit' AND coalesce(record ->> '$.purpose', '') != 'preflight'
           THEN record ->> '$.launched_at' END), coalesce(sum(status = 'queued'), 0) FROM run WHERE campaign = ?"""
_LIVE = """
SELECT id, kind, status, record ->> '$.threads', record ->> '$.started_at' FROM run
WHERE status IN ('launching', 'running', 'stopping') ORDER BY rowid"""


def _campaigns(db: sqlite3.Connection, which: str, metrics: dict[str, MetricCard], now: float
               ) -> tuple[CampaignGlance, ...]:
    return tuple(_campaign(db, row, metrics, now) for row in db.execute(_CAMPAIGN + which).fetchall())


def _campaign(db: sqlite3.Connection, row: Sequence, metrics: dict[str, MetricCard], now: float) -> CampaignGlance:
    id_, status, outcome, task, why, budget, hours, champion = row
    metric = metrics.get(task, MetricCard(tag="eval/success_rate"))
    admitted, judged, failed = db.execute(_TRIALS, (id_,)).fetchone()
    started, queued = db.execute(_RUNS, (id_,)).fetchone()
    best = db.execute(_BEST, (id_, champion, 1 if metric.direction == "max" else -1)).fetchone()
    left = None if hours is None or status == "closed" else max(0.0, hours - (now - (started or now)) / 3600)
    return CampaignGlance(
        id=id_, status=status, outcome=outcome or "", task=task, why=why, trials_judged=judged, trials_failed=failed,
        trials_admitted=admitted, trials_budget=budget, queued=queued, hours_left=left, metric=metric.tag,
        best=best[0] if best else "",
        score=Measurement(value=best[1], low=best[2], high=best[3], n=best[4]) if best else None)


def _live_runs(db: sqlite3.Connection, layout: Layout) -> tuple[RunGlance, ...]:
    rows = db.execute(_LIVE).fetchall()
    beats = heartbeats(layout, (row[0] for row in rows))
    return tuple(RunGlance(id=id_, kind=kind, status=status, threads=threads, started_at=started,
                           heartbeat=beats.get(id_)) for id_, kind, status, threads, started in rows)
