"""What may an agent change? Everything goes the way of a person's command or file, and the daemon's policy decides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from vbotd.agent.keys import one_at_a_time, same_or_refuse
from vbotd.agent.registry import Context, Id, Keyed, Result, Tool, ToolError
from vbotd.agent.untrusted import Data
from vbotd.core.assignments import BadAssignment, parse_assignments
from vbotd.core.policy import OWN_FILE, WAITS, is_own, why_campaign_waits
from vbotd.core.wording import clean
from vbotd.domain.campaign import Campaign
from vbotd.domain.finding import Problem
from vbotd.errors import StoreError
from vbotd.host.checking import check_bytes
from vbotd.host.one_shot import one_shot_catalogue
from vbotd.layout import Layout
from vbotd.store.configuration import read_config
from vbotd.store.finding import resolve_id
from vbotd.store.inbox import daemon_is_running, send_command, wait_for_answer
from vbotd.store.read import Reader
from vbotd.store.submitting import submit_bytes

ANSWER_S = 5.0
MOST_PROBLEMS = 15


class Outcome(Result):
    """What became of it: done, waiting for a person (`vbotd approve KEY`), or queued until a daemon runs."""

    key: str
    status: Literal["accepted", "waits_for_person", "queued", "known"]
    answer: Data = ""
    campaign: str = ""


class SubmitArguments(Keyed):
    """A campaign as a text."""

    campaign_yaml: str = Field(min_length=1, max_length=64_000)


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
    settings: list[str] = Field(min_length=1, max_length=40, description="as 'ppo.learning_rate=3e-4'")
    why: str = Field(min_length=3, max_length=500)


class NoteArguments(IdKeyed):
    """A remark to a campaign."""

    text: str = Field(min_length=1, max_length=1000)


def submit(context: Context, arguments: SubmitArguments) -> Outcome:
    """Submit a campaign; inside the limits for agents it starts, beyond them it waits for a person."""
    layout, key, text = context.layout, arguments.key, arguments.campaign_yaml
    with one_at_a_time(layout):
        repeated = same_or_refuse(layout, key, "submit", hashlib.sha256(text.encode()).hexdigest())
        # What was handed over once passed the checks then, which take seconds.
        waits = "" if repeated else why_campaign_waits(_checked(layout, text), _open_own(layout),
                                                       read_config(layout).agents)
        if waits:
            send_command(layout, "submit", {"name": _name(text), "text": text, "why": waits},
                         principal=context.principal, key=key)
        elif not _is_command(layout, key):
            submit_bytes(layout, _file(key), text.encode(), wait_s=0.0)
    if _is_command(layout, key):
        return _outcome(layout, key, "submit")
    fate, detail = submit_bytes(layout, _file(key), text.encode(), wait_s=ANSWER_S)
    if fate == "refused":
        raise ToolError(_told(detail))
    if fate == "queued":
        return Outcome(key=key, status="queued", answer="it lies in the inbox; the daemon takes it when it runs")
    return Outcome(key=key, status="accepted" if _is_of(layout, str(detail), key) else "known", campaign=str(detail),
                   answer=f"it is campaign {detail}")


def _checked(layout: Layout, text: str) -> Campaign:
    """Return the campaign in a text.

    Raises: ToolError with everything that is wrong with it.
    """
    checked = check_bytes("campaign.yaml", text.encode(), one_shot_catalogue(layout.home), layout)
    if checked.campaign is None:
        raise ToolError(f"nothing was submitted, the campaign cannot run:\n{_told(checked.problems)}")
    return checked.campaign


def _told(problems: Sequence[Problem]) -> str:
    return "\n".join(clean(problem.render("campaign.yaml"), 300) for problem in problems[:MOST_PROBLEMS])


def _file(key: str) -> str:
    return f"{OWN_FILE}{key}.yaml"


def _name(text: str) -> str:
    match = re.search(r"(?m)^name:\s*([\w.-]{1,80})", text)
    return match[1] if match else "a campaign"


def _is_command(layout: Layout, key: str) -> bool:
    """Say whether a key belongs to a command, waiting or answered: a submission that waits for a person is one."""
    if (layout.commands / f"{key}.json").exists():
        return True
    return wait_for_answer(layout, key, 0.0) is not None


def _is_of(layout: Layout, campaign: str, key: str) -> bool:
    with Reader(layout.store) as reader:
        record = reader.record(campaign)
    return record is not None and record.file == _file(key)


def propose(context: Context, arguments: ProposeArguments) -> Outcome:
    """Propose a trial; inside the declared space and budget it is admitted."""
    try:
        params = parse_assignments(arguments.settings)
    except BadAssignment as error:
        raise ToolError(str(error)) from error
    campaign = whole_id(context.layout, arguments.campaign, campaign_only=True)
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in params.items()}
    return command(context, arguments.key, "propose", {"id": campaign, "params": plain, "why": arguments.why})


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
        if not same_or_refuse(context.layout, key, verb, dict(args)):
            send_command(context.layout, verb, args, principal=context.principal, key=key)
    return _outcome(context.layout, key, verb)


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


def _outcome(layout: Layout, key: str, verb: str) -> Outcome:
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
    status: Literal["accepted", "waits_for_person"] = "waits_for_person" if WAITS in answer[:40] else "accepted"
    return Outcome(key=key, status=status, answer=answer)


def _open_own(layout: Layout) -> int:
    """Return how many campaigns of agents are not closed, those that wait in the inbox included."""
    waiting = sum(1 for path in layout.inbox.glob(f"{OWN_FILE}*.yaml"))
    try:
        with Reader(layout.store) as reader:
            return waiting + sum(is_own(record) for record in reader.records("scheduled", "open", "paused", "closing"))
    except StoreError:
        return waiting


TOOLS = (
    Tool(name="submit", summary="Start a campaign; beyond the limits for agents it waits for a person.",
         args=SubmitArguments, result=Outcome, run=submit, changes=True),
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
