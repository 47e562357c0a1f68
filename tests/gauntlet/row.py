"""A row of the scoreboard: what was done how often, what came of it, and the bar that it has to pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`figure` is what was measured, in words with units; `failures` are the first cases that went wrong."""

    name: str
    figure: str
    bar: str
    ok: bool
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where a row may work, how much of it is to be done (1.0: all that the bar asks for), and its seed."""

    folder: Path
    share: float = 1.0
    seed: int = 1

    def times(self, full: int, least: int = 1) -> int:
        """Return how often something is done that the bar asks `full` times for."""
        return max(least, round(full * self.share))


Play = Callable[[Trial], Row]


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that the share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
