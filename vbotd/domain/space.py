"""The search space of a campaign: which settings may vary, and within what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vbotd.domain.task import ParamValue

DimensionKind = Literal["uniform", "log", "int", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One searched setting: a range (`uniform`, `log`, `int`, bounds included) or a list of `choices`."""

    key: str
    kind: DimensionKind
    low: float = 0.0
    high: float = 0.0
    choices: tuple[ParamValue, ...] = ()

    def contains(self, value: ParamValue) -> bool:
        """Say whether a proposed value lies inside this dimension (a bool is never a number here)."""
        if self.kind == "choice":
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        return self.low <= value <= self.high

    def allowed(self) -> str:
        """Return the rule in words, for an error message."""
        if self.kind == "choice":
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        return f"{self.kind} in [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """The dimensions in the order of the file; empty when a campaign only repeats one setting."""

    dimensions: tuple[Dimension, ...] = ()

    def problems(self, params: Mapping[str, ParamValue]) -> tuple[str, ...]:
        """Return what is wrong with a proposal's parameters, nothing when they fit the space."""
        known = {dimension.key: dimension for dimension in self.dimensions}
        found = [f"'{key}' is not in the search space (it has {', '.join(known) or 'no dimension'})"
                 for key in params if key not in known]
        for key, dimension in known.items():
            if key not in params:
                found.append(f"'{key}' is missing")
            elif not dimension.contains(params[key]):
                found.append(f"'{key}' is {params[key]!r}, allowed is {dimension.allowed()}")
        return tuple(found)
