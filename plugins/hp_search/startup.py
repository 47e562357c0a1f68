"""Points to learn from before a sampler can: a scrambled Sobol sequence, inside what the task's author expects.

A Sobol sequence leaves no hole and no heap, as random points of this number do. The place in the sequence is told by
the history alone, so the same question has the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import ParamValue, TaskCard

from .space import readable

MOST_POINTS = 512
MOST_DIMENSIONS = 21201  # of scipy's direction numbers


def prior(space: SearchSpace, task: TaskCard | None) -> SearchSpace:
    """Return the space narrowed to where the task's cards say that a search should look, where the two overlap."""
    return SearchSpace(dimensions=tuple(_narrowed(dimension, task) for dimension in space.dimensions))


def _narrowed(dimension: Dimension, task: TaskCard | None) -> Dimension:
    card = task.param(dimension.key) if task else None
    if card is None or card.search is None or dimension.kind == "choice":
        return dimension
    low, high = max(dimension.low, card.search[0]), min(dimension.high, card.search[1])
    if dimension.kind == "int":
        low, high = math.ceil(low), math.floor(high)
    return replace(dimension, low=low, high=high) if low < high else dimension


def spread_points(space: SearchSpace, seed: int) -> Iterator[dict[str, ParamValue]]:
    """Yield at most `MOST_POINTS` settings that fill the space evenly from the first on."""
    from scipy.stats.qmc import Sobol

    dimensions = space.dimensions
    if not 0 < len(dimensions) <= MOST_DIMENSIONS:
        return
    for shares in Sobol(len(dimensions), seed=seed % 2**32).random(MOST_POINTS):
        yield dict(zip((one.key for one in dimensions), _values(dimensions, shares), strict=True))


def _values(dimensions: Sequence[Dimension], shares: Sequence[float]) -> Iterator[ParamValue]:
    for dimension, share in zip(dimensions, shares, strict=True):
        yield value_at(dimension, float(share))


def value_at(dimension: Dimension, share: float) -> ParamValue:
    """Return the value at a share, in [0, 1), of a dimension."""
    if dimension.kind == "choice":
        return dimension.choices[int(share * len(dimension.choices))]
    if dimension.kind == "int":
        low, high = math.ceil(dimension.low), math.floor(dimension.high)
        return min(low + int(share * (high - low + 1)), high)
    if dimension.kind == "log":
        return readable(dimension, dimension.low * (dimension.high / dimension.low) ** share)
    return readable(dimension, dimension.low + share * (dimension.high - dimension.low))
