"""What does a person need to know in the morning? `build` turns facts into the report that `WAKE_UP.md` shows.

The rule this protects: no number without its origin. Each one names the run or the event that it came from,
a selection score is never passed off as a result, and one seed is called one seed.
"""

from __future__ import annotations

from collections.abc import Iterator

from vbotd.core.auditing import clock_starts
from vbotd.core.report_best import best_trials, is_current
from vbotd.core.report_causes import causes
from vbotd.core.report_facts import BestOf, Facts, Need, Note, Report, Running, Spent
from vbotd.core.report_needs import needs
from vbotd.core.report_text import to_json, to_markdown
from vbotd.core.report_verdict import schedule_words, verdict
from vbotd.core.wording import clean, counted, when
from vbotd.domain import event as e
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run

__all__ = ["Facts", "Report", "build", "to_json", "to_markdown"]


def build(facts: Facts, bests: tuple[BestOf, ...] | None = None) -> Report:
    """Return the report on the facts. `bests` are their best trials, where they have been worked out before."""
    live = [run for run in facts.runs if run.is_live]
    wanted = needs(facts)
    return Report(
        at=facts.now, utc_offset_s=facts.utc_offset_s, verdict=verdict(facts), daemon=_daemon(facts),
        needs=wanted, bests=best_trials(facts) if bests is None else bests, causes=causes(facts),
        spent=tuple(_spent(facts)),
        running=tuple(_running(facts, run) for run in live), cores=facts.cores,
        cores_busy=sum(run.threads for run in live), sections=facts.sections, notes=_notes(facts),
        commands=tuple(_commands(facts)), fingerprint=_fingerprint(facts, wanted))


def _daemon(facts: Facts) -> str:
    started = [s for s in facts.events if isinstance(s.event, e.DaemonStarted)]
    since = f", since {when(started[-1].at, facts.utc_offset_s)} (event {started[-1].seq})" if started else ""
    if facts.daemon_alive is None:
        return f"The daemon last started{since.removeprefix(', since')}." if started else ""
    if facts.daemon_alive:
        return f"The daemon is running{since}."
    stopped = [(s, s.event.why) for s in facts.events if isinstance(s.event, e.DaemonStopped)]
    if stopped and (not started or stopped[-1][0].seq > started[-1].seq):
        last, why = stopped[-1]
        return (f"The daemon is not running: it stopped {when(last.at, facts.utc_offset_s)} "
                f"(event {last.seq}: {clean(why)}).")
    return "The daemon is not running."


def _spent(facts: Facts) -> Iterator[Spent]:
    for record in reversed(facts.records):
        if not is_current(facts, record):
            continue
        trials, runs = facts.trials_of(record.id), facts.runs_of(record.id)
        budget = record.content.budget
        yield Spent(
            campaign=record.id, status=record.outcome or record.status, trials_judged=sum(t.judged for t in trials),
            trials_admitted=len(trials), trials_budget=budget.trials, runs=len(runs),
            env_steps=sum(_env_steps(facts, run) for run in runs if run.kind == "train"),
            env_steps_budget=budget.env_steps, wall_s=sum(_wall_s(facts, run) for run in runs),
            hours_left=_hours_left(facts, record), deadline=record.content.deadline, next=_next(facts, record))


def _env_steps(facts: Facts, run: Run) -> int:
    beat = facts.heartbeats.get(run.id)
    reached = max(run.env_steps, beat.env_steps if beat and run.is_live else 0)
    return max(0, reached - run.resumed_env_steps)


def _wall_s(facts: Facts, run: Run) -> float:
    if run.is_live and run.started_at is not None:
        return max(0.0, facts.now - run.started_at)
    return run.wall_s


def _hours_left(facts: Facts, record: CampaignRecord) -> float | None:
    started = clock_starts(facts.runs_of(record.id))
    hours = record.content.budget.hours
    if hours is None or record.status == "closed":
        return None
    return hours if started is None else max(0.0, hours - (facts.now - started) / 3600)


def _next(facts: Facts, record: CampaignRecord) -> str:
    """Return what a campaign does next, in words."""
    if record.status == "closed":
        return "nothing, it is over"
    if record.status == "paused":
        return "nothing until it is resumed"
    if record.status == "scheduled":
        return f"starts by its schedule ({schedule_words(record)})"
    queued = [run.id for run in facts.runs_of(record.id) if run.status == "queued"]
    if queued:
        return f"{queued[0]}" + (f" and {len(queued) - 1} more in the queue" if len(queued) > 1 else "")
    if record.status == "closing":
        return f"finishes what is at hand and confirms the best trial ({record.closing_why})"
    left = record.content.budget.trials - len(facts.trials_of(record.id))
    return f"up to {counted(left, 'further trial')}" if left > 0 else "judges its last trials, then confirms the best"


def _running(facts: Facts, run: Run) -> Running:
    beat = facts.heartbeats.get(run.id)
    share = min(1.0, beat.env_steps / beat.total_env_steps) if beat and beat.total_env_steps > 0 else None
    return Running(
        run=run.id, kind=run.kind, status=run.status, share=share, env_steps=beat.env_steps if beat else 0,
        total_env_steps=beat.total_env_steps if beat else 0, env_steps_per_s=beat.env_steps_per_s if beat else 0.0,
        left_s=beat.remaining_s if beat else None, success_rate=beat.success_rate if beat else None,
        heartbeat_age_s=max(0.0, facts.now - beat.at) if beat else None, threads=run.threads)


def _notes(facts: Facts) -> tuple[Note, ...]:
    return tuple(Note(campaign=s.event.campaign, text=s.event.text, by=s.event.by, origin=f"event {s.seq}")
                 for s in reversed(facts.events) if isinstance(s.event, e.NoteAdded))


def _commands(facts: Facts) -> Iterator[str]:
    """Yield the commands with which to look further, those about the newest campaign with its own id."""
    champions = [record.champion for record in reversed(facts.records) if record.champion]
    if champions:
        yield f"vbotd play {champions[0]}"
    if facts.records:
        newest = facts.records[-1].id
        yield f"vbotd explain {newest}"
        yield f"vbotd log --campaign {newest}"
    yield from ("vbotd status", "vbotd report --json")


def _fingerprint(facts: Facts, wanted: tuple[Need, ...]) -> tuple[str, ...]:
    """Return what makes two reports materially different: a campaign came, ended or stands still, a need arose."""
    states = (f"{record.id} {record.status} {record.outcome or ''} {record.champion}" for record in facts.records)
    wants = (need.command for need in wanted)
    return (*states, *wants)
