"""What may an agent change? Everything goes the way of a person's command or file, and the daemon's policy decides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from pydantic import Field

from vbotd.agent.keys import one_at_a_time, same_or_refuse
from vbotd.agent.registry import Context, Id, Keyed, Result, Tool, ToolError
from vbotd.agent.untrusted import Data
from vbotd.core.assignments import BadAssignment, parse_assignments
from vbotd.core.policy import WAITS, is_agent
from vbotd.core.wording import clean
from vbotd.domain.task import ParamValue
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.finding import resolve_id
from vbotd.store.inbox import daemon_is_running, send_command, wait_for_answer
from vbotd.store.read import Reader

ANSWER_S = 5.0
MOST_AN_HOUR = 120  # commands of all agents together


class Outcome(Result):
    """What became of it: done, waiting for a person (`vbotd approve KEY`), or queued until a daemon runs."""

    key: str
    status: Literal["accepted", "waits_for_person", "queued", "known"]
    answer: Data = ""
    campaign: str = ""


class AmendArguments(Keyed):
    """New totals of a campaign's budget."""

    id: Id
    trials: int | None = Field(default=None, ge=1, le=10_000)
    hours: float | None = Field(default=None, gt=0, le=10_000)
    env_steps: int | None = Field(default=None, ge=1, le=10**13)


class IdKeyed(Keyed):
    """What to act on."""

    id: Id


class PauseArguments(IdKeyed):
    """Which campaign, and why."""

    why: str = Field(default="", max_length=300)


class ProposeArguments(Keyed):
    """Settings to try, and why they are worth a trial."""

    campaign: Id
    settings: list[str] = Field(min_length=1, max_length=40, description="all that is searched, as "
                                "'ppo.learning_rate=3e-4'; or what changes `like` a trial")
    why: str = Field(min_length=3, max_length=500)
    like: str = Field(default="", max_length=200, description="a trial of it whose other settings are kept")


class NoteArguments(IdKeyed):
    """A remark to a campaign."""

    text: str = Field(min_length=1, max_length=1000)


def propose(context: Context, arguments: ProposeArguments) -> Outcome:
    """Propose a trial; inside the declared space and budget it is admitted."""
    try:
        params = parse_assignments(arguments.settings)
    except BadAssignment as error:
        raise ToolError(str(error)) from error
    campaign = whole_id(context.layout, arguments.campaign, campaign_only=True)
    if arguments.like:
        params = {**_settings_of(context.layout, campaign, arguments.like), **params}
    _none_is_missing(context.layout, campaign, params)
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in params.items()}
    return command(context, arguments.key, "propose", {"id": campaign, "params": plain, "why": arguments.why})


def _settings_of(layout: Layout, campaign: str, trial: str) -> Mapping[str, ParamValue]:
    """Return what was proposed as a trial of a campaign.

    Raises: NotFound, ToolError.
    """
    with Reader(layout.store) as reader:
        kind, whole = resolve_id(reader, trial if trial.startswith(campaign) else f"{campaign}/{trial}")
        found = reader.trial(whole) if kind == "trial" else None
    if found is None or found.campaign != campaign:
        raise ToolError(f"like: '{clean(trial, 80)}' is no trial of {campaign}")
    return found.proposal.params


def _none_is_missing(layout: Layout, campaign: str, params: Mapping[str, ParamValue]) -> None:
    """Hold back a proposal that names a part of the search space alone: it would be refused.

    Raises: ToolError with what is missing, and its ranges.
    """
    with suppress(StoreError), Reader(layout.store) as reader:
        record = reader.record(campaign)
        if record is None or record.status != "open":
            return
        space = {dimension.key: dimension for dimension in record.content.space.dimensions}
        missing = [f"{key} ({space[key].allowed()})" for key in space if key not in params]
        if missing and set(params) <= set(space):
            raise ToolError(f"a proposal names all that {campaign} searches, these are missing: {', '.join(missing)} — "
                            "give them, or `like` a trial to keep its settings")


def amend(context: Context, arguments: AmendArguments) -> Outcome:
    """Change a campaign's budget to new totals."""
    budget = arguments.model_dump(exclude={"key", "id"}, exclude_none=True)
    if not budget:
        raise ToolError("nothing to change — give trials, hours or env_steps, as new totals")
    return command(context, arguments.key, "amend",
                   {"id": whole_id(context.layout, arguments.id, campaign_only=True), **budget})


def cancel(context: Context, arguments: IdKeyed) -> Outcome:
    """End a campaign, a trial's runs or a run."""
    return command(context, arguments.key, "cancel", {"id": whole_id(context.layout, arguments.id)})


def pause(context: Context, arguments: PauseArguments) -> Outcome:
    """Start nothing more of a campaign."""
    return command(context, arguments.key, "pause", {
        "id": whole_id(context.layout, arguments.id, campaign_only=True), "why": arguments.why})


