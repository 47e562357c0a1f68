"""How sure is a measured number? 95 % intervals of rates and means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

Z_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


class Measured(TypedDict):
    """A measured value as `result.json` holds it."""

    value: float
    low: float
    high: float
    n: int


def of_rate(hits: int, n: int) -> Measured:
    """Return a rate with its Wilson interval, which stays inside 0-1 and is honest at 0 and n hits.

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    if n <= 0:
        raise ValueError("a rate of no episodes is no number — evaluate at least one")
    rate = hits / n
    centre = (rate + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 * math.sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n * n)) / (1 + Z_95**2 / n)
    return Measured(value=rate, low=min(max(centre - half, 0.0), rate), high=max(min(centre + half, 1.0), rate), n=n)


def of_mean(values: Sequence[float]) -> Measured:
    """Return the mean of n >= 1 values with its Student interval (for n = 1: the value itself, and no width)."""
    n = len(values)
    if n == 0:
        raise ValueError("a mean of no values is no number — evaluate at least one episode")
    mean = math.fsum(values) / n
    if n == 1:
        return Measured(value=mean, low=mean, high=mean, n=1)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = student_975(n - 1) * spread / math.sqrt(n)
    return Measured(value=mean, low=mean - half, high=mean + half, n=n)


def student_975(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, to 1 % from 3 degrees of freedom on.

    Source: Abramowitz and Stegun 1964, 26.7.5; exact values for 1 and 2, where the expansion is poor.
    """
    if freedom <= 2:
        return (12.706, 4.303)[freedom - 1]
    z, v = Z_95, float(freedom)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / v + g2 / v**2 + g3 / v**3
