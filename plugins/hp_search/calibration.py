"""Does a rung rank trials as the whole training does? Spearman's correlation, with an interval from a bootstrap.

A rung whose order says nothing of the end is dropped, one that says nearly all may be shorter. Before there are pairs
enough, the lowest rung counts only if its trials differ there: where all are still on the floor, it ranks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vbotd.domain.history import History

from .halving import Value
from .planning import Ladder
from .results import results_of, value_of

Pair = tuple[Value, Value]  # at the rung, at the end
Advice = Literal["keep", "drop", "shorten"]
FEWEST_PAIRS = 8
USELESS, PERFECT = 0.4, 0.8  # the interval below the one, or above the other, decides
FEWEST_ON_THE_FLOOR = 4
RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How well a rung ranks: the correlation with its 95 % interval, of so many pairs. None: too few, or no order."""

    pairs: int
    correlation: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def advice(self) -> Advice:
        """What to do with the rung."""
        if self.low is None or self.high is None:
            return "keep"
        return "drop" if self.high < USELESS else "shorten" if self.low > PERFECT else "keep"


def fidelity(pairs: Sequence[Pair], seed: int = 0) -> Fidelity:
    """Return how well a rung ranks, by the trials that were trained beyond it to the end."""
    from scipy.stats import rankdata

    if len(pairs) < FEWEST_PAIRS:
        return Fidelity(pairs=len(pairs))
    here, end = (_order([pair[side] for pair in pairs]) for side in (0, 1))
    (whole,) = _correlations(rankdata(here)[None], rankdata(end)[None])
    if np.isnan(whole):
        return Fidelity(pairs=len(pairs))
    draws = np.random.default_rng(seed).integers(0, len(pairs), size=(RESAMPLES, len(pairs)))
    found = _correlations(rankdata(here[draws], axis=1), rankdata(end[draws], axis=1))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Fidelity(pairs=len(pairs), correlation=float(whole), low=float(low), high=float(high))


def _order(values: Sequence[Value]) -> np.ndarray:
    """Return a number for each value that orders them alike."""
    places = {value: place for place, value in enumerate(sorted(set(values)))}
    return np.array([places[value] for value in values])


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlation of each row with the other's; NaN where all of a row is equal."""
    one, other = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return found


def pairs_of(histories: Sequence[History], steps: Ladder, rung: int) -> list[Pair]:
    """Return (score at the rung, score at the end) of every trial that has both, in campaigns of the same lengths."""
    found = []
    for history in histories:
        for trial in history.trials:
            known = {result.env_steps: value_of(history, result) for result in results_of(history, trial)}
            if steps.rungs[rung] in known and steps.horizon in known:
                found.append((known[steps.rungs[rung]], known[steps.horizon]))
    return found


def on_the_floor(successes: Sequence[float], noise: float) -> bool:
    """Say whether the trials of a rung do not differ in success beyond the noise of a score.

    Quality does not count here: among robots that all fail, the best at it is often the one that does least.
    """
    return len(successes) >= FEWEST_ON_THE_FLOOR and max(successes) - min(successes) < noise
