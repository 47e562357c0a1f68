"""How sure is a rate, one-sided? The bounds that decide about promotion and about forgetting."""

from __future__ import annotations

import math
from collections.abc import Iterable

from vbotd.domain.campaign import Gate
from vbotd.domain.metric import Measurement

Z_ONE_SIDED = 1.6448536269514722  # the 95 % quantile of the normal distribution
Z_TWO_SIDED = 1.959963984540054  # the 97.5 % quantile, which the intervals of measurements are made with


def wilson(rate: float, n: int) -> tuple[float, float]:
    """Return the lower and the upper one-sided 95 % bound of a rate over n episodes.

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    z2 = Z_ONE_SIDED**2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_ONE_SIDED * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return min(max(centre - half, 0.0), rate), max(min(centre + half, 1.0), rate)


def bounds(tag: str, measured: Measurement) -> tuple[float, float]:
    """Return the one-sided 95 % bounds of a measurement: of a rate exactly, of a mean from its interval."""
    if tag.endswith("_rate") and measured.n > 0 and 0.0 <= measured.value <= 1.0:
        return wilson(measured.value, measured.n)
    narrower = Z_ONE_SIDED / Z_TWO_SIDED
    return (measured.value - narrower * (measured.value - measured.low),
            measured.value + narrower * (measured.high - measured.value))


def passes(gate: Gate, measured: Measurement | None) -> bool:
    """Say whether the careful bound of a measurement passes a gate."""
    if measured is None:
        return False
    low, high = bounds(gate.tag, measured)
    return {">=": low >= gate.value, ">": low > gate.value,
            "<=": high <= gate.value, "<": high < gate.value}[gate.op]


def is_out_of_reach(gate: Gate, measured: Measurement | None) -> bool:
    """Say whether even the lucky bound misses a gate."""
    if measured is None:
        return False
    low, high = bounds(gate.tag, measured)
    return high < gate.value if gate.op in (">=", ">") else low > gate.value


def pooled(parts: Iterable[Measurement]) -> Measurement:
    """Return several measurements of the same thing, on different episodes, as one; at least one is given."""
    given = list(parts)
    n = sum(part.n for part in given)
    weights = [part.n / n if n else 1 / len(given) for part in given]
    value = math.fsum(weight * part.value for weight, part in zip(weights, given, strict=True))
    below = math.sqrt(math.fsum((w * (p.value - p.low)) ** 2 for w, p in zip(weights, given, strict=True)))
    above = math.sqrt(math.fsum((w * (p.high - p.value)) ** 2 for w, p in zip(weights, given, strict=True)))
    return Measurement(value=value, low=value - below, high=value + above, n=n)


def sure_drop(tag: str, before: Measurement, now: Measurement, *, less_is_better: bool = False) -> float:
    """Return the lower one-sided 95 % bound of how much worse a metric has become; negative where it may be better.

    Source: Newcombe 1998, Statistics in Medicine 17, method 10: the bounds of both rates, added in squares.
    """
    before_low, before_high = bounds(tag, before)
    now_low, now_high = bounds(tag, now)
    if less_is_better:
        return now.value - before.value - math.hypot(now.value - now_low, before_high - before.value)
    return before.value - now.value - math.hypot(before.value - before_low, now_high - now.value)
