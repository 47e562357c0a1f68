"""How does a turn of the agent loop get into the store? As a command that does nothing but tell of it."""

from __future__ import annotations

import math
from typing import Any

from vbotd.core.policy import is_agent
from vbotd.core.sighting import CommandSeen
from vbotd.domain.event import AgentTurn

VERB = "agent_turn"
LONGEST_ASKED, LONGEST_ANSWERED, LONGEST_HOW = 64_000, 32_000, 400  # characters


class NoTurn(Exception):
    """The command tells of no turn; the message says what is wrong."""


def turn_taken(seen: CommandSeen) -> AgentTurn:
    """Return the record of a turn; texts that are too long lose their middle.

    Raises: NoTurn.
    """
    if not is_agent(seen.principal):
        raise NoTurn(f"'{VERB}' is for the agent loop to tell what it did; {seen.principal} is no agent")
    args = seen.args
    return AgentTurn(
        key=seen.key, principal=seen.principal, session=_text(args, "session", 100), turn=int(_number(args, "turn")),
        asked=_text(args, "asked", LONGEST_ASKED), answered=_text(args, "answered", LONGEST_ANSWERED),
        how=_text(args, "how", LONGEST_HOW), tokens=int(_number(args, "tokens")), usd=_number(args, "usd"))


def shortened(text: str, most: int) -> str:
    """Return a text without its middle where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    cut = f" […{len(text) - most:,} characters…] "
    half = max(0, most - len(cut)) // 2
    return text[:half] + cut + text[len(text) - half:]


def _text(args: Any, name: str, most: int) -> str:
    value = args.get(name, "")
    if not isinstance(value, str):
        raise NoTurn(f"{name} is a {type(value).__name__}, a text is wanted")
    return shortened(value, most)


def _number(args: Any, name: str) -> float:
    value = args.get(name, 0)
    if (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
            or not 0 <= value < 1e15):
        raise NoTurn(f"{name} is {value!r}, a number from 0 on is wanted")
    return float(value)
