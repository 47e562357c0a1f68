"""Student's t distribution for whole degrees of freedom, exactly: what a p value and an interval need of it."""

from __future__ import annotations

import math
from functools import lru_cache

_BISECTIONS = 60  # halves a quarter turn below the last bit of a double
MOST_FREEDOM = 1000  # beyond, the normal distribution is as good to four digits


def upper_tail(t: float, freedom: int) -> float:
    """Return the probability that Student's t with so many degrees of freedom is above `t`.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4 (finite sums in the angle whose tangent is t / sqrt(freedom)).
    """
    if freedom < 1:
        raise ValueError(f"Student's t has at least 1 degree of freedom, not {freedom}")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    return _tail(math.atan(t / math.sqrt(min(freedom, MOST_FREEDOM))), min(freedom, MOST_FREEDOM))


@lru_cache(maxsize=4096)
def quantile(p: float, freedom: int) -> float:
    """Return the value that Student's t is below with probability `p`, which lies between 0 and 1."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile is of a probability between 0 and 1, not {p}")
    freedom = min(freedom, MOST_FREEDOM)
    low, high = -math.pi / 2, math.pi / 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if 1.0 - _tail(middle, freedom) < p else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _tail(angle: float, freedom: int) -> float:
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return min(max((1.0 - inside) / 2, 0.0), 1.0)
