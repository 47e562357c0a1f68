"""How sure is it that one is better than the other? Paired differences, and the probability of improvement.

What is paired are the same episode instances; what is compared between settings are training runs, never episodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from vbotd.core.accounts import Accounts, is_rate_column, tag_of
from vbotd.core.interval import Z_95, Measured, of_mean, of_rate
from vbotd.domain.metric import Direction

_BISECTIONS = 60  # halves 0-1 below the last bit of a double


def pairs_of(ours: Sequence[float], theirs: Sequence[float]) -> list[tuple[float, float]]:
    """Return the episodes in which both have a number."""
    return [(a, b) for a, b in zip(ours, theirs, strict=True) if math.isfinite(a) and math.isfinite(b)]


def metric_differences(ours: Accounts, theirs: Accounts) -> dict[str, Measured]:
    """Return ours minus theirs of every account that both have, by tag; the episodes must be the same ones."""
    found = {tag_of(name): paired_difference(column, theirs.columns[name], is_rate=is_rate_column(name))
             for name, column in ours.columns.items() if name in theirs.columns}
    return {tag: measured for tag, measured in found.items() if measured is not None}


def paired_difference(ours: Sequence[float], theirs: Sequence[float], *, is_rate: bool) -> Measured | None:
    """Return ours minus theirs over the same episodes, with its 95 % interval; None where no pair has numbers."""
    pairs = pairs_of(ours, theirs)
    if not pairs:
        return None
    return _rate_difference(pairs) if is_rate else of_mean([a - b for a, b in pairs])


def _rate_difference(pairs: Sequence[tuple[float, float]]) -> Measured:
    """Return the difference of two paired rates; it keeps a width where all pairs agree.

    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10 (Wilson limits, and the correlation of the
    pairs with a continuity correction).
    """
    n = len(pairs)
    both = sum(a > 0.5 and b > 0.5 for a, b in pairs)
    only_ours = sum(a > 0.5 >= b for a, b in pairs)
    only_theirs = sum(b > 0.5 >= a for a, b in pairs)
    neither = n - both - only_ours - only_theirs
    one, other = of_rate(both + only_ours, n), of_rate(both + only_theirs, n)
    margins = math.prod((both + only_ours, neither + only_theirs, both + only_theirs, neither + only_ours))
    cross = both * neither - only_ours * only_theirs
    phi = (max(cross - n / 2, 0.0) if cross > 0 else float(cross)) / math.sqrt(margins) if margins else 0.0

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(down**2 - 2 * phi * down * up + up**2, 0.0))

    difference = one["value"] - other["value"]
    below = reach(one["value"] - one["low"], other["high"] - other["value"])
    above = reach(one["high"] - one["value"], other["value"] - other["low"])
    return Measured(value=difference, low=max(difference - below, -1.0), high=min(difference + above, 1.0), n=n)


def improvement_over_episodes(ours: Sequence[float], theirs: Sequence[float], direction: Direction) -> Measured | None:
    """Return the probability that ours does better in an episode, a tie counting half; None without a pair.

    It speaks of the two checkpoints that were measured: their settings, trained again, may come out the other way.
    Statistics: a Wilson interval of wins and half the ties, wider than need be where there are ties.
    """
    pairs = pairs_of(ours, theirs)
    if not pairs:
        return None
    return _wilson(sum(_win(a, b, direction) for a, b in pairs) / len(pairs), len(pairs))


def improvement_over_runs(ours: Sequence[float], theirs: Sequence[float], direction: Direction) -> Measured | None:
    """Return the probability that a run of ours beats a run of theirs, one score a run; None where a side is empty.

    `n` is the smaller number of runs. The interval stays wide where few runs are cleanly apart: three against three
    prove little, whatever the bootstrap says.
    Source: Agarwal et al. 2021, arXiv:2108.13264 (the quantity, Mann and Whitney's U over all pairs); Newcombe 2006,
    Statistics in Medicine 25, 559-573, method 5 (its interval).
    """
    ours, theirs = [x for x in ours if math.isfinite(x)], [y for y in theirs if math.isfinite(y)]
    if not ours or not theirs:
        return None
    m, n = len(ours), len(theirs)
    value = sum(_win(x, y, direction) for x in ours for y in theirs) / (m * n)
    weight = (m + n) / 2 - 1

    def half_width(theta: float) -> float:
        spread = 1 + weight * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return Z_95 * math.sqrt(theta * (1 - theta) * spread / (m * n))

    low = _root(lambda theta: theta + half_width(theta) - value, 0.0, value)
    high = _root(lambda theta: theta - half_width(theta) - value, value, 1.0)
    return Measured(value=value, low=min(low, value), high=max(high, value), n=min(m, n))


def _win(x: float, y: float, direction: Direction) -> float:
    """Return 1 where x is better than y, a half where they are equal."""
    return 0.5 if x == y else float((x > y) == (direction == "max"))


def _wilson(rate: float, n: int) -> Measured:
    centre = (rate + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 * math.sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n * n)) / (1 + Z_95**2 / n)
    return Measured(value=rate, low=min(max(centre - half, 0.0), rate), high=max(min(centre + half, 1.0), rate), n=n)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that is below 0 at `low` and above 0 at `high` crosses 0."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
