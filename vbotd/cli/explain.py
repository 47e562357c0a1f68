"""`vbotd explain`: everything about one campaign, trial, run or event, and where each thing is known from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from vbotd.cli.columns import columns
from vbotd.cli.log import as_json_line, as_line
from vbotd.cli.origins import resolved
from vbotd.cli.show import coloured, json_option, local_time, measured, plain, print_json, text
from vbotd.core.codec import dump
from vbotd.core.report_best import changes_of
from vbotd.core.wording import count, counted, duration
from vbotd.domain import event as e
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.finding import resolve_id
from vbotd.store.present import metric_cards
from vbotd.store.read import Reader

MOST_EVENTS = 40
LOG_LINES = 15
LOG_BYTES = 16 << 10


@click.command("explain")
@click.argument("id", nargs=-1, required=True)
@json_option
def command(id: tuple[str, ...], as_json: bool) -> None:
    """Explain a campaign, a trial, a run or an event; a unique beginning of an ID will do.

    A campaign: its settings, each with its origin, its trials and events. A trial: who proposed it and why, its
    runs, score and verdict. A run: its life with times, how it ended, the end of its log. `123`: that event.

    \b
    --json: {"kind": "campaign"|"trial"|"run"|"event", "id", "record", ...}; a campaign has "settings" [{"key",
    "value", "origin"}] and "trials"; a trial "runs"; a run "log_tail"; all have "events". The records are those
    of vbotd.domain. An event: {"kind", "id", "event": {"seq", "at", "kind", "version", "data"}}.
    """
    layout = Layout.find()
    with Reader(layout.store) as reader:
        kind, whole = resolve_id(reader, " ".join(id))
        explained = EXPLAIN[kind](layout, reader, whole)
        values = next(explained)
        if as_json:
            print_json({"kind": kind, "id": whole, **values})
        else:
            for line in explained:
                click.echo(line)


# Each explanation yields its JSON values first, then the lines for people, so that the two cannot drift apart.
Explanation = Iterator[Any]


def explain_campaign(layout: Layout, reader: Reader, campaign: str) -> Explanation:
    """Yield what a campaign is: settings with origins, trials, events."""
    record = reader.record(campaign)
    assert record is not None, "resolved a moment ago"
    trials, runs = reader.trials(campaign), reader.runs(campaign)
    settings = resolved(record, accepted_text(reader, record), task_defaults(layout, record.content.task))
    events = reader.last_events(campaign=campaign, limit=MOST_EVENTS)
    yield {"record": as_value(record), "settings": plain(settings), "trials": [as_value(t) for t in trials],
           "runs": [run.id for run in runs], "events": [json.loads(as_json_line(s)) for s in events]}
    yield f"campaign {record.id}: {coloured(record.outcome or record.status)}"
    why = record.why or record.paused_why or record.closing_why
    if why:
        yield f"  why: {text(why, 1000)}"
    yield f"  accepted {local_time(record.accepted_at)} from {text(record.file)}" + (
        f", a start of {record.parent}" if record.parent else "") + (
        f"; closed {local_time(record.closed_at)}" if record.closed_at else "")
    if record.champion:
        yield f"  best trial: {record.champion}"
    yield from ("", columns(("setting", "value", "from"), [(s.key, text(s.value, 60), s.origin) for s in settings]))
    if trials:
        tag = _tag(layout, record)
        yield from ("", columns(("trial", "proposed by", "score (episodes that chose)", "verdict", "changed"), [
            (t.id, text(t.proposal.proposer, 30), measured(t.score, tag), t.verdict or "-",
             text(", ".join(changes_of(t)), 80)) for t in trials]))
    yield from _notes_and_events(record, events)


def explain_trial(layout: Layout, reader: Reader, trial_id: str) -> Explanation:
    """Yield what a trial is: its proposal, amendments, runs, score, verdict, events."""
    trial = reader.trial(trial_id)
    assert trial is not None, "resolved a moment ago"
    record = reader.record(trial.campaign)
    runs = [run for run in reader.runs(trial.campaign) if run.trial == trial_id]
    events = [s for s in reader.last_events(campaign=trial.campaign, limit=2000)
              if getattr(s.event, "trial", "") == trial_id]
    yield {"record": as_value(trial), "runs": [as_value(run) for run in runs],
           "events": [json.loads(as_json_line(s)) for s in events]}
    tag = _tag(layout, record) if record else ""
    yield f"trial {trial.id}: {coloured(trial.verdict or 'not judged yet')}"
    yield f"  proposed by {text(trial.proposal.proposer)}: {text(trial.proposal.why, 1000) or 'no reason given'}"
    for key, who in trial.proposal.amended_by.items():
        yield f"  amended: {text(key)} by {text(who)}"
    yield f"  changed: {text(', '.join(changes_of(trial))) or 'nothing, the defaults of the task'}"
    yield f"  score: {measured(trial.score, tag)}" + (f" ({tag}, on the episodes that choose)" if trial.score else "")
    if trial.why:
        yield f"  why: {text(trial.why)}"
    for dissent in trial.dissent:
        yield f"  dissent: {text(dissent)}"
    yield from ("", columns(("run", "kind", "seed", "status", "env steps", "time", "result"),
                            [_run_row(run, tag) for run in runs]), "")
    yield from (as_line(stored) for stored in events)


def explain_run(layout: Layout, reader: Reader, run_id: str) -> Explanation:
    """Yield the life of a run, how it ended, and the end of its log."""
    run = reader.run(run_id)
    assert run is not None, "resolved a moment ago"
    events = reader.last_events(campaign=run.campaign, run=run_id, limit=MOST_EVENTS)
    tail = log_tail(layout.run(run_id) / "worker.log")
    yield {"record": as_value(run), "log_tail": tail, "folder": str(layout.run(run_id)),
           "events": [json.loads(as_json_line(s)) for s in events]}
    yield f"run {run.id}: {coloured(run.outcome or run.status)}"
    yield f"  {run.kind} of {run.trial}, seed {run.seed}, attempt {run.attempt}" + (
        f", to {run.purpose}" if run.purpose else "") + (f", asked by {text(run.asked_by)}" if run.asked_by else "")
    yield from (f"  {line}" for line in _life(run))
    if run.checkpoint:
        yield f"  checkpoint: {text(run.checkpoint.path)} sha256 {run.checkpoint.sha256[:12]}"
    for tag, value in run.metrics.items():
        yield f"  {text(tag)}: {measured(value, tag)}"
    for finding in run.findings:
        yield f"  {finding.level} {text(finding.rule)}: {text(finding.message)}" + (
            f" — {text(finding.fix)}" if finding.fix else "")
    yield f"  folder: {layout.run(run_id)}"
    yield from ("", *(as_line(stored) for stored in events))
    if tail:
        yield from ("", f"the end of worker.log ({len(tail)} lines):", *(f"  | {line}" for line in tail))


def explain_event(layout: Layout, reader: Reader, seq: str) -> Explanation:
    """Yield one event with all its fields."""
    stored = reader.events(after=int(seq) - 1, limit=1)[0]
    value = json.loads(as_json_line(stored))
    yield {"event": value}
    yield as_line(stored)
    yield ""
    yield from (f"  {key}: {text(_plain(item), 2000)}" for key, item in value["data"].items())


EXPLAIN: Mapping[str, Callable[[Layout, Reader, str], Explanation]] = {
    "campaign": explain_campaign, "trial": explain_trial, "run": explain_run, "event": explain_event}


def as_value(record: Any) -> Any:
    """Return a domain record as JSON values."""
    return json.loads(dump(record))


def accepted_text(reader: Reader, record: CampaignRecord) -> str:
    """Return the accepted file of a campaign, that of its parent for a scheduled start."""
    for campaign in filter(None, (record.id, record.parent)):
        accepted = reader.events(campaign=campaign, kinds=("CampaignAccepted",), limit=1)
        if accepted and isinstance(accepted[0].event, e.CampaignAccepted) and accepted[0].event.text:
            return accepted[0].event.text
    return ""


def task_defaults(layout: Layout, task: str) -> dict[str, Any]:
    """Return a task's own defaults for what a campaign left open, as far as the kept catalogue knows them."""
    with suppress(UnreadableFile):
        kept = read_json(layout.catalogue, max_bytes=16 << 20) or {}
        for card in (kept.get("catalogue") or {}).get("tasks", ()):
            if card.get("name") == task:
                return {"train.env_steps": card.get("env_steps"), "train.num_envs": card.get("num_envs")}
    return {}


