"""How does an agent start a campaign? As a file in the inbox, like anybody, inside the limits that a person has set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress

from pydantic import Field

from vbotd.agent.changes import ANSWER_S, Outcome, in_time, outcome_of
from vbotd.agent.context import catalogue_of
from vbotd.agent.keys import one_at_a_time, same_or_refuse
from vbotd.agent.registry import Context, Keyed, Tool, ToolError
from vbotd.agent.untrusted import LONGEST_PROBLEM
from vbotd.core.policy import OWN_FILE, is_own, why_campaign_waits
from vbotd.core.wording import clean
from vbotd.domain.campaign import Campaign
from vbotd.domain.finding import Problem
from vbotd.errors import StoreError
from vbotd.host.checking import check_bytes
from vbotd.layout import Layout
from vbotd.store.configuration import read_config
from vbotd.store.inbox import send_command, wait_for_answer
from vbotd.store.read import Reader
from vbotd.store.submitting import submit_bytes

MOST_PROBLEMS = 15


class SubmitArguments(Keyed):
    """A campaign as a text."""

    campaign_yaml: str = Field(min_length=1, max_length=64_000)


def submit(context: Context, arguments: SubmitArguments) -> Outcome:
    """Submit a campaign; inside the limits for agents it starts, beyond them it waits for a person."""
    layout, key, text = context.layout, arguments.key, arguments.campaign_yaml
    with one_at_a_time(layout):
        repeated = same_or_refuse(context, key, "submit", hashlib.sha256(text.encode()).hexdigest())
        # What was handed over once passed the checks then, which take seconds.
        in_time(layout, context.now(), repeated=repeated)
        waits = "" if repeated else why_waits(layout, _checked(layout, text))
        if waits:
            send_command(layout, "submit", {"name": _name(text), "text": text, "why": waits},
                         principal=context.principal, key=key)
        elif not _is_command(layout, key):
            submit_bytes(layout, _file(key), text.encode(), wait_s=0.0)
    if _is_command(layout, key):
        return outcome_of(layout, key, "submit").model_copy(update={"campaign": _campaign_of(layout, key)})
    fate, detail = submit_bytes(layout, _file(key), text.encode(), wait_s=ANSWER_S)
    if fate == "refused":
        raise ToolError(_told(detail))
    if fate == "queued":
        return Outcome(key=key, status="queued", answer="it lies in the inbox; the daemon takes it when it runs")
    return Outcome(key=key, status="accepted" if _campaign_of(layout, key) == detail else "known",
                   campaign=str(detail), answer=f"it is campaign {detail}")


def why_waits(layout: Layout, campaign: Campaign) -> str:
    """Return why a campaign of an agent would wait for a person if it were submitted now, "" where it would start."""
    return why_campaign_waits(campaign, _open_own(layout), read_config(layout).agents)


def _checked(layout: Layout, text: str) -> Campaign:
    """Return the campaign in a text.

    Raises: ToolError with everything that is wrong with it.
    """
    checked = check_bytes("campaign.yaml", text.encode(), catalogue_of(layout), layout)
    if checked.campaign is None:
        raise ToolError(f"nothing was submitted, the campaign cannot run:\n{_told(checked.problems)}")
    return checked.campaign


def _told(problems: Sequence[Problem]) -> str:
    return "\n".join(clean(problem.render("campaign.yaml"), LONGEST_PROBLEM) for problem in problems[:MOST_PROBLEMS])


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


def _campaign_of(layout: Layout, key: str) -> str:
    """Return the campaign that was submitted under a key, "" where there is none (yet)."""
    with suppress(StoreError), Reader(layout.store) as reader:
        return next((record.id for record in reversed(reader.records()) if record.file == _file(key)), "")
    return ""


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
)
