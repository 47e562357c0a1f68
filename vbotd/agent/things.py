"""What campaigns, trials and runs are there, what is one of them, and what was found about it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from vbotd.agent.numbers import clock, measured, metrics_of, page, setting_of, short
from vbotd.agent.registry import Arguments, Context, Id, Result, Tool
from vbotd.agent.untrusted import Data, fence, show_tag
from vbotd.core.report_best import changes_of
from vbotd.core.report_needs import gate_words
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run, Trial
from vbotd.store.finding import resolve_id
from vbotd.store.read import Reader

MOST_FINDINGS = 40


class ListArguments(Arguments):
    """Which things to list; `campaign` for trials and runs (default: the newest)."""

    what: Literal["campaigns", "trials", "runs"]
    campaign: str = Field(default="", max_length=200)
    status: str = Field(default="", max_length=30, description="only of this status, outcome or verdict")
    after: str = Field(default="", max_length=200, description="`next` of the page before")
    limit: int = Field(default=20, ge=1, le=50)


class Item(Result):
    """A thing in a line."""

    id: str
    status: str
    score: str = ""
    about: Data = ""


class Listed(Result):
    """A page of things, the newest campaigns first, trials and runs in their order. `next` "" where nothing follows.

    `instead` counts the things by status where none has the one that was asked for.
    """

    total: int
    items: list[Item] = Field(default=[])
    next: str = ""
    instead: dict[str, int] = Field(default={})


class IdArguments(Arguments):
    """A campaign, trial or run."""

    id: Id = Field(description="campaign, trial or run; a unique beginning will do")


class Thing(Result):
    """A campaign, trial or run: its facts in words, its settings, what was measured, and the ids below it."""

    id: str
    kind: str
    status: str
    facts: list[Data] = Field(default=[])
    settings: dict[str, Any] = Field(default={})
    metrics: dict[str, str] = Field(default={})
    findings: int = 0
    below: list[str] = Field(default=[])


class FindingsArguments(IdArguments):
    """Of what, and how serious at least."""

    level: Literal["info", "warning", "error"] = "info"


class Seen(Result):
    """A finding: what a health rule or a plugin saw in a run, and what it advises."""

    run: str
    rule: Data
    level: str
    said: Data
    advice: Data = ""
    env_steps: int | None = None


class Findings(Result):
    """The findings in so many runs, errors first; `more` were left out."""

    runs: int
    total: int
    findings: list[Seen] = Field(default=[])
    more: int = 0


def list_things(context: Context, arguments: ListArguments) -> Listed:
    """Return a page of campaigns, of a campaign's trials, or of its runs."""
    with Reader(context.layout.store) as reader:
        if arguments.what == "campaigns":
            items = [_campaign_item(record) for record in reversed(reader.records())]
        else:
            records = reader.records()
            campaign = _campaign_of(reader, arguments.campaign) if arguments.campaign else (
                records[-1].id if records else "")
            items = ([_trial_item(trial) for trial in reader.trials(campaign)] if arguments.what == "trials"
                     else [_run_item(run) for run in reader.runs(campaign)])
    chosen = {item.id: item for item in items if arguments.status in ("", item.status)}
    ids, following = page(chosen, arguments.after, arguments.limit)
    return Listed(items=[chosen[id_] for id_ in ids], total=len(chosen), next=following,
                  instead={} if chosen else dict(Counter(item.status for item in items)))


def inspect(context: Context, arguments: IdArguments) -> Thing:
    """Return what a campaign, trial or run is."""
    with Reader(context.layout.store) as reader:
        kind, whole = resolve_id(reader, arguments.id)
        if kind == "campaign":
            record = reader.record(whole)
            assert record is not None, "resolved a moment ago"
            return _campaign(record, reader.trials(whole))
        if kind == "trial":
            trial = reader.trial(whole)
            assert trial is not None, "resolved a moment ago"
            return _trial(trial, [run for run in reader.runs(trial.campaign) if run.trial == whole])
        if kind == "run":
            run = reader.run(whole)
            assert run is not None, "resolved a moment ago"
            return _run(run)
    return Thing(id=whole, kind="event", status="", facts=[f"see the tool explain with id {whole}"])


def findings(context: Context, arguments: FindingsArguments) -> Findings:
    """Return the findings about a run, or about all runs of a trial or campaign."""
    order = ["error", "warning", "info"]
    wanted = order[:order.index(arguments.level) + 1]
    with Reader(context.layout.store) as reader:
        runs = runs_of(reader, arguments.id)
    found = [Seen(run=run.id, rule=finding.rule, level=finding.level, said=finding.message, advice=finding.fix,
                  env_steps=finding.env_steps)
             for run in runs for finding in run.findings if finding.level in wanted]
    found.sort(key=lambda seen: order.index(seen.level))
    return Findings(runs=len(runs), total=len(found), findings=found[:MOST_FINDINGS],
                    more=max(0, len(found) - MOST_FINDINGS))