def resume(context: Context, arguments: IdKeyed) -> Outcome:
    """Let a paused campaign go on."""
    return command(context, arguments.key, "resume", {"id": whole_id(context.layout, arguments.id, campaign_only=True)})


def note(context: Context, arguments: NoteArguments) -> Outcome:
    """Write a remark to a campaign."""
    return command(context, arguments.key, "note", {
        "id": whole_id(context.layout, arguments.id, campaign_only=True), "text": arguments.text})


def command(context: Context, key: str, verb: str, args: Mapping[str, Any]) -> Outcome:
    """Send a command under a key and return what became of it.

    Raises: ToolError where the daemon refuses it, or the key was used for something else.
    """
    with one_at_a_time(context.layout):
        if not same_or_refuse(context, key, verb, dict(args)):
            in_time(context.layout, context.now(), repeated=False)
            send_command(context.layout, verb, args, principal=context.principal, key=key)
    return outcome_of(context.layout, key, verb)


def whole_id(layout: Layout, text: str, *, campaign_only: bool = False) -> str:
    """Return the whole id that a text names; where there is no store yet, the text itself, for the daemon to judge.

    Raises: NotFound; ToolError for a trial or a run where a campaign is wanted.
    """
    try:
        with Reader(layout.store) as reader:
            kind, whole = resolve_id(reader, text)
    except StoreError:
        return text
    if kind == "event" or (campaign_only and kind != "campaign"):
        raise ToolError(f"'{text}' is {'an event' if kind == 'event' else f'a {kind}'} — a campaign is wanted here"
                        + (f": {whole.partition('/')[0]}" if kind != "event" else ""))
    return whole


def in_time(layout: Layout, now: float, *, repeated: bool) -> None:
    """Hold back an agent that changes things faster than anybody could follow; a repeat changes nothing.

    Raises: ToolError.
    """
    if repeated:
        return
    waiting = sum(1 for _ in layout.commands.glob("*.json"))
    try:
        with Reader(layout.store) as reader:
            newest = reader.last_events(kinds=("CommandAccepted", "CommandRefused"), limit=MOST_AN_HOUR)
    except StoreError:
        newest = ()
    lately = sum(now - stored.at < 3600 and is_agent(getattr(stored.event, "principal", "")) for stored in newest)
    if lately + waiting >= MOST_AN_HOUR:
        raise ToolError(f"agents gave {lately} commands within the last hour and {waiting} wait, {MOST_AN_HOUR} are "
                        "allowed — look, sleep, and come back")


def outcome_of(layout: Layout, key: str, verb: str) -> Outcome:
    """Return what became of a command, waiting a little for the daemon's answer.

    Raises: ToolError where it was refused.
    """
    running = daemon_is_running(layout)
    wait_for_answer(layout, key, ANSWER_S if running else 0.0)
    found = _answer_of(layout, key)
    if found is not None:
        return found
    why = "the daemon has not answered yet" if running else "no daemon runs; it is carried out once one does"
    return Outcome(key=key, status="queued", answer=f"{verb}: {why}")


def _answer_of(layout: Layout, key: str) -> Outcome | None:
    """Return what the daemon answered to the command with this key, None while it has not.

    Raises: ToolError where it refused.
    """
    answered = wait_for_answer(layout, key, 0.0)
    if answered is None:
        return None
    accepted, answer = answered
    if not accepted:
        raise ToolError(f"refused: {answer}")
    if WAITS not in answer[:40]:
        return Outcome(key=key, status="accepted", answer=answer)
    if wait_for_answer(layout, f"{key}.rejected", 0.0) is not None:
        raise ToolError(f"a person turned down request {key} — ask for something else, under a new key")
    passed = wait_for_answer(layout, f"{key}.approved", 0.0)
    if passed is None:
        return Outcome(key=key, status="waits_for_person", answer=answer)
    if not passed[0]:
        raise ToolError(f"a person let request {key} pass, but it was refused: {passed[1]}")
    return Outcome(key=key, status="accepted", answer=f"a person let it pass: {passed[1]}")


TOOLS = (
    Tool(name="propose", summary="Ask a campaign to try settings; outside its space or budget it waits for a person.",
         args=ProposeArguments, result=Outcome, run=propose, changes=True),
    Tool(name="amend", summary="Set a campaign's budget to new totals; more than before waits for a person.",
         args=AmendArguments, result=Outcome, run=amend, changes=True),
    Tool(name="pause", summary="Start nothing more of a campaign; of a person's campaign it waits for a person.",
         args=PauseArguments, result=Outcome, run=pause, changes=True),
    Tool(name="resume", summary="Let a paused campaign go on; waits for a person.", args=IdKeyed, result=Outcome,
         run=resume, changes=True),
    Tool(name="cancel", summary="End a campaign or a run; of a person's campaign it waits for a person.", args=IdKeyed,
         result=Outcome, run=cancel, changes=True),
    Tool(name="note", summary="Write a remark to a campaign, for its report.", args=NoteArguments, result=Outcome,
         run=note, changes=True),
)
