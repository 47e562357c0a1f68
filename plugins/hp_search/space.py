"""The campaign's search space in the terms of Optuna and of a grid; values are always the campaign's own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import ParamValue

RESOLUTION = 10_000  # steps that a range is rounded to: 3.728e-4 can be read, 0.00037281928374 cannot


def distributions(space: SearchSpace) -> dict[str, Any]:
    """Return an Optuna distribution for each dimension; a choice is searched by its place in the list.

    By its place, because Optuna knows no lists of numbers, and takes 1 and True for the same choice.
    """
    import optuna.distributions as kinds

    made: dict[str, Any] = {}
    for dimension in space.dimensions:
        if dimension.kind == "choice":
            made[dimension.key] = kinds.CategoricalDistribution(range(len(dimension.choices)))
        elif dimension.kind == "int":
            made[dimension.key] = kinds.IntDistribution(math.ceil(dimension.low), math.floor(dimension.high))
        else:
            made[dimension.key] = kinds.FloatDistribution(
                float(dimension.low), float(dimension.high), log=dimension.kind == "log")
    return made


def to_optuna(space: SearchSpace, params: Mapping[str, ParamValue]) -> dict[str, Any] | None:
    """Return what Optuna knows a trial's settings as, or None when they are not of this space."""
    values: dict[str, Any] = {}
    for dimension in space.dimensions:
        value = params.get(dimension.key)
        if value is None or not dimension.contains(value):
            return None
        values[dimension.key] = _place(dimension, value) if dimension.kind == "choice" else value
    return values


def _place(dimension: Dimension, value: ParamValue) -> int:
    return next(place for place, choice in enumerate(dimension.choices)
                if choice == value and type(choice) is type(value))


def from_optuna(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Return the settings behind Optuna's values, ranges rounded to a readable number inside their bounds."""
    params: dict[str, ParamValue] = {}
    for dimension in space.dimensions:
        value = values[dimension.key]
        if dimension.kind == "choice":
            params[dimension.key] = dimension.choices[value]
        elif dimension.kind == "int":
            params[dimension.key] = int(value)
        else:
            params[dimension.key] = readable(dimension, float(value))
    return params


def readable(dimension: Dimension, value: float) -> float:
    """Return a value of a range rounded to a ten-thousandth of it, and never outside."""
    if dimension.kind == "log":
        step = value * math.log(dimension.high / dimension.low) / RESOLUTION
    else:
        step = (dimension.high - dimension.low) / RESOLUTION
    if step > 0:
        value = round(value, -math.floor(math.log10(step)))
    return min(max(value, float(dimension.low)), float(dimension.high))


def ticks(dimension: Dimension, points: int) -> list[ParamValue]:
    """Return the values of one dimension that a grid tries."""
    if dimension.kind == "choice":
        return list(dimension.choices)
    low, high = dimension.low, dimension.high
    if dimension.kind == "int":
        first, last = math.ceil(low), math.floor(high)
        if last - first < points:
            return list(range(first, last + 1))
        return [round(first + (last - first) * step / (points - 1)) for step in range(points)]
    shares = [step / (points - 1) for step in range(points)]
    values = [low * (high / low) ** share if dimension.kind == "log" else low + (high - low) * share
              for share in shares]
    return list(dict.fromkeys(readable(dimension, value) for value in values))


def grid(space: SearchSpace, points: int) -> list[dict[str, ParamValue]]:
    """Return every combination, the first dimension slowest."""
    keys = [dimension.key for dimension in space.dimensions]
    return [dict(zip(keys, values, strict=True))
            for values in itertools.product(*(ticks(dimension, points) for dimension in space.dimensions))]


def size(space: SearchSpace) -> float:
    """Return how many different settings there are, infinite with any range of numbers."""
    total = 1.0
    for dimension in space.dimensions:
        if dimension.kind == "choice":
            total *= len(dimension.choices)
        elif dimension.kind == "int" or dimension.low == dimension.high:
            total *= math.floor(dimension.high) - math.ceil(dimension.low) + 1 if dimension.kind == "int" else 1
        else:
            return math.inf
    return total


def key_of(space: SearchSpace, params: Mapping[str, ParamValue]) -> str:
    """Return equal texts for settings that are the same within this space, whatever else they hold."""
    values: list[object] = []
    for dimension in space.dimensions:
        value = params.get(dimension.key)
        values.append(float(value) if dimension.kind in ("uniform", "log") and _is_number(value) else value)
    return repr(values)


def distance(space: SearchSpace, one: Mapping[str, ParamValue], other: Mapping[str, ParamValue]) -> float:
    """Return how far two settings lie apart, as the root mean square over the dimensions, 0-1 each."""
    parts = [_apart(dimension, one.get(dimension.key), other.get(dimension.key)) ** 2
             for dimension in space.dimensions]
    return math.sqrt(sum(parts) / len(parts)) if parts else 0.0


def _apart(dimension: Dimension, one: Any, other: Any) -> float:
    if dimension.kind == "choice" or not (_is_number(one) and _is_number(other)):
        return 0.0 if one == other else 1.0
    if dimension.kind == "log":
        whole = math.log(dimension.high / dimension.low)
        return abs(math.log(one / other)) / whole if whole and one > 0 and other > 0 else 0.0
    whole = dimension.high - dimension.low
    return abs(one - other) / whole if whole else 0.0


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
