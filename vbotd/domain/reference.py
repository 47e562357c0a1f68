"""What is to be known of a task beyond its settings? Rows of tables, made from the objects that training uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TermFamily = Literal["reward", "cost", "progress", "event"]
EndingKind = Literal["success", "fall", "time-out", "diverged"]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationRow:
    """A quantity that the policy sees: `size` columns from `first` on, in the unit that scales them.

    `noise` is the largest error at `env.obs_noise: 1`; `switch` names the setting without which it is missing.
    """

    name: str
    first: int
    size: int
    unit: str
    noise: float
    summary: str
    switch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRow:
    """A reward term. `family` says how its weight counts: rates per second, progress per unit, events each.

    `allowed` bounds the weight, `search` is where a search should look (None: around the default).
    """

    name: str
    family: TermFamily
    default: float
    allowed: Range
    search: Range | None
    unit: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A way for an episode to end. A time-out is no termination: the value of what would follow still counts."""

    name: str
    kind: EndingKind
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerrainRow:
    """A part of the ground, in metres: `x` to the right, `y` along the course, `top` its upper side's heights.

    A range of None is without end.
    """

    name: str
    shape: str
    x: Range | None
    y: Range | None
    top: Range
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaypointRow:
    """A place that a robot must reach. Places of one `step` may be reached in any order, steps one after the other.

    `within` says how near is there; `is_counted` whether it is one of the waypoints that a policy is judged by.
    """

    name: str
    step: int
    xy: tuple[float, float]
    points: float
    within: str
    is_counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRow:
    """One way through the task, and what all of it is worth; `setting` chooses it ("": there is no other)."""

    name: str
    setting: str
    points: float
    waypoints: tuple[WaypointRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploit:
    """Something easier than the task that a learner once was paid for, and would be again with `settings`.

    `shows` is what gives it away in the figures of a run, `guard` what keeps it out; `preset` holds the numbers that
    it was found with ("": none).
    """

    name: str
    summary: str
    settings: tuple[str, ...]
    shows: str
    guard: str
    preset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReference:
    """Everything about one task that its card does not say. `scoring` and `ground` are sentences about the tables."""

    observation: tuple[ObservationRow, ...]
    action: str
    terms: tuple[TermRow, ...]
    endings: tuple[Ending, ...]
    ground: tuple[str, ...]
    terrain: tuple[TerrainRow, ...]
    scoring: tuple[str, ...]
    routes: tuple[RouteRow, ...]
    exploits: tuple[Exploit, ...]
