"""How does an agent wait for hours at no cost? It says until when, ends its turn, and is woken with a brief.

A sleep ends by what it waits for, by what makes that impossible (the campaign closes or pauses), or by its time.
"""

from __future__ import annotations

import time

from pydantic import Field

from vbotd.agent.changes import whole_id
from vbotd.agent.keys import one_at_a_time, same_or_refuse
from vbotd.agent.looking import WakeUpArguments, wake_up
from vbotd.agent.registry import Arguments, Context, Key, Keyed, Result, Tool, ToolError
from vbotd.agent.untrusted import Data
from vbotd.core.policy import REQUEST
from vbotd.core.waking import LONGEST_H, Sleep, Until
from vbotd.core.wording import clean
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.read import Reader
from vbotd.store.sleepers import MOST_SLEEPS, find_sleep, look, put_to_sleep, sleeping

LONGEST_WAIT_S = 30.0
POLL_S = 0.2
BRIEF_TOKENS = 500


class SleepArguments(Keyed):
    """What to wait for, about what, and how long at most."""

    until: Until = Field(description="trouble: a pause, a refusal, a blocked plugin; answer: a person's, to a request")
    id: str = Field(default="", max_length=200, description="campaign, trial or run; of `answer` a command's key")
    hours: float = Field(default=12.0, gt=0, le=LONGEST_H)


class WaitArguments(Arguments):
    """Which sleep, and how long to wait here."""

    handle: Key
    wait_s: float = Field(default=0.0, ge=0.0, le=LONGEST_WAIT_S)
    budget_tokens: int = Field(default=BRIEF_TOKENS, ge=100, le=4000)


class Slept(Result):
    """A sleep: end your turn while it is not over; once it is, `brief` tells what changed."""

    handle: str
    awake: bool
    why: Data = ""
    event: int = 0
    brief: str = ""


def sleep_until(context: Context, arguments: SleepArguments) -> Slept:
    """Note what is waited for; the caller ends its turn and comes back with the handle."""
    layout, key = context.layout, arguments.key
    about = arguments.id
    if about and arguments.until != "answer":
        about = whole_id(layout, about)
    given = {"until": arguments.until, "id": about, "hours": arguments.hours}
    with one_at_a_time(layout):
        if not same_or_refuse(context, key, "sleep_until", given):
            if len(sleeping(layout)) >= MOST_SLEEPS:
                raise ToolError(f"{MOST_SLEEPS} sleeps are open already — wait for one of them")
            put_to_sleep(layout, Sleep(
                handle=key, until=arguments.until, id=about, since=_since(layout, arguments.until, about),
                by=context.principal, until_at=context.now() + 3600 * arguments.hours),
                {"tool": "sleep_until", "given": given})
    return _state(context, _known(layout, key), 0)


def wait(context: Context, arguments: WaitArguments) -> Slept:
    """Say whether a sleep is over, with a brief of what changed since it began."""
    sleep = _known(context.layout, arguments.handle)
    until = time.monotonic() + arguments.wait_s
    while not look(context.layout, sleep, context.now()) and time.monotonic() < until:
        time.sleep(POLL_S)
    return _state(context, sleep, arguments.budget_tokens)


def _state(context: Context, sleep: Sleep, budget_tokens: int) -> Slept:
    why = look(context.layout, sleep, context.now())
    if not why or not budget_tokens:
        return Slept(handle=sleep.handle, awake=bool(why), why=why or f"asleep until {sleep.until} {sleep.id}".strip())
    try:
        brief = wake_up(context, WakeUpArguments(budget_tokens=budget_tokens, since=max(sleep.since, 1)))
    except StoreError:
        return Slept(handle=sleep.handle, awake=True, why=why)
    return Slept(handle=sleep.handle, awake=True, why=why, event=brief.event, brief=brief.text)


def _known(layout: Layout, handle: str) -> Sleep:
    found = find_sleep(layout, handle)
    if found is None:
        raise ToolError(f"nobody sleeps under '{clean(handle, 80)}' — sleep_until gives a handle")
    return found


def _since(layout: Layout, until: Until, about: str) -> int:
    """Return the event behind which to look: the newest, unless what is waited for has come already."""
    try:
        with Reader(layout.store) as reader:
            if until == "answer":
                decided = (reader.command(f"{about}.{word}") for word in ("approved", "rejected"))
                came = [stored.seq for stored in decided if stored is not None]
                asked = reader.command(about)
                if asked and not came and getattr(asked.event, "verb", "") != REQUEST:
                    came = [asked.seq]
            else:
                closed = reader.last_events(campaign=about.partition("/")[0], kinds=("CampaignClosed",), limit=1)
                came = [stored.seq for stored in closed] if about and until != "time" else []
            return came[0] - 1 if came else reader.last_seq()
    except StoreError:
        return 0


TOOLS = (
    Tool(name="sleep_until", summary="Wait for an event at no cost: gives a handle; end your turn, then ask wait.",
         args=SleepArguments, result=Slept, run=sleep_until, changes=True),
    Tool(name="wait", summary="Is a sleep over? If so, why, and a brief of what changed.", args=WaitArguments,
         result=Slept, run=wait),
)
