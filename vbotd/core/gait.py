"""How does the robot step? Stances and swings of its feet, from their contacts over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

FEET = ("FR", "FL", "RR", "RL")  # front right, front left, rear right, rear left
SHORT_S = 0.04  # a gap or a touch of up to two control steps is a bounce, no step


@dataclass(frozen=True, slots=True, kw_only=True)
class FootGait:
    """One foot's stepping.

    `duty` is the share 0-1 of the time on the ground, `swing_s` the mean length of its whole swings (None: none).
    """

    foot: str
    duty: float
    steps_per_s: float
    swing_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gait:
    """The stepping of all feet.

    `diagonal` is the share 0-1 of the time in which the feet of a diagonal agree (1 in a trot, 0.5 at random),
    `lateral` and `same_end` are the same for the two feet of a side (a pace) and of an end (a bound);
    `airborne` is the share without any foot on the ground.
    """

    feet: tuple[FootGait, ...]
    diagonal: float
    lateral: float
    same_end: float
    airborne: float


def spans(contact: Sequence[bool], dt_s: float, short_s: float = 0.0) -> list[tuple[float, float]]:
    """Return begin and end, in seconds, of the stances in a foot's contacts, one a control step of `dt_s`.

    Swings of at most `short_s` between two stances are closed, then stances that short are dropped.
    """
    found: list[tuple[int, int]] = []
    begin = None
    for i, down in enumerate([*contact, False]):
        if down and begin is None:
            begin = i
        elif not down and begin is not None:
            if found and (begin - found[-1][1]) * dt_s <= short_s + 1e-9:
                found[-1] = (found[-1][0], i)
            else:
                found.append((begin, i))
            begin = None
    return [(a * dt_s, b * dt_s) for a, b in found if (b - a) * dt_s > short_s + 1e-9 or short_s == 0.0]


def gait(contacts: Sequence[Sequence[bool]], dt_s: float) -> Gait:
    """Return the stepping in the contacts [T][4] of the feet, one row a control step of `dt_s`.

    Raises: ValueError without a single control step.
    """
    if not contacts:
        raise ValueError("a gait needs at least one control step")
    fr, fl, rr, rl = zip(*contacts, strict=True)

    def agree(pairs: Sequence[tuple[Sequence[bool], Sequence[bool]]]) -> float:
        return fmean(a == b for one, other in pairs for a, b in zip(one, other, strict=True))

    return Gait(
        feet=tuple(_foot(name, column, dt_s) for name, column in zip(FEET, (fr, fl, rr, rl), strict=True)),
        diagonal=agree([(fr, rl), (fl, rr)]), lateral=agree([(fr, rr), (fl, rl)]), same_end=agree([(fr, fl), (rr, rl)]),
        airborne=fmean(not any(row) for row in contacts))


def _foot(name: str, contact: Sequence[bool], dt_s: float) -> FootGait:
    stances = spans(contact, dt_s, SHORT_S)
    swings = [after[0] - before[1] for before, after in pairwise(stances)]
    return FootGait(foot=name, duty=fmean(contact), steps_per_s=len(swings) / (len(contact) * dt_s),
                    swing_s=fmean(swings) if swings else None)
