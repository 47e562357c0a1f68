"""Has what somebody sleeps for come true? Asked of the events since then: it may be seen late, and is never missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vbotd.core.telling import about, tell
from vbotd.domain import event as e
from vbotd.domain.event import Event, Stored

Until = Literal["campaign_closed", "trial_judged", "run_ended", "finding", "answer", "trouble", "anything", "time"]
UNTIL: tuple[str, ...] = get_args(Until)
LONGEST_H = 72.0

# What ends a sleep, by what is waited for.
WAKES: Mapping[Until, tuple[type[Event], ...]] = {
    "campaign_closed": (e.CampaignClosed,),
    "trial_judged": (e.TrialJudged,),
    "run_ended": (e.RunEnded,),
    "finding": (e.FindingMade,),
    "answer": (e.CommandAccepted, e.CommandRefused),
    "trouble": (),
    "anything": (e.CampaignAccepted, e.CampaignRefused, e.TrialJudged, e.RunEnded, e.FindingMade, e.NoteAdded),
    "time": (),
}
# What ends every sleep about a campaign: nothing that was waited for would come any more, or not by itself.
ALWAYS: tuple[type[Event], ...] = (e.CampaignClosed, e.CampaignPaused)
TROUBLE: tuple[type[Event], ...] = (e.CampaignPaused, e.PluginBlocked, e.CampaignRefused)
KINDS: tuple[str, ...] = tuple(sorted(
    {kind.__name__ for kinds in (*WAKES.values(), ALWAYS, TROUBLE) for kind in kinds}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """What somebody waits for: `until` about `id` ("": about anything), after event `since`, `until_at` at the latest.

    `id` is a campaign, a trial or a run; of `answer` it is the key of a command or request.
    """

    handle: str
    until: Until
    id: str
    since: int
    until_at: float
    by: str = ""


def as_values(sleep: Sleep) -> dict[str, Any]:
    """Return a sleep as JSON values."""
    return {"handle": sleep.handle, "until": sleep.until, "id": sleep.id, "since": sleep.since,
            "until_at": sleep.until_at, "by": sleep.by}


def from_values(values: Mapping[str, Any]) -> Sleep:
    """Return the sleep behind JSON values.

    Raises: ValueError or KeyError for what is none.
    """
    if values["until"] not in UNTIL:
        raise ValueError(f"there is no such condition: {values['until']!r}")
    return Sleep(handle=str(values["handle"]), until=values["until"], id=str(values["id"]), since=int(values["since"]),
                 until_at=float(values["until_at"]), by=str(values.get("by", "")))


def woken_by(sleep: Sleep, events: Iterable[Stored], now: float) -> str:
    """Return what ends a sleep, in words, "" while it goes on. `events` are those of KINDS behind `sleep.since`."""
    for stored in events:
        if stored.seq > sleep.since and _ends(sleep, stored.event):
            kind = type(stored.event).__name__
            return f"event {stored.seq}: {kind} {about(stored.event)} {tell(stored.event)}".strip()
    return "the time is up" if now >= sleep.until_at else ""


def _ends(sleep: Sleep, event: Event) -> bool:
    if sleep.until == "answer":
        # A request is answered by the command of the person who decides it.
        return isinstance(event, e.CommandAccepted | e.CommandRefused) and event.key in (
            sleep.id, f"{sleep.id}.approved", f"{sleep.id}.rejected")
    if sleep.until == "finding" and isinstance(event, e.FindingMade) and event.finding.level == "info":
        return False
    kinds = WAKES[sleep.until] + (ALWAYS if sleep.until != "time" else ())
    if sleep.until in ("trouble", "anything"):
        kinds += TROUBLE
    if not isinstance(event, kinds):
        return False
    if isinstance(event, ALWAYS) and not isinstance(event, WAKES[sleep.until]):
        return not sleep.id or getattr(event, "campaign", "") == sleep.id.partition("/")[0]
    return not sleep.id or _is_about(event, sleep.id)


def _is_about(event: Event, id_: str) -> bool:
    return any(name == id_ or name.startswith(f"{id_}/")
               for name in (getattr(event, field, "") for field in ("campaign", "trial", "run")) if name)
