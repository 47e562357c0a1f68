"""`vbotd review`: one page to read before starting on a task, so that no night repeats an old one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from vbotd.cli.columns import columns
from vbotd.cli.show import coloured, json_option, local_time, measured, now, plain, print_json, text
from vbotd.core.advance import FAILURES_IN_A_ROW, REFUSALS_PER_TRIAL
from vbotd.core.report_best import best_from, changes_of, ranked
from vbotd.core.report_causes import run_causes
from vbotd.core.report_facts import Best, Cause, Facts
from vbotd.core.report_needs import gate_words
from vbotd.core.wording import counted
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Trial
from vbotd.errors import NotFound
from vbotd.layout import Layout
from vbotd.store.present import score_cards
from vbotd.store.read import Reader

MOST_CAMPAIGNS = 15
MOST_IDEAS = 12
MOST_CAUSES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A task's past: its last campaigns, the best trial of each, what was tried, what broke, what guards it."""

    task: str
    campaigns: tuple[dict[str, object], ...]
    best: Best | None
    ideas: tuple[dict[str, object], ...]
    verdicts: dict[str, int]
    failures: tuple[Cause, ...]
    safeguards: tuple[str, ...]


@click.command("review")
@click.argument("task", required=False, default="")
@json_option
def command(task: str, as_json: bool) -> None:
    """Review what was tried on a TASK (default: the task of the newest campaign) and what came of it.

    \b
    --json: {"version": 1, "task", "campaigns": [{"id", "outcome", "why", "trials", "best", "score"}], "best",
             "ideas": [{"trial", "proposer", "changed", "why", "score", "verdict", "because"}], "verdicts":
             {verdict: count}, "failures": [{"kind", "what", "count", "examples"}], "safeguards": [...]}
    """
    layout = Layout.find()
    with Reader(layout.store) as reader:
        reviewed = review(layout, reader, task)
    if as_json:
        print_json({"version": 1, **plain(reviewed)})
    else:
        click.echo("\n".join(lines(reviewed)))


def review(layout: Layout, reader: Reader, task: str) -> Reviewed:
    """Return a task's past, its last campaigns at most.

    Raises: NotFound when no campaign had this task.
    """
    records = reader.records()
    task = task or (records[-1].content.task if records else "")
    own = [record for record in records if record.content.task == task][-MOST_CAMPAIGNS:]
    if not own:
        from vbotd.cli.commanding import not_found_message
        known = list(dict.fromkeys(record.content.task for record in records))
        raise NotFound(not_found_message("campaign on task", task, known, "'vbotd tasks' lists what can be trained"))
    metrics, qualities = score_cards(layout)
    facts = Facts(now=now(), records=tuple(own), metrics=metrics, qualities=qualities,
                  trials=tuple(t for record in own for t in reader.trials(record.id)),
                  runs=tuple(r for record in own for r in reader.runs(record.id)))
    tops = [best_from(facts, record, trials[0]) for record in own if (trials := ranked(facts, record))]
    sign = 1.0 if facts.metric_of(own[0]).direction == "max" else -1.0
    # A confirmed number counts before one that was chosen for being high.
    best = max(tops, key=lambda b: (b.confirmed is not None, sign * (b.confirmed or b.score).value), default=None)
    return Reviewed(
        task=task, campaigns=tuple(_campaign(facts, record) for record in own), best=best,
        ideas=tuple(_idea(trial) for trial in _by_score(facts, sign)[:MOST_IDEAS]),
        verdicts=dict(Counter(trial.verdict or "not judged" for trial in facts.trials)),
        failures=run_causes(facts.runs)[:MOST_CAUSES], safeguards=safeguards(own[-1]))


def safeguards(record: CampaignRecord) -> tuple[str, ...]:
    """Return what guards a campaign of this kind, and what its newest file has overruled."""
    content = record.content
    return (
        f"a trial is scored on {content.evaluate.episodes} held-out episodes, never by its training reward; the best "
        "one is measured again on fresh episodes",
        f"a campaign pauses after {FAILURES_IN_A_ROW} failed trials in a row, or after {REFUSALS_PER_TRIAL} refused "
        "proposals for each trial of its budget",
        "a run that puts not-a-number into its series is stopped; a failed run has no score",
        f"gate of {record.id}: {gate_words(content.gates) or 'none'} (the careful end of the interval has to pass)",
        f"findings overruled by {record.id}: {', '.join(content.allow) or 'none'}",
    )


def lines(reviewed: Reviewed) -> Iterator[str]:
    """Yield the page."""
    yield f"# {text(reviewed.task)}: {counted(len(reviewed.campaigns), 'campaign')}"
    yield ""
    yield columns(("campaign", "accepted", "outcome", "trials", "best (episodes that chose)", "why"), [
        (str(c["id"]), local_time(c["accepted_at"], "%Y-%m-%d"), str(c["outcome"]), str(c["trials"]),  # type: ignore[arg-type]
         str(c["score_words"]), text(c["why"], 60)) for c in reviewed.campaigns])
    yield from ("", *_best_lines(reviewed.best))
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in reviewed.verdicts.items())
    yield from ("", f"ideas tried ({verdicts or 'none'}), the best first:")
    for idea in reviewed.ideas:
        yield (f"  {idea['trial']}  {coloured(str(idea['verdict']))}  {text(idea['changed'], 80)}  "
               f"[{text(idea['proposer'], 30)}: {text(idea['why'], 60)}]  {text(idea['because'], 100)}")
    yield from ("", "known failures:" if reviewed.failures else "known failures: none")
    for cause in reviewed.failures:
        yield f"  {cause.count} x {text(cause.what)} ({', '.join(cause.examples)})"
    yield from ("", "safeguards:", *(f"  - {line}" for line in reviewed.safeguards))


def _best_lines(best: Best | None) -> Iterator[str]:
    if best is None:
        yield "best so far: no trial has a score"
        return
    if best.confirmed is not None:
        yield f"best on fresh episodes: {best.tag} {measured(best.confirmed, best.tag)} ({best.confirm_run})"
    yield (f"{'chosen by' if best.confirmed else 'best, not confirmed'}: {best.tag} {measured(best.score, best.tag)} "
           f"({best.score_run}), {counted(best.seeds, 'seed')}")
    yield f"its settings: {text(', '.join(best.changes)) or 'the defaults of the task'}"
    yield f"go on from it: vbotd train --from {best.trial}"


def _campaign(facts: Facts, record: CampaignRecord) -> dict[str, object]:
    trials = facts.trials_of(record.id)
    top = ranked(facts, record)
    tag = facts.metric_of(record).tag
    return {"id": record.id, "accepted_at": record.accepted_at, "outcome": record.outcome or record.status,
            "why": record.why or record.paused_why, "trials": len(trials), "best": top[0].id if top else "",
            "score": plain(top[0].score) if top else None,
            "score_words": measured(top[0].score, tag) if top else "none"}


def _by_score(facts: Facts, sign: float) -> Sequence[Trial]:
    return sorted(facts.trials, key=lambda t: (t.score is None, -sign * t.score.value if t.score else 0.0, t.id))


def _idea(trial: Trial) -> dict[str, object]:
    return {"trial": trial.id, "proposer": trial.proposal.proposer, "changed": ", ".join(changes_of(trial)),
            "why": trial.proposal.why, "score": plain(trial.score), "verdict": trial.verdict or "not judged",
            "because": trial.why}
