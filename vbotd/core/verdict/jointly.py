"""How large is the largest of several leads over one reference, if none of them is real?

Settings that are compared with the same runs of one reference err together: where the reference had bad luck, all seem
better. A correction that counts the comparisons as if they had nothing in common (Holm's) is stricter than it need be.
"""

from __future__ import annotations

import math
from functools import lru_cache

from vbotd.core.verdict.student import MOST_FREEDOM, quantile, upper_tail

CORRELATION = 0.5  # of two differences that have the reference's runs in common, where all runs scatter alike
_BISECTIONS = 40
_Z = tuple(0.5 * place for place in range(-13, 14))  # trapezoids are all but exact for what dies away like this
_Z_WEIGHTS = tuple(0.5 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in _Z)


def joint_tail(t: float, freedom: int, claims: int) -> float:
    """Return the probability that the largest of so many Student's t with one reference in common is above `t`.

    They share the estimate of the noise, with so many degrees of freedom, too.
    Source: Dunnett 1955, Journal of the American Statistical Association 50, 1096-1121; one-sided.
    """
    if claims < 2 or math.isinf(t):
        return upper_tail(t, freedom)
    common, own = math.sqrt(CORRELATION), math.sqrt(2 * (1 - CORRELATION))
    below = 0.0
    for scale, weight in _scales(min(freedom, MOST_FREEDOM)):
        bar = t * scale
        inside = sum(share * (math.erfc((common * z - bar) / own) / 2) ** claims
                     for z, share in zip(_Z, _Z_WEIGHTS, strict=True))
        below += weight * inside
    return min(max(1.0 - below, 0.0), 1.0)


@lru_cache(maxsize=4096)
def joint_quantile(p: float, freedom: int, claims: int) -> float:
    """Return the value that the largest of so many is below with probability `p`, at least a half."""
    low, high = quantile(p, freedom), quantile(1.0 - (1.0 - p) / claims, freedom)  # one claim; as if independent
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if 1.0 - joint_tail(middle, freedom, claims) < p else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=1024)
def _scales(freedom: int) -> tuple[tuple[float, float], ...]:
    """Return what the estimated noise may be as a share of the true one, with the probability of each.

    Its logarithm is spaced evenly; to the left it dies away like exp(freedom x), to the right faster than any power.
    """
    width = 1 / math.sqrt(2 * freedom)
    step = 0.5 * width
    first, last = -math.ceil((6 * width + 14 / freedom) / step), math.ceil(5 * width / step)
    logs = [place * step for place in range(first, last + 1)]
    weights = [math.exp(freedom * (x - (math.exp(2 * x) - 1) / 2)) for x in logs]
    return tuple((math.exp(x), weight / math.fsum(weights)) for x, weight in zip(logs, weights, strict=True))
