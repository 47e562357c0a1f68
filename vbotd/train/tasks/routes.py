"""Where must a robot go, in which order, and what is it worth? The routes of the course, by the published rules.

Section 011 (20 points): 3 smileys on the bumpy field, 4 each; 3 red packets on the ramp, 2 each; celebration 2.
Section 012 (60): waves to stairs 10; left stairs to the bridge or right stairs to the river bed 5; over the bridge by
its red packet to the stair head 10; down the stairs to the platform 5; river bed to the stairs 5; five stones 3 each;
two red packets under the bridge 5 each; celebration 5. No route collects all of it: see `SECTION012_ROUTES`.
Section 013 (25): past the balls 10 without touching one, 15 with; final platform 5; celebration 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ANY_Z = (-10.0, 10.0)
FOOTPRINT_HALF_M = (0.25, 0.15)  # a spot counts when this rectangle around the base, turned with it, covers it


@dataclass(frozen=True, slots=True, kw_only=True)
class Waypoint:
    """One place of a route. Places of one group may be reached in any order; groups come one after the other.

    `radius_m` 0: the robot's footprint must cover the spot. `z` gates the base's height above the world's origin.
    """

    name: str
    xy: tuple[float, float]
    group: int
    points: float = 0.0
    radius_m: float = 0.0
    z: tuple[float, float] = ANY_Z
    counted: bool = True  # part of the number of waypoints that a policy is judged by


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An ordered list of places, and the celebration at its end: walk to `sit_at`, and sit down."""

    name: str
    waypoints: tuple[Waypoint, ...]
    sit_at: tuple[float, float]
    celebration_points: float

    @property
    def points(self) -> float:
        """What the whole route is worth."""
        return sum(w.points for w in self.waypoints) + self.celebration_points


def _line(start: int, rows: tuple[tuple, ...], **common: object) -> tuple[Waypoint, ...]:
    """Return waypoints of one group each, from (name, x, y, points, radius) rows."""
    return tuple(
        Waypoint(name=name, xy=(x, y), group=start + i, points=points, radius_m=radius, **common)  # type: ignore[arg-type]
        for i, (name, x, y, points, radius) in enumerate(rows)
    )


SECTION011 = Route(
    name="left-to-right",
    waypoints=(
        *(Waypoint(name=f"smiley {i + 1}", xy=(x, 0.0), group=0, points=4.0) for i, x in enumerate((-3.0, 0.0, 3.0))),
        # From the last smiley on, so that the way leads on and not back.
        *(Waypoint(name=f"packet {i + 1}", xy=(x, 4.4), group=1, points=2.0) for i, x in enumerate((3.0, 0.0, -3.0))),
        Waypoint(name="platform", xy=(0.0, 7.83), group=2, radius_m=0.5, z=(1.0, 10.0)),
    ),
    sit_at=(4.0, 7.83),
    celebration_points=2.0,
)

_DECK_Z = (2.7, 10.0)
_BED_Z = (-10.0, 2.5)
_BRIDGE = (
    Waypoint(name="left stairs", xy=(-3.0, 14.6), group=10, points=5.0, radius_m=0.6, z=_DECK_Z),
    Waypoint(name="bridge packet", xy=(-3.0, 17.8), group=11, radius_m=0.6, z=_DECK_Z),
    Waypoint(name="bridge end", xy=(-3.0, 20.8), group=12, points=10.0, radius_m=0.6, z=_DECK_Z),
    Waypoint(name="platform", xy=(-3.0, 24.0), group=13, points=5.0, radius_m=0.8),
)
_WAVES = (Waypoint(name="waves", xy=(0.0, 12.1), group=0, points=10.0, radius_m=0.8),)
_BED = _line(
    1,
    (
        ("right stairs", 1.5, 14.5, 5.0, 0.6),
        ("stone 1", 0.36, 15.84, 3.0, 0.0),
        ("stone 2", 3.5, 15.84, 3.0, 0.0),
        ("stone 3", 2.0, 17.83, 3.0, 0.0),
    ),
    z=(-10.0, 2.9),
) + _line(
    5,
    (
        ("under the bridge 1", -3.0, 16.9, 5.0, 0.4),
        ("under the bridge 2", -3.0, 18.7, 5.0, 0.4),
        ("stone 4", 0.36, 19.72, 3.0, 0.0),
        ("stone 5", 3.5, 19.72, 3.0, 0.0),
    ),
    z=_BED_Z,
)

