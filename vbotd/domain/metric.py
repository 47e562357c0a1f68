"""What is measured, and how a measured number is told apart from a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["max", "min"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCard:
    """The published description of a metric: its tag, unit and which way is better."""

    tag: str
    direction: Direction = "max"
    unit: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A measured value with its 95 % interval and the number of episodes behind it."""

    value: float
    low: float
    high: float
    n: int
