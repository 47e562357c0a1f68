"""What stands where, right now? The few values that `vbotd status` prints, read without building the domain's.

The records are JSON, and SQLite takes out of them what is wanted: no pydantic (0.2 s of import and of building
validators), and the time depends on the open campaigns alone, never on the length of the history. Which trial is the
best is asked of the one rule for that, which is shown as much of trials and runs as it looks at.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from vbotd.core.heartbeat import Heartbeat
from vbotd.core.ranking import contenders, in_order, qualities
from vbotd.core.verdict.lengths import SCORE
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.trial import Proposal, Run, Trial
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.present import heartbeats, score_cards, usable_cores
from vbotd.store.schema import connect_reader

MOST_CLOSED = 5
# The score of each task of the catalogue (None: there is no catalogue), and the quality of those with one.
Cards = tuple[dict[str, MetricCard] | None, dict[str, MetricCard]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignGlance:
    """A campaign in a line. `hours_left` None: no limit. `best` is the champion, else who would be it now, "" none."""

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
        cards = score_cards(layout)
        last = db.execute("SELECT seq, at FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return Glance(
            campaigns=_campaigns(db, "status != 'closed' ORDER BY rowid", cards, now),
            closed=_campaigns(db, f"status = 'closed' ORDER BY rowid DESC LIMIT {MOST_CLOSED}", cards, now),
            runs=_live_runs(db, layout), cores=usable_cores(layout), last_seq=last[0] if last else 0,
            last_at=last[1] if last else None)
    except sqlite3.Error as error:
        raise StoreError(f"{layout.store}: cannot be read: {error} — run 'vbotd doctor'") from error
    finally:
        db.close()


_CAMPAIGN = """
SELECT id, status, record ->> '$.outcome', record ->> '$.content.task',
       coalesce(nullif(record ->> '$.why', ''), nullif(record ->> '$.paused_why', ''), record ->> '$.closing_why', ''),
       record ->> '$.content.budget.trials', record ->> '$.content.budget.hours', record ->> '$.champion',
       coalesce(record -> '$.content.stages', '[]')
FROM campaign WHERE """
_TRIALS = """
SELECT count(*), coalesce(sum(record ->> '$.judged'), 0),
       coalesce(sum((record ->> '$.judged') AND (record ->> '$.score') IS NULL), 0)
FROM trial WHERE campaign = ?"""
_SCORED = """
SELECT id, number, coalesce(record ->> '$.stage', ''), record ->> '$.verdict', coalesce(record -> '$.seeds', '[]'),
       record -> '$.score'
FROM trial WHERE campaign = ? AND record ->> '$.score' IS NOT NULL AND id = coalesce(nullif(?, ''), id)
ORDER BY number"""
_EVALUATED = """
SELECT id, trial, record ->> '$.seed', record -> '$.metrics' FROM run
WHERE campaign = ? AND kind = 'evaluate' AND record ->> '$.purpose' = ? AND record ->> '$.outcome' = 'finished'
ORDER BY rowid"""
_RUNS = """
SELECT min(CASE WHEN kind != 'audit' AND coalesce(record ->> '$.purpose', '') != 'preflight'
           THEN record ->> '$.launched_at' END), coalesce(sum(status = 'queued'), 0) FROM run WHERE campaign = ?"""
_LIVE = """
SELECT id, kind, status, record ->> '$.threads', record ->> '$.started_at' FROM run
WHERE status IN ('launching', 'running', 'stopping') ORDER BY rowid"""


def _campaigns(db: sqlite3.Connection, which: str, cards: Cards, now: float) -> tuple[CampaignGlance, ...]:
    return tuple(_campaign(db, row, cards, now) for row in db.execute(_CAMPAIGN + which).fetchall())


def _campaign(db: sqlite3.Connection, row: Sequence, cards: Cards, now: float) -> CampaignGlance:
    id_, status, outcome, task, why, budget, hours, champion, stages = row
    metric = (cards[0] or {}).get(task, MetricCard(tag="eval/success_rate"))
    admitted, judged, failed = db.execute(_TRIALS, (id_,)).fetchone()
    started, queued = db.execute(_RUNS, (id_,)).fetchone()
    trials = contenders(_scored(db, id_, champion), [stage["name"] for stage in json.loads(stages)])
    best = _best(db, trials, metric, cards[1].get(task)) if trials else None
    left = None if hours is None or status == "closed" else max(0.0, hours - (now - (started or now)) / 3600)
    return CampaignGlance(
        id=id_, status=status, outcome=outcome or "", task=task, why=why, trials_judged=judged, trials_failed=failed,
        trials_admitted=admitted, trials_budget=budget, queued=queued, hours_left=left, metric=metric.tag,
        best=best.id if best else "", score=best.score if best else None)


def _best(db: sqlite3.Connection, trials: Sequence[Trial], metric: MetricCard, quality: MetricCard | None) -> Trial:
    """Return the best of some scored trials of a campaign."""
    is_asked = quality is not None and len(trials) > 1
    measured = qualities(trials, _evaluated(db, trials[0].campaign), quality) if is_asked else {}
    return in_order(trials, metric, quality, measured)[0]


def _scored(db: sqlite3.Connection, campaign: str, champion: str) -> tuple[Trial, ...]:
    """Return the scored trials of a campaign in the order of their numbers, with what says which is the best.

    Where there is a champion, that one alone.
    """
    return tuple(
        Trial(id=id_, campaign=campaign, number=number, proposal=Proposal(params={}, proposer=""), params={},
              admitted_at=0.0, judged=True, stage=stage, verdict=verdict, seeds=tuple(json.loads(seeds)),
              score=Measurement(**json.loads(score)))
        for id_, number, stage, verdict, seeds, score in db.execute(_SCORED, (campaign, champion)).fetchall())


def _evaluated(db: sqlite3.Connection, campaign: str) -> tuple[Run, ...]:
    """Return the evaluations of a campaign that scores are from, in their order, with what they measured."""
    return tuple(
        Run(id=id_, campaign=campaign, trial=trial, kind="evaluate", purpose=SCORE, seed=seed, attempt=1,
            status="ended", queued_at=0.0, outcome="finished",
            metrics={tag: Measurement(**measured) for tag, measured in json.loads(metrics or "{}").items()})
        for id_, trial, seed, metrics in db.execute(_EVALUATED, (campaign, SCORE)).fetchall())


def _live_runs(db: sqlite3.Connection, layout: Layout) -> tuple[RunGlance, ...]:
    rows = db.execute(_LIVE).fetchall()
    beats = heartbeats(layout, (row[0] for row in rows))
    return tuple(RunGlance(id=id_, kind=kind, status=status, threads=threads, started_at=started,
                           heartbeat=beats.get(id_)) for id_, kind, status, threads, started in rows)