def log_tail(path: Path) -> list[str]:
    """Return the last lines of a log, cleaned; nothing when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            raw = file.read(LOG_BYTES)
    except OSError:
        return []
    return [text(line) for line in raw.decode(errors="replace").splitlines() if line.strip()][-LOG_LINES:]


def _tag(layout: Layout, record: CampaignRecord) -> str:
    card = (metric_cards(layout) or {}).get(record.content.task)
    return card.tag if card else "eval/success_rate"


def _run_row(run: Run, tag: str) -> tuple[str, ...]:
    result = measured(run.metrics.get(tag), tag) if tag in run.metrics else text(run.reason, 80)
    return (run.id, run.purpose or run.kind, str(run.seed), run.outcome or run.status, count(run.env_steps),
            duration(run.wall_s), result or "-")


def _life(run: Run) -> Iterator[str]:
    yield f"queued   {local_time(run.queued_at)}"
    if run.launched_at is not None:
        yield f"launched {local_time(run.launched_at)}, {counted(run.threads, 'thread')}, launch {run.launch}"
    if run.started_at is not None:
        yield f"started  {local_time(run.started_at)}, pid {run.pid}"
    if run.adopted:
        yield f"adopted  {run.adopted} times by a daemon that came back"
    if run.stop_asked_at is not None:
        yield f"stop     asked {local_time(run.stop_asked_at)}: {text(run.stop_why)}"
    if run.ended_at is not None:
        code = "exit code unknown" if run.exit_code is None else f"exit code {run.exit_code}"
        signal = f", signal {run.signal}" if run.signal else ""
        yield (f"ended    {local_time(run.ended_at)} {run.outcome}, {code}{signal}, "
               f"{count(run.env_steps)} env steps in {duration(run.wall_s)}")
        if run.reason:
            yield f"reason   {text(run.reason)}"


def _notes_and_events(record: CampaignRecord, events: Any) -> Iterator[str]:
    for note in record.notes:
        yield f"note: {text(note)}"
    yield ""
    yield from (as_line(stored) for stored in events)
    yield f"all of them: vbotd log --campaign {record.id} -n 100000"


def _plain(item: Any) -> str:
    """Return a text as it is, anything else as JSON: JSON within JSON nobody can read."""
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
