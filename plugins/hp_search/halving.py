"""Successive halving by promotion: who trains on, who begins, whom to wait for. Pure; numbers in, one move out.

A trial begins with a part of its training. Of each rung's trials the best go on from their checkpoints, so that
what they have done is not done again: with eta 3, 27 trials to R/9, 9 to R/3 and 3 to R cost 7 R.

The rule is for few workers: nobody goes on before all of the rung are known. The instant promotion that serves
hundreds of workers would fill the places here with whoever came first (docs/DECISIONS/0010). Only where a deadline
may come at any time does a rung send trials up `early`, from `eta` results on, so that something is trained far when
it comes; and even then nobody enters the last rung, the dear one, before all that could are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Value = tuple[float, ...]  # larger is better; success first, quality only among equals
MoveKind = Literal["go_on", "begin", "wait", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A trial of the bracket. `rung` is the one that it has reached, or trains towards while `pending`.

    `values` has its score at each rung where it has one; `collapsed`: it is past its peak, so that more is waste.
    """

    trial: str
    number: int
    rung: int
    pending: bool = False
    values: Mapping[int, Value] = field(default_factory=dict)
    collapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many trials each rung is to see, lowest first; `first` is the rung where trials begin.

    Equal sizes of two rungs send everybody on: that is how a rung which ranks nothing is passed over.
    """

    sizes: tuple[int, ...]
    eta: int = 3
    first: int = 0
    early: bool = False

    @property
    def top(self) -> int:
        """The last rung: training to the end."""
        return len(self.sizes) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What to do with a free place: train `trial` on to `rung`, begin a new one to `rung`, wait, or stop."""

    kind: MoveKind
    rung: int = 0
    trial: str = ""


def next_move(entries: Sequence[Entry], plan: Plan, *, may_begin: bool = True) -> Move:
    """Return what a free place is best used for; `may_begin` False: there is no room for another trial."""
    begun = len(entries) >= plan.sizes[plan.first] or not may_begin
    for rung in reversed(range(plan.top)):
        found = _promotion(entries, plan, rung, begun)
        if found is not None:
            return Move(kind="go_on", rung=rung + 1, trial=found.trial)
    if not begun:
        return Move(kind="begin", rung=plan.first)
    return Move(kind="wait" if any(entry.pending for entry in entries) else "done")


def after(entries: Sequence[Entry], move: Move) -> tuple[Entry, ...]:
    """Return the entries as they stand once a move is made, its training not yet done."""
    if move.kind == "go_on":
        return tuple(replace(entry, rung=move.rung, pending=True) if entry.trial == move.trial else entry
                     for entry in entries)
    if move.kind == "begin":
        number = max((entry.number for entry in entries), default=0) + 1
        return (*entries, Entry(trial=f"new-{number}", number=number, rung=move.rung, pending=True))
    return tuple(entries)


def left_behind(entries: Sequence[Entry], top: int) -> tuple[Entry, ...]:
    """Return the trials that could have gone on and did not, the best first, those further up before the others."""
    found = [entry for entry in entries if entry.rung < top and not entry.pending and entry.rung in entry.values]
    return tuple(sorted(found, key=lambda entry: (-entry.rung, *(-part for part in entry.values[entry.rung]))))


def _promotion(entries: Sequence[Entry], plan: Plan, rung: int, begun: bool) -> Entry | None:
    moved = sum(entry.rung > rung for entry in entries)
    waiting = _candidates(entries, rung)
    if not waiting or moved >= _allowed(entries, plan, rung, begun):
        return None
    return max(waiting, key=lambda entry: (entry.values[rung], -entry.number))


def _allowed(entries: Sequence[Entry], plan: Plan, rung: int, begun: bool) -> int:
    """Return how many trials may have left a rung upwards by now."""
    quota = plan.sizes[rung + 1]
    if _is_settled(entries, plan, rung, begun):
        return quota
    known = sum(entry.rung > rung or (entry.rung == rung and not entry.pending) for entry in entries)
    if quota >= plan.sizes[rung]:
        return known
    if not plan.early or rung + 1 == plan.top or known < plan.eta:
        return 0
    return min(quota, known * quota // plan.sizes[rung])


def _is_settled(entries: Sequence[Entry], plan: Plan, rung: int, begun: bool) -> bool:
    """Say whether everybody who will ever stand on a rung has a result there."""
    if not begun or any(entry.pending and entry.rung <= rung for entry in entries):
        return False
    return all(sum(entry.rung > lower for entry in entries) >= plan.sizes[lower + 1] or not _candidates(entries, lower)
               for lower in range(rung))


def _candidates(entries: Sequence[Entry], rung: int) -> list[Entry]:
    return [entry for entry in entries
            if entry.rung == rung and not entry.pending and rung in entry.values and not entry.collapsed]
