"""At what is the agent loop woken? At the first event since the last time that the configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vbotd.core.config import WakeOn
from vbotd.core.waking import TROUBLE
from vbotd.domain import event as e
from vbotd.domain.event import Event, Stored

WAKES: Mapping[WakeOn, tuple[type[Event], ...]] = {
    "campaign_closed": (e.CampaignClosed,), "trial_judged": (e.TrialJudged,), "run_ended": (e.RunEnded,),
    "finding": (e.FindingMade,), "trouble": TROUBLE,
}
KINDS: tuple[str, ...] = tuple(sorted({kind.__name__ for kinds in WAKES.values() for kind in kinds}))


def cause(events: Iterable[Stored], conditions: Iterable[WakeOn]) -> Stored | None:
    """Return the first event that is a reason to wake the agent, None where there is none.

    A finding of level info is none, and neither is anything that an agent did itself, lest it wakes itself for ever.
    """
    kinds = tuple(kind for condition in conditions for kind in WAKES[condition])
    return next((stored for stored in events if isinstance(stored.event, kinds) and not _is_quiet(stored.event)), None)


def _is_quiet(event: Event) -> bool:
    match event:
        case e.FindingMade():
            return event.finding.level == "info"
        case e.CampaignPaused():
            return event.by.startswith("agent:")
    return False
