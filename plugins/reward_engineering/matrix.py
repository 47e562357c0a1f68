"""Was a change good? The decision matrix: pairs of runs that differ in one weight and share their seed in, a word out.

Adopt what is better, every time, without side effects; iterate on what has small ones; rethink what has large ones; ask
for more seeds where the pairs contradict each other; reject what is no better. A handful of pairs confirms nothing: the
chance that a coin does as well is told with every decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

Verdict = Literal["adopt", "iterate", "rethink", "inconclusive", "reject"]

MINOR, MAJOR = 0.05, 0.15  # of a rate, how much worse counts as a side effect
MINOR_SHARE, MAJOR_SHARE = 0.2, 0.5  # of another quantity, in shares of what it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The task's metric with one seed before and after the change, more is better."""

    seed: int
    before: float
    after: float

    @property
    def gain(self) -> float:
        """How much better it got."""
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class SideEffect:
    """What got worse beside the metric: its tag, means before and after, and whether it is a large one."""

    tag: str
    before: float
    after: float
    is_major: bool

    def words(self) -> str:
        """Return it as a person reads it."""
        return f"{self.tag} {self.before:.3g} → {self.after:.3g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from the pairs, and why."""

    verdict: Verdict
    why: str
    gain: float


def decide(pairs: Sequence[Pair], effects: Sequence[SideEffect], *, least_gain: float, most_pairs: int) -> Decision:
    """Return the decision on a change.

    Args:
        pairs: at least one.
        effects: what got worse beside the metric.
        least_gain: a mean gain below is none.
        most_pairs: with so many, no more are asked for.
    """
    gain = mean(pair.gain for pair in pairs)
    up, down = sum(pair.gain > 0 for pair in pairs), sum(pair.gain < 0 for pair in pairs)
    facts = f"{_signed(gain)} on average, better in {up} of {_pairs(len(pairs))}"
    contradict = up > 0 and down > 0
    if contradict and len(pairs) < most_pairs and abs(gain) > least_gain / 2.0:
        return Decision(verdict="inconclusive", gain=gain, why=f"{facts}: they contradict each other")
    if gain < least_gain:
        return Decision(verdict="reject", gain=gain, why=f"{facts}: no gain of {least_gain:g}")
    if contradict:
        return Decision(verdict="inconclusive", gain=gain, why=f"{facts}, and no more seeds to ask")
    told = ", ".join(effect.words() for effect in effects)
    if any(effect.is_major for effect in effects):
        return Decision(verdict="rethink", gain=gain, why=f"{facts}, but {told}")
    if effects:
        return Decision(verdict="iterate", gain=gain, why=f"{facts}, but {told}")
    return Decision(verdict="adopt", gain=gain, why=f"{facts}, nothing got worse; {_chance(len(pairs))}")


def side_effects(before: Mapping[str, float], after: Mapping[str, float], worse: Mapping[str, int]
                 ) -> tuple[SideEffect, ...]:
    """Return what got worse between two sets of means; `worse` is +1 where more of a tag is worse, -1 where less is."""
    found = []
    for tag, sign in worse.items():
        if tag not in before or tag not in after:
            continue
        loss = sign * (after[tag] - before[tag])
        is_rate = tag.endswith("_rate")
        minor, major = (MINOR, MAJOR) if is_rate else (
            MINOR_SHARE * abs(before[tag]), MAJOR_SHARE * abs(before[tag]))
        if loss > max(minor, 1e-9):
            found.append(SideEffect(tag=tag, before=before[tag], after=after[tag], is_major=loss > major))
    return tuple(found)


def is_promising(pair: Pair, least_gain: float) -> bool:
    """Say whether a change that was tried with one seed is worth the others."""
    return pair.gain >= least_gain / 2.0


def _chance(pairs: int) -> str:
    """Say how often a change that does nothing would look as good: a sign test, one-sided."""
    return f"a change that does nothing would do so in {0.5 ** pairs:.1%} of such tests"


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


def _signed(value: float) -> str:
    return f"{value:+.3f}"
