"""What may a call to the model still cost? Sums over a day's ledger; the file itself is the shell's.

The rule this protects: before a call the most that it can cost is set aside, after it what it did cost takes that
place. Whoever is killed in between has spent all that was set aside, so the sum is never too small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Tokens sent and answered, and what they cost in dollars."""

    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(tokens=self.tokens + other.tokens, usd=self.usd + other.usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars for a million tokens, sent and answered."""

    usd_in: float = 0.0
    usd_out: float = 0.0

    def of(self, tokens_in: int, tokens_out: int) -> Cost:
        """Return what so many tokens cost."""
        return Cost(tokens=tokens_in + tokens_out,
                    usd=(tokens_in * self.usd_in + tokens_out * self.usd_out) / MILLION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most that a day, and one session, may take; `usd_a_day` None is no cap on money."""

    tokens_a_day: int
    tokens_a_session: int
    usd_a_day: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One call: its cost, or what is set aside for it as long as it is not `settled`."""

    call: str
    session: str
    cost: Cost
    settled: bool = False


def entries(lines: Iterable[Mapping[str, Any]]) -> dict[str, Entry]:
    """Return the calls of a ledger by their names. A line that makes no sense is left out: see `agent/ledger.py`."""
    found: dict[str, Entry] = {}
    for line in lines:
        try:
            call, session, what = str(line["call"]), str(line.get("session", "")), line["what"]
            cost = Cost(tokens=int(line["tokens"]), usd=float(line["usd"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if what == "reserve" and call not in found:
            found[call] = Entry(call=call, session=session, cost=cost)
        elif what == "settle" and call in found:
            found[call] = replace(found[call], cost=cost, settled=True)
    return found


def total(calls: Iterable[Entry]) -> Cost:
    """Return what calls have cost, or may have."""
    return sum((entry.cost for entry in calls), Cost())


def why_too_much(calls: Iterable[Entry], session: str, wanted: Cost, caps: Caps) -> str:
    """Return why a call that may cost `wanted` is not made any more, "" where it may be."""
    calls = tuple(calls)
    today, here = total(calls), total(entry for entry in calls if entry.session == session)
    if today.tokens + wanted.tokens > caps.tokens_a_day:
        return (f"{today.tokens:,} of {caps.tokens_a_day:,} tokens of this day are spent, and the next call may take "
                f"{wanted.tokens:,} (vbotd.yaml: agents.tokens_per_day)")
    if here.tokens + wanted.tokens > caps.tokens_a_session:
        return (f"{here.tokens:,} of {caps.tokens_a_session:,} tokens of this session are spent, and the next call may "
                f"take {wanted.tokens:,} (vbotd.yaml: agents.tokens_per_wake)")
    if caps.usd_a_day is not None and today.usd + wanted.usd > caps.usd_a_day:
        return (f"${today.usd:.4f} of ${caps.usd_a_day:g} of this day are spent, and the next call may cost "
                f"${wanted.usd:.4f} (vbotd.yaml: agents.usd_per_day)")
    return ""
