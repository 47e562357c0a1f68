"""Why is it so? The events about a thing, in their order, and the end of a run's log."""

from __future__ import annotations

from pydantic import Field

from vbotd.agent.numbers import clock
from vbotd.agent.registry import Arguments, Context, Id, Result, Tool
from vbotd.agent.untrusted import Block, Data
from vbotd.core.telling import about, tell
from vbotd.domain.event import Stored
from vbotd.layout import Layout
from vbotd.store.finding import resolve_id
from vbotd.store.read import Reader

LOG_BYTES = 16 << 10
LOG_CHARACTERS = 1_500
MOST_WALKED = 5_000


class ExplainArguments(Arguments):
    """What to explain, and which page of its events."""

    id: Id = Field(description="campaign, trial, run, or an event's number")
    after: int = Field(default=0, ge=0, description="`next` of the page before; 0: the newest events")
    limit: int = Field(default=20, ge=1, le=100)
    log: bool = Field(default=False, description="of a run: the end of its log too")


class Told(Result):
    """An event: its number, when, its kind, what it is about, what it says."""

    event: int
    at: str
    kind: str
    about: str = ""
    said: Data = ""


class Explained(Result):
    """The events about a thing, oldest first; `next` 0 where no newer follow."""

    id: str
    kind: str
    events: list[Told] = Field(default=[])
    next: int = 0
    log: Block = ""


def explain(context: Context, arguments: ExplainArguments) -> Explained:
    """Return the events about a campaign, trial or run, or one event."""
    with Reader(context.layout.store) as reader:
        kind, whole = resolve_id(reader, arguments.id)
        if kind == "event":
            return Explained(id=whole, kind=kind,
                             events=[_told(stored) for stored in reader.events(after=int(whole) - 1, limit=1)])
        found, following = _events(reader, kind, whole, arguments.after, arguments.limit)
    log = log_tail(context.layout, whole) or "(the log is empty)" if kind == "run" and arguments.log else ""
    return Explained(id=whole, kind=kind, events=[_told(stored) for stored in found], next=following, log=log)


def log_tail(layout: Layout, run: str) -> str:
    """Return the end of a run's log as it stands there."""
    try:
        with (layout.run(run) / "worker.log").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            return file.read(LOG_BYTES).decode(errors="replace")[-LOG_CHARACTERS:]
    except OSError:
        return ""


def _events(reader: Reader, kind: str, whole: str, after: int, limit: int) -> tuple[list[Stored], int]:
    """Return a page of events: the newest where `after` is 0, else those behind it, and where the next page begins."""
    campaign, run = whole.partition("/")[0], whole if kind == "run" else ""
    # A trial has no index of its own: its campaign's events are walked, the newest of them at most.
    walked = limit if kind != "trial" else MOST_WALKED
    events = (reader.events(after=after, campaign=campaign, run=run, limit=walked + 1) if after
              else reader.last_events(campaign=campaign, run=run, limit=walked))
    found = [stored for stored in events if kind != "trial" or getattr(stored.event, "trial", "") == whole]
    chosen = found[:limit] if after else found[-limit:]
    more = bool(after) and len(found) > len(chosen)
    return chosen, chosen[-1].seq if more and chosen else 0


def _told(stored: Stored) -> Told:
    return Told(event=stored.seq, at=clock(stored.at), kind=type(stored.event).__name__, about=about(stored.event),
                said=tell(stored.event))


TOOLS = (
    Tool(name="explain", summary="Why is it so: the events about a campaign, trial or run, or one event.",
         args=ExplainArguments, result=Explained, run=explain),
)
