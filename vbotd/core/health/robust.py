"""Statistics that a few wild points do not move: medians, ranks, slopes of pairs. Pure, and linear where it can be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import erfc, sqrt
from statistics import median

SIGMA_OF_MAD = 1.4826  # of a normal distribution
MOST_FOR_PAIRS = 60  # points; slopes of pairs grow with the square


def mad_sigma(values: Sequence[float]) -> float:
    """Return the standard deviation that the median absolute deviation stands for; 0 of fewer than two values."""
    if len(values) < 2:
        return 0.0
    middle = median(values)
    return SIGMA_OF_MAD * median([abs(value - middle) for value in values])


def noise_sigma(values: Sequence[float]) -> float:
    """Return the standard deviation of what is no trend: from neighbours' differences, which a trend moves little."""
    return mad_sigma([b - a for a, b in pairwise(values)]) / sqrt(2.0)


def wander_sigma(values: Sequence[float], half: int = 5) -> float:
    """Return the standard deviation around the median of the neighbours: noise that lasts for some values, too."""
    return mad_sigma([value - median(values[max(0, place - half):place + half + 1])
                      for place, value in enumerate(values)])


def rolling_median(values: Sequence[float], width: int) -> list[float]:
    """Return for each place the median of the last `width` values up to it; nothing looks ahead."""
    return [median(values[max(0, end - width):end]) for end in range(1, len(values) + 1)]


def thinned(values: Sequence[float], most: int = MOST_FOR_PAIRS) -> list[float]:
    """Return at most `most` of the values, evenly spaced, first and last among them."""
    if len(values) <= most:
        return list(values)
    return [values[i * (len(values) - 1) // (most - 1)] for i in range(most)]


def theil_sen(values: Sequence[float]) -> float:
    """Return the change over the whole of the values that the median slope of all pairs means; 0 of fewer than two.

    Source: Sen 1968, Journal of the American Statistical Association 63.
    """
    few = thinned(values)
    if len(few) < 2:
        return 0.0
    return median([(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(few), 2)]) * (len(few) - 1)


def mann_kendall(values: Sequence[float]) -> float:
    """Return the two-sided p of "there is no trend"; 1 where there is nothing to compare.

    Source: Mann 1945, Econometrica 13; the normal approximation, without the correction for ties.
    """
    few = thinned(values)
    n = len(few)
    if n < 4:
        return 1.0
    score = sum((b > a) - (b < a) for a, b in combinations(few, 2))
    if score == 0:
        return 1.0
    z = (abs(score) - 1) / sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return erfc(z / sqrt(2.0))


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 0; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    place = 0
    while place < len(order):
        end = place
        while end + 1 < len(order) and values[order[end + 1]] == values[order[place]]:
            end += 1
        for index in order[place:end + 1]:
            found[index] = (place + end) / 2
        place = end + 1
    return found


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the rank correlation of two series of one length; 0 where one of them never changes."""
    a, b = ranks(first), ranks(second)
    if len(a) < 2:
        return 0.0
    middle = (len(a) - 1) / 2
    covariance = sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    spread = sqrt(sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b))
    return covariance / spread if spread else 0.0


def page_hinkley(values: Sequence[float], *, allowed: float, bar: float) -> int | None:
    """Return where the values have sunk below their own running mean for good, None where they have not.

    `allowed` is the sinking a value that counts for nothing, `bar` how much of the rest adds up to an alarm.
    Source: Page 1954, Biometrika 41.
    """
    mean = total = highest = 0.0
    for place, value in enumerate(values):
        mean += (value - mean) / (place + 1)
        total += value - mean + allowed
        highest = max(highest, total)
        if highest - total > bar:
            return place
    return None


def held(flags: Sequence[bool], times: int) -> int | None:
    """Return the first place at which a flag has been true `times` times in a row, None where there is none."""
    in_a_row = 0
    for place, flag in enumerate(flags):
        in_a_row = in_a_row + 1 if flag else 0
        if in_a_row >= times:
            return place
    return None
