"""From what the pairs say to a verdict: promote, keep, discard, or inconclusive with the pairs that would decide.

The rule this protects: nothing is confirmed by chance. All claims of a night are corrected together, all looks at one
claim are paid for, and a claim that is not proved says what would prove it, while that is worth hoping for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vbotd.core.verdict.contest import Contest
from vbotd.core.verdict.jointly import joint_quantile, joint_tail
from vbotd.core.verdict.looks import SHARES, newest_look
from vbotd.core.verdict.noise import Noise
from vbotd.core.verdict.student import quantile
from vbotd.domain.trial import Verdict

ALPHA = 0.05  # of nights without a real difference may claim one
WORSE = 0.01  # to throw out what was best in the search; with more, the champion's number becomes one that was chosen
HOPE = 0.05  # the chance of a proof below which further pairs are not worth their training
LIKELY = 0.5
MARGIN = 1.0  # seed-to-seed spreads: a difference that one seed's luck makes is none that matters

Ground = Literal["better", "worse", "hopeful", "alike", "not_worse", "no_gain", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A verdict on a claim and its ground; `p` is corrected for the other claims.

    `further` is how many more pairs would prove it with the probability `chance`; None where it is decided, or where
    no number in reach makes that worth hoping for. `chances` has the same for each look to come, by its pairs.
    """

    verdict: Verdict
    ground: Ground
    p: float
    further: int | None = None
    chance: float = 0.0
    chances: Mapping[int, float] = field(default_factory=dict)


def rulings(contests: Sequence[tuple[Contest, Noise]], claims: int | None = None, *, one_reference: bool = False
            ) -> list[Ruling]:
    """Return the ruling on each claim of a night, in the order given.

    Args:
        claims: counts those that have no pair yet too, so that nothing is proved that they will take back.
        one_reference: all claims are to be better than the same trial, so that its luck is theirs together.
    Statistics: step-down, the clearest claim first, by Dunnett's joint distribution where there is one reference and
    by Holm's bound where there is not.
    """
    among = max(claims or 0, len(contests))
    corrected, worst = [1.0] * len(contests), 0.0
    for place, i in enumerate(sorted(range(len(contests)), key=lambda i: contests[i][0].p)):
        worst = max(worst, _among(*contests[i], among - place, one_reference))
        corrected[i] = worst
    return [_ruling(contest, noise, p, among, one_reference)
            for (contest, noise), p in zip(contests, corrected, strict=True)]


def _among(contest: Contest, noise: Noise, claims: int, one_reference: bool) -> float:
    """Return the p value of a claim that is the clearest of so many."""
    look = newest_look(contest.pairs)
    p = joint_tail(contest.t, noise.freedom, claims) / SHARES[look] if one_reference and look else claims * contest.p
    return min(1.0, p)


def chances(contest: Contest, noise: Noise, claims: int, *, one_reference: bool = False) -> dict[int, float]:
    """Return for each look to come the probability that it proves the claim, by the number of its pairs.

    Statistics: the predictive distribution of the mean difference at that look, nothing assumed but the pairs so far
    (Spiegelhalter, Freedman and Blackburn 1986, Controlled Clinical Trials 7, 8-17), against that look's own bar
    for the first of so many claims. By then the noise is known better: its degrees of freedom grow with the pairs.
    """
    spread = contest.standard_error * math.sqrt(contest.pairs)
    if spread <= 0:
        return {}
    found = {}
    for look, share in SHARES.items():
        if look > contest.pairs:
            freedom = noise.freedom * (look - 1) // max(contest.pairs - 1, 1)
            bar = _bar(ALPHA * share, freedom, claims, one_reference) * spread / math.sqrt(look)
            unknown = spread * math.sqrt(1 / contest.pairs - 1 / look)
            found[look] = _below((contest.difference - bar) / unknown)
    return found


def _bar(error: float, freedom: int, claims: int, one_reference: bool) -> float:
    """Return the t that the clearest of so many claims must reach for so small a chance of an error."""
    if one_reference:
        return joint_quantile(1 - error, freedom, claims)
    return quantile(1 - error / claims, freedom)


def _ruling(contest: Contest, noise: Noise, p: float, claims: int, one_reference: bool) -> Ruling:
    margin = MARGIN * noise.spread
    if p <= ALPHA:
        return Ruling(verdict="promote", ground="better", p=p)
    if contest.p_worse <= WORSE:
        return Ruling(verdict="discard", ground="worse", p=p)
    ahead = chances(contest, noise, claims, one_reference=one_reference)
    look, chance = best_look(ahead)
    if chance >= HOPE:
        return Ruling(verdict="inconclusive", ground="hopeful", p=p, further=look - contest.pairs, chance=chance,
                      chances=ahead)
    if contest.at_least > -margin:
        return Ruling(verdict="keep", ground="alike" if contest.at_most < margin else "not_worse", p=p)
    return Ruling(verdict="inconclusive", ground="no_gain" if contest.at_most < margin else "open", p=p)


def best_look(chance_at: Mapping[int, float]) -> tuple[int, float]:
    """Return the first look at which a proof is likely, else the one at which it is least unlikely; (0, 0) of none."""
    likely = next((look for look, chance in chance_at.items() if chance >= LIKELY), None)
    if likely is None:
        likely = max(chance_at, key=lambda look: chance_at[look], default=0)
    return likely, chance_at.get(likely, 0.0)


def _below(z: float) -> float:
    """Return the probability that a standard normal number is below z."""
    return math.erfc(-z / math.sqrt(2)) / 2