def runs_of(reader: Reader, text: str) -> tuple[Run, ...]:
    """Return the run that an id names, or all runs of the trial or campaign that it names.

    Raises: NotFound.
    """
    kind, whole = resolve_id(reader, text)
    if kind == "run":
        run = reader.run(whole)
        return (run,) if run else ()
    campaign = whole.partition("/")[0] if kind == "trial" else whole
    return tuple(run for run in reader.runs(campaign) if kind == "campaign" or run.trial == whole)


def _campaign_of(reader: Reader, text: str) -> str:
    return resolve_id(reader, text)[1].partition("/")[0]


def _campaign_item(record: CampaignRecord) -> Item:
    return Item(id=record.id, status=record.outcome or record.status,
                about=f"{record.content.task}; {record.why or record.paused_why or record.closing_why}".rstrip("; "))


def _trial_item(trial: Trial) -> Item:
    changed = ", ".join(changes_of(trial)) or "the defaults"
    return Item(id=trial.id, status=trial.verdict or "not judged", score=measured(trial.score),
                about=f"{changed} ({trial.proposal.proposer})")


def _run_item(run: Run) -> Item:
    about = f"{run.purpose or run.kind}; {run.reason}".rstrip("; ")
    return Item(id=run.id, status=run.outcome or run.status, about=about,
                score="; ".join(f"{tag} {value}" for tag, value in list(metrics_of(run.metrics).items())[:1]))


def _campaign(record: CampaignRecord, trials: Sequence[Trial]) -> Thing:
    content, budget = record.content, record.content.budget
    limits = [f"{budget.trials} trials", f"{budget.hours:g} h" if budget.hours else "",
              f"{budget.env_steps:,} env steps" if budget.env_steps else "",
              f"until {content.deadline}" if content.deadline else ""]
    facts = [f"task {content.task}", f"budget {', '.join(filter(None, limits))}",
             f"gate {gate_words(content.gates) or 'none'}",
             f"skills {', '.join(use.name for use in content.skills) or 'none'}",
             f"accepted {clock(record.accepted_at)} from {record.file}"]
    facts += [f"{word}: {text}" for word, text in (("why", record.why), ("paused", record.paused_why),
                                                   ("closing", record.closing_why)) if text]
    facts += [f"champion {record.champion}"] if record.champion else []
    facts += [f"search {dimension.key}: {dimension.allowed()}" for dimension in content.space.dimensions[:20]]
    facts += [f"note: {note}" for note in record.notes[-5:]]
    return Thing(id=record.id, kind="campaign", status=record.outcome or record.status, facts=facts,
                 settings=_settings(content.params), below=[trial.id for trial in trials[-20:]])


def _trial(trial: Trial, runs: Sequence[Run]) -> Thing:
    facts = [f"proposed by {trial.proposal.proposer}: {trial.proposal.why or 'no reason given'}"]
    facts += [f"{key} amended by {who}" for key, who in trial.proposal.amended_by.items()]
    facts += [f"score {measured(trial.score)} on the episodes that choose"] if trial.score else []
    facts += [f"judged: {trial.why}"] if trial.why else []
    facts += [f"dissent: {dissent}" for dissent in trial.dissent]
    return Thing(id=trial.id, kind="trial", status=trial.verdict or "not judged", facts=facts,
                 settings=_settings(trial.params), findings=sum(len(run.findings) for run in runs),
                 metrics={f"{run.purpose or run.kind}-s{run.seed} {tag}": value for run in runs
                          for tag, value in metrics_of(run.metrics).items()},
                 below=[run.id for run in runs[-20:]])


def _run(run: Run) -> Thing:
    facts = [f"{run.kind} of {run.trial}, seed {run.seed}, attempt {run.attempt}"
             + (f", to {run.purpose}" if run.purpose else "") + (f", asked by {run.asked_by}" if run.asked_by else "")]
    facts += [f"{word} {clock(at)}" for word, at in (("queued", run.queued_at), ("started", run.started_at),
                                                     ("ended", run.ended_at)) if at]
    facts += [f"{run.env_steps:,} env steps in {short(run.wall_s)} s"] if run.wall_s else []
    facts += [f"stop asked: {run.stop_why}"] if run.stop_why else []
    facts += [f"reason: {run.reason}"] if run.reason else []
    facts += [f"checkpoint at {run.checkpoint.env_steps:,} env steps, sha256 {run.checkpoint.sha256[:12]}"
              ] if run.checkpoint else []
    params = run.spec.get("params")
    return Thing(id=run.id, kind="run", status=run.outcome or run.status, facts=facts, findings=len(run.findings),
                 settings=_settings(params if isinstance(params, dict) else {}), metrics=metrics_of(run.metrics))


def _settings(params: Any) -> dict[str, Any]:
    return {show_tag(str(key)): fence(value, 60) if isinstance(value, str) else setting_of(value)
            for key, value in list(params.items())[:60]}


TOOLS = (
    Tool(name="list", summary="List campaigns, or the trials or runs of one.", args=ListArguments, result=Listed,
         run=list_things),
    Tool(name="inspect", summary="One campaign, trial or run: facts, settings, measurements.", args=IdArguments,
         result=Thing, run=inspect),
    Tool(name="findings", summary="What the health rules and plugins saw in runs, errors first.",
         args=FindingsArguments, result=Findings, run=findings),
)
