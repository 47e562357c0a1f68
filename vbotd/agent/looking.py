"""What stands where, and what is worth knowing now? The two tools with which an agent begins."""

from __future__ import annotations

from pydantic import Field

from vbotd.agent.brief import write_brief
from vbotd.agent.numbers import clock, measured, short
from vbotd.agent.registry import Arguments, Context, Result, Tool
from vbotd.agent.untrusted import Data
from vbotd.core.report import build
from vbotd.core.telling import about, tell
from vbotd.domain.event import Stored
from vbotd.store.facts import gather
from vbotd.store.glance import CampaignGlance, glance
from vbotd.store.inbox import daemon_is_running
from vbotd.store.read import Reader
from vbotd.store.views import last_sections

# What an agent that comes back wants to hear of; launches and fences are for the log.
TOLD_SINCE = ("CampaignAccepted", "CampaignRefused", "CampaignPaused", "CampaignResumed", "CampaignAmended",
              "CampaignClosing", "CampaignClosed", "NoteAdded", "TrialAdmitted", "ProposalRefused", "TrialJudged",
              "FindingMade", "RunStopAsked", "PluginBlocked", "CommandAccepted", "CommandRefused")
MOST_SINCE = 200


class Nothing(Arguments):
    """No arguments."""


class CampaignLine(Result):
    """A campaign in a line; `best` is the score on the episodes that chose it."""

    id: str
    status: str
    task: Data = ""
    trials: str
    failed: int = 0
    best: str = ""
    hours_left: float | None = None
    why: Data = ""


class RunLine(Result):
    """A live run in a line; `success` is that of its exploring episodes."""

    id: str
    status: str
    progress: float | None = None
    minutes_left: float | None = None
    success: float | None = None
    silent_s: float | None = None


class Status(Result):
    """What stands where. `event` is the newest; give it to `wake_up` as `since`."""

    at: str
    daemon: str
    cores: str
    event: int = 0
    campaigns: list[CampaignLine] = Field(default=[])
    closed: list[CampaignLine] = Field(default=[])
    runs: list[RunLine] = Field(default=[])


class WakeUpArguments(Arguments):
    """How long the brief may be, and since which event."""

    budget_tokens: int = Field(default=800, ge=100, le=6000)
    since: int = Field(default=0, ge=0, description="event number; tells what changed behind it")


class Brief(Result):
    """The report, as much of it as the budget holds. `event` is what `since` is to be next time."""

    event: int
    text: str


def status(context: Context, arguments: Nothing) -> Status:
    """Return what stands where."""
    now = context.now()
    seen = glance(context.layout, now)
    runs = []
    for run in seen.runs[:30]:
        beat = run.heartbeat
        share = beat.env_steps / beat.total_env_steps if beat and beat.total_env_steps > 0 else None
        runs.append(RunLine(
            id=run.id, status=run.status, progress=None if share is None else short(min(1.0, share)),
            minutes_left=short(beat.remaining_s / 60) if beat and beat.remaining_s is not None else None,
            success=beat.success_rate if beat else None,
            silent_s=short(now - beat.at) if beat and now - beat.at > 60 else None))
    return Status(
        at=clock(now), daemon="running" if daemon_is_running(context.layout) else "not running: nothing goes on",
        cores=f"{seen.cores_busy} of {seen.cores} busy", event=seen.last_seq,
        campaigns=[_line(item) for item in seen.campaigns[:30]], closed=[_line(item) for item in seen.closed],
        runs=runs)


def _line(item: CampaignGlance) -> CampaignLine:
    best = f"{item.best.rpartition('/')[2]} {item.metric} {measured(item.score)}" if item.best else ""
    return CampaignLine(id=item.id, status=item.outcome or item.status, task=item.task, best=best, why=item.why,
                        trials=f"{item.trials_judged} of {item.trials_budget} judged", failed=item.trials_failed,
                        hours_left=None if item.hours_left is None else short(item.hours_left))


def wake_up(context: Context, arguments: WakeUpArguments) -> Brief:
    """Return the morning report within a budget of tokens; with `since`, first what changed."""
    with Reader(context.layout.store) as reader:
        report = build(gather(reader, context.layout, context.now(), sections=last_sections(context.layout)))
        newest = reader.last_seq()
        changed = reader.events(after=arguments.since, kinds=TOLD_SINCE, limit=MOST_SINCE) if arguments.since else ()
    return Brief(event=newest, text=write_brief(report, [_told(stored) for stored in changed], arguments.since,
                                                arguments.budget_tokens))


def _told(stored: Stored) -> tuple[str, str]:
    return f"{stored.seq} {type(stored.event).__name__} {about(stored.event)}".rstrip(), tell(stored.event)


TOOLS = (
    Tool(name="status", summary="What stands where: campaigns, live runs, free cores.", args=Nothing, result=Status,
         run=status),
    Tool(name="wake_up", summary="The report in few tokens: what needs a person, results, what broke; with `since` "
         "first what changed.", args=WakeUpArguments, result=Brief, run=wake_up),
)