SECTION012_ROUTES: Mapping[str, Route] = {
    "bridge": Route(name="bridge", waypoints=(*_WAVES, *_BRIDGE), sit_at=(0.0, 24.33), celebration_points=5.0),
    "river": Route(
        name="river",
        waypoints=(
            *_WAVES,
            *_BED,
            Waypoint(name="far stairs", xy=(2.0, 21.2), group=9, points=5.0, radius_m=0.6, z=(2.3, 2.9)),
            Waypoint(name="platform", xy=(2.0, 24.0), group=10, points=5.0, radius_m=0.8),
        ),
        sit_at=(0.0, 24.33),
        celebration_points=5.0,
    ),
    # Down into the bed and back over the right stairs, then over the bridge: the bed's far stairs are not needed.
    "both": Route(
        name="both",
        waypoints=(
            *_WAVES,
            *_BED,
            Waypoint(name="back", xy=(1.5, 12.1), group=9, radius_m=0.8, counted=False),
            *(
                Waypoint(name=w.name, xy=w.xy, group=w.group, points=0.0 if w.name == "left stairs" else w.points,
                         radius_m=w.radius_m, z=w.z)
                for w in _BRIDGE
            ),
        ),
        sit_at=(0.0, 24.33),
        celebration_points=5.0,
    ),
}  # fmt: skip

SECTION012_STAIRS = Route(
    name="stairs",
    waypoints=_line(
        0,
        (
            ("stair base", 0.0, 12.2, 0.0, 0.6),
            ("stair top", 0.0, 14.5, 15.0, 0.6),
            ("stone 1", 0.36, 15.84, 3.0, 0.0),
        ),
    ),
    sit_at=(0.36, 15.84),
    celebration_points=0.0,
)

_FINAL = (
    Waypoint(name="random terrain", xy=(0.0, 30.2), group=0, radius_m=1.2),
    Waypoint(name="final platform", xy=(0.0, 32.3), group=2, points=5.0, radius_m=0.8, z=(1.2, 10.0)),
)
SECTION013_ROUTES: Mapping[str, Route] = {
    "ball": Route(
        name="ball",
        waypoints=(_FINAL[0], Waypoint(name="ball", xy=(0.0, 31.23), group=1, points=15.0), _FINAL[1]),
        sit_at=(0.0, 33.0),
        celebration_points=5.0,
    ),
    "gap": Route(
        name="gap",
        waypoints=(
            _FINAL[0],
            Waypoint(name="between the balls", xy=(1.5, 31.5), group=1, points=10.0, radius_m=0.5),
            _FINAL[1],
        ),
        sit_at=(0.0, 33.0),
        celebration_points=5.0,
    ),
}

LONG_COURSE = Route(
    name="long",
    waypoints=_line(
        0,
        (
            ("ramp", 0.0, 6.0, 0.0, 1.5),
            ("waves", -3.0, 12.0, 10.0, 1.5),
            ("left stairs", -3.0, 15.0, 5.0, 1.5),
            ("bridge end", -3.0, 20.5, 10.0, 1.5),
            ("stairs", -3.0, 23.0, 0.0, 1.5),
            ("exit pad", 0.0, 24.5, 5.0, 1.5),
            ("final platform", 0.0, 32.3, 20.0, 0.8),
        ),
    ),
    sit_at=(0.0, 33.0),
    celebration_points=5.0,
)
