"""One setting against another, pair by pair: how much better, how sure, and in how many runs out of a hundred.

A pair is a run of each with the same seed, evaluated on the same episodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from vbotd.core.comparison import improvement_over_runs
from vbotd.core.interval import Measured
from vbotd.core.verdict.looks import newest_look, sequential_p
from vbotd.core.verdict.noise import Noise, squared_deviations
from vbotd.core.verdict.student import quantile, upper_tail

SELF_WILLED = 2.5  # a setting whose pairs vary by this factor more than the pooled ones (in variance) speaks for itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What the pairs of two settings say. Differences are ours minus theirs, turned so that more is better.

    `low` and `high` bound the difference with 95 %; `at_least` and `at_most` with 95 % on that side alone. `p` is the
    probability of such a lead, or a larger one, at any look, if ours were no better; `p_worse` of such a lag, if ours
    were no worse. `t` is the lead at the newest look in standard errors, -inf before the first. `improvement` is the
    probability that a run of ours beats one of theirs.
    """

    pairs: int
    wins: int
    difference: float
    low: float
    high: float
    at_least: float
    at_most: float
    p: float
    p_worse: float
    t: float
    standard_error: float
    improvement: Measured


def contest(ours: Sequence[float], theirs: Sequence[float], noise: Noise) -> Contest:
    """Return what pairs of runs say, in the order in which their seeds were given; larger scores are better.

    Statistics: a paired t test with the pooled noise. Where our own differences vary by more than SELF_WILLED, their
    variance is used instead: pooling must not lend a steady baseline's calm to a setting that collapses now and then.
    Raises: ValueError without a pair, or where the scores are not paired.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if not differences:
        raise ValueError("nothing to compare: the settings have no seed in common — train both with the same seeds")
    n, mean = len(differences), fmean(differences)
    error = _standard_error(differences, noise)
    one_sided, two_sided = quantile(0.95, noise.freedom), quantile(0.975, noise.freedom)
    improvement = improvement_over_runs(ours, theirs, "max")
    assert improvement is not None, "there is a pair"
    return Contest(
        pairs=n, wins=sum(d > 0 for d in differences), difference=mean, low=mean - two_sided * error,
        high=mean + two_sided * error, at_least=mean - one_sided * error, at_most=mean + one_sided * error,
        p=sequential_p(n, lambda look: _p_value(differences[:look], noise)),
        p_worse=sequential_p(n, lambda look: _p_value([-d for d in differences[:look]], noise)),
        t=_lead(differences[:look], noise) if (look := newest_look(n)) else -math.inf,
        standard_error=error, improvement=improvement)


def _p_value(differences: Sequence[float], noise: Noise) -> float:
    """Return the one-sided p of the mean being above 0."""
    return upper_tail(_lead(differences, noise), noise.freedom)


def _lead(differences: Sequence[float], noise: Noise) -> float:
    """Return the mean in standard errors, -inf where nothing is known of the noise, which proves nothing."""
    error = _standard_error(differences, noise)
    return fmean(differences) / error if error > 0 else -math.inf


def _standard_error(differences: Sequence[float], noise: Noise) -> float:
    own, pooled = squared_deviations(differences) / max(len(differences) - 1, 1), noise.pair_spread**2
    return math.sqrt((own if own > SELF_WILLED * pooled else pooled) / len(differences))
