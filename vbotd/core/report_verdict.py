"""The night in one sentence: which campaign matters most, and what is true of it?"""

from __future__ import annotations

from collections import Counter

from vbotd.core.auditing import broken_incentives, stop_words
from vbotd.core.report_best import best_from, ranked
from vbotd.core.report_causes import run_causes
from vbotd.core.report_facts import Best, Facts
from vbotd.core.report_needs import event_about, gate_words
from vbotd.core.wording import clean, counted, interval, is_rate, number
from vbotd.domain import event as e
from vbotd.domain.history import CampaignRecord

FRESH_S = 24 * 3600.0  # what closed within a day matters more than what still runs


def verdict(facts: Facts) -> str:
    """Return the sentence, with the number of campaigns that it leaves out."""
    if not facts.records:
        return "Nothing happened: no campaign is open, and none has ended in the last 48 hours."
    ordered = sorted(facts.records, key=lambda record: _importance(facts, record))
    rest = Counter(record.outcome or record.status for record in ordered[1:])
    others = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in rest.items())
    return _about(facts, ordered[0]) + (f" Other campaigns: {others}." if others else "")


def _importance(facts: Facts, record: CampaignRecord) -> tuple[int, float]:
    """Return the sort key of a campaign, the most important first."""
    if record.closed_at is not None:
        fresh = facts.now - record.closed_at <= FRESH_S and record.outcome != "cancelled"
        rank = (0 if record.outcome == "reached" else 1) if fresh else 4
        return rank, -record.closed_at
    return {"paused": 2, "open": 3, "closing": 3, "scheduled": 5}.get(record.status, 5), -record.accepted_at


def _about(facts: Facts, record: CampaignRecord) -> str:
    trials = ranked(facts, record)
    best = best_from(facts, record, trials[0]) if trials else None
    if record.status == "closed":
        return _closed(facts, record, best)
    judged = sum(trial.judged for trial in facts.trials_of(record.id))
    done = f"{judged} of {counted(record.content.budget.trials, 'trial')} done"
    so_far = f", best so far {_score(best)}" if best else ", no trial has a score yet"
    if record.status == "paused":
        return (f"{record.id} is paused ({clean(record.paused_why).rstrip('.')}; "
                f"{event_about(facts, record.id, e.CampaignPaused)}), {done}{so_far}.")
    if record.status == "scheduled":
        starts = counted(record.starts, "start")
        return f"Nothing runs: {record.id} waits for its time ({schedule_words(record)}), {starts} so far."
    return f"Running: {record.id}, {done}{so_far}."


def schedule_words(record: CampaignRecord) -> str:
    """Return when a scheduled campaign starts, as its file says it."""
    schedule = record.content.schedule
    if schedule is None:
        return "no schedule"
    if schedule.every_s is not None:
        return f"every {schedule.every_s:g} s"
    return f"cron {schedule.cron}" if schedule.cron else f"at {schedule.at}"


def _closed(facts: Facts, record: CampaignRecord, best: Best | None) -> str:
    origin = event_about(facts, record.id, e.CampaignClosed)
    if best is None:
        return _nothing_to_report(facts, record, origin)
    said = _confirmed(best) if best.confirmed else f"its best trial {_score(best)}, not confirmed on fresh episodes"
    if record.outcome == "reached":
        return f"{record.id} reached its gate ({gate_words(record.content.gates)}): {said}."
    if record.outcome in ("finished", "out_of_budget") and record.content.gates:
        return (f"{record.id} ended without reaching its gate ({gate_words(record.content.gates)}; {origin}): {said}.")
    return f"{record.id} {_ended(record)} ({clean(record.why, 120)}; {origin}): {said}."


def _ended(record: CampaignRecord) -> str:
    return {"cancelled": "was cancelled", "out_of_budget": "ran out of budget", "failed": "failed"}.get(
        record.outcome or "", "is done")


def _nothing_to_report(facts: Facts, record: CampaignRecord, origin: str) -> str:
    trials = facts.trials_of(record.id)
    worst = run_causes(facts.runs_of(record.id))
    why = f" ({clean(worst[0].what, 120)}; {worst[0].examples[0]})" if worst else ""
    if record.outcome == "cancelled":
        return f"{record.id} was cancelled ({origin}) before any trial had a score."
    broken = broken_incentives(facts.runs_of(record.id), record)
    if broken:
        return f"{record.id} was stopped before any training: {clean(stop_words(broken), 400)} ({origin})."
    if not trials:
        return f"{record.id} {_ended(record)} without a trial ({clean(record.why, 120)}; {origin})."
    return f"{len(trials)} of {counted(len(trials), 'trial')} of {record.id} failed, nothing to report{why}."


def _confirmed(best: Best) -> str:
    assert best.confirmed is not None, "asked only where there is a confirmation"
    measured, name = best.confirmed, best.trial.rpartition("/")[2]
    value = number(measured.value, best.tag)
    is_success = is_rate(best.tag) and "success" in best.tag
    achieves = f"succeeds in {value} of" if is_success else f"has {best.tag} {value} over"
    said = (f"{name} {achieves} {measured.n:,} fresh episodes (95 % interval {interval(measured, best.tag)}; "
            f"{best.confirm_run})")
    return said + _over_seeds(best)


def _over_seeds(best: Best) -> str:
    """Return what the seeds that did not choose the best trial had, "" where it has none."""
    mean = best.over_report_seeds
    if mean is None:
        return f"; {best.claim}" if best.claim else ""
    shown = (f"; its settings, trained with {counted(len(best.report_runs), 'fresh seed')}: "
             f"{number(mean.value, best.tag)} (95 % interval {interval(mean, best.tag)}; {best.report_runs[0]}"
             f"{' and further' if len(best.report_runs) > 1 else ''})")
    return shown + (f", {best.claim}" if best.claim else "")


def _score(best: Best) -> str:
    return (f"{best.trial.rpartition('/')[2]} with {best.tag} {number(best.score.value, best.tag)} on the "
            f"{best.score.n:,} episodes that choose (95 % interval {interval(best.score, best.tag)}; {best.score_run})")

