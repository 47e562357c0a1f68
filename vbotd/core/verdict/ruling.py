"""From what the pairs say to a verdict: promote, keep, discard, or inconclusive with the pairs that would decide.

The rule this protects: nothing is confirmed by chance. All claims of a night are corrected together, all looks at one
claim are paid for, and a claim that is not proved says what would prove it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vbotd.core.holm import holm
from vbotd.core.verdict.contest import Contest
from vbotd.core.verdict.looks import FEWEST_PAIRS, SHARES, next_look
from vbotd.core.verdict.noise import Noise
from vbotd.core.verdict.student import quantile
from vbotd.domain.trial import Verdict

ALPHA = 0.05  # of nights without a real difference may claim one
POWER = 0.8  # the chance of a decision that the pairs still needed are counted for
FEWEST_TO_REJECT = 3  # pairs; to give up needs less proof than to promise
ACCEPTED_MARGIN = 1.0  # seed-to-seed spreads: a difference that one seed's luck makes is none that matters

Ground = Literal["better", "few", "worse", "alike", "leading", "not_worse", "no_gain", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A verdict on a claim and its ground; `p` is corrected for the other claims, `margin` is what counts as alike.

    `further` is how many more pairs would decide it, None where it is decided or no number in reach would do.
    """

    verdict: Verdict
    ground: Ground
    p: float
    margin: float
    further: int | None = None


def rulings(contests: Sequence[tuple[Contest, Noise]], claims: int | None = None) -> list[Ruling]:
    """Return the ruling on each claim of a night, in the order given.

    `claims` counts those that have no pair yet too, so that nothing is proved that they will take back.
    """
    among = max(claims or 0, len(contests))
    unheard = [1.0] * (among - len(contests))
    p_values = holm([*(contest.p for contest, _ in contests), *unheard])
    return [_ruling(contest, noise, p, among) for (contest, noise), p in zip(contests, p_values, strict=False)]


def _ruling(contest: Contest, noise: Noise, p: float, claims: int) -> Ruling:
    margin = ACCEPTED_MARGIN * noise.spread
    verdict, ground, further = _decided(contest, p, margin) or _undecided(contest, claims, margin, noise)
    return Ruling(verdict=verdict, ground=ground, p=p, margin=margin, further=further)


def _decided(contest: Contest, p: float, margin: float) -> tuple[Verdict, Ground, int | None] | None:
    """Return what is proved already, None where nothing is."""
    if p <= ALPHA:
        return "promote", "better", None
    if contest.pairs < FEWEST_TO_REJECT:
        return "inconclusive", "few", FEWEST_PAIRS - contest.pairs
    if contest.at_most < 0:
        return "discard", "worse", None
    if contest.at_least > -margin and contest.at_most < margin:
        return "keep", "alike", None
    return None


def _undecided(contest: Contest, claims: int, margin: float, noise: Noise) -> tuple[Verdict, Ground, int | None]:
    """Return what to do about a claim that is neither proved nor refuted: go on where that is in reach."""
    to_prove = _further(contest, _pairs_to_prove(contest, claims, noise))
    if to_prove is not None:
        return "inconclusive", "leading", to_prove
    if contest.at_least > -margin:
        return "keep", "not_worse", None
    if contest.at_most < margin:
        return "discard", "no_gain", None
    return "inconclusive", "open", _further(contest, _pairs_to_settle(contest, margin, noise))


def _further(contest: Contest, wanted: float) -> int | None:
    """Return how many more pairs make so many, rounded up to a look; None beyond the last look."""
    look = next_look(max(wanted, contest.pairs + 1))
    return None if look is None else look - contest.pairs


def _pairs_to_prove(contest: Contest, claims: int, noise: Noise) -> float:
    """Return with how many pairs the lead so far would probably be proved; the first look at the least."""
    if contest.difference <= 0:
        return math.inf
    return next((look for look in SHARES if _pairs(contest, contest.difference, SHARES[look] * ALPHA / claims, noise)
                 <= look), math.inf)


def _pairs_to_settle(contest: Contest, margin: float, noise: Noise) -> float:
    """Return with how many pairs one would probably know that it is no worse, or that there is nothing to gain."""
    return _pairs(contest, margin + abs(contest.difference), ALPHA, noise)


def _pairs(contest: Contest, distance: float, error: float, noise: Noise) -> float:
    """Return how many pairs find a distance with that error and POWER."""
    if distance <= 0:
        return math.inf
    spread = contest.standard_error * math.sqrt(contest.pairs)
    reach = quantile(1 - error, noise.freedom) + quantile(POWER, noise.freedom)
    return (reach * spread / distance) ** 2
