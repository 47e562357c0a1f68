"""What is there to know about a bundled task? Tables made from its observation, terms, endings, ground and routes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vbotd.domain.reference import (
    ObservationRow,
    Range,
    RouteRow,
    TaskReference,
    TermFamily,
    TermRow,
    TerrainRow,
    WaypointRow,
)
from vbotd.domain.task import TaskCard
from vbotd.train.tasks import course, course_terms, courses, navigation, section001_terms, walk, walk_rough
from vbotd.train.tasks.environment import ACTION_LIMIT
from vbotd.train.tasks.exploits import exploits_of
from vbotd.train.tasks.observation import ObservationTerm
from vbotd.train.tasks.robot import NUM_JOINTS, PHYSICS_DT_S, load_model
from vbotd.train.tasks.routes import ANY_Z, FOOTPRINT_HALF_M, Route, Waypoint
from vbotd.train.tasks.terms import Term
from vbotd.train.terrain.parts import parts
from vbotd.train.terrain.pieces import GROUND
from vbotd.train.terrain.scene import Builder
from vbotd.train.terrain.sections import BORDER_M, MAX_CORRELATION_M, MIN_CORRELATION_M, rough_field

SCAN = "env.height_scan"
FLOOR = TerrainRow(name="floor", shape="plane", x=None, y=None, top=(0.0, 0.0))
COURSES = {
    "vbot_navigation_section011": courses.SECTION011,
    "vbot_navigation_section012": courses.SECTION012,
    "vbot_navigation_section012_stairs": courses.SECTION012_STAIRS,
    "vbot_navigation_section013": courses.SECTION013,
    "vbot_navigation_long_course": courses.LONG_COURSE,
}


def walk_flat(card: TaskCard) -> TaskReference:
    """Return the reference of `vbot_walk_flat`."""
    return TaskReference(
        observation=observation_rows(walk.OBSERVATION.terms),
        action=action_text(card),
        terms=term_rows(card, walk.TERMS),
        endings=walk.ENDINGS,
        ground=(_floor_text(),),
        terrain=(FLOOR,),
        scoring=walk.SCORING,
        routes=(),
        exploits=exploits_of(card),
    )


def walk_over_bumps(card: TaskCard) -> TaskReference:
    """Return the reference of `vbot_walk_rough`."""
    return TaskReference(
        observation=_with_and_without_scan(walk_rough.observation_terms),
        action=action_text(card),
        terms=term_rows(card, walk.TERMS),
        endings=walk_rough.ENDINGS,
        ground=(
            f"The field is drawn from the run's seed. Robots begin within {walk_rough.START_HALF_M:g} m of its middle, "
            "by x and y.",
            *_height_map_texts(),
        ),
        terrain=_terrain(rough_field),
        scoring=walk.SCORING,
        routes=(),
        exploits=exploits_of(card),
    )


def section001(card: TaskCard) -> TaskReference:
    """Return the reference of `vbot_navigation_section001`."""
    places = (
        ("inner fence", section001_terms.INNER_FENCE_M, navigation.FENCE_POINTS),
        ("target", section001_terms.REACH_M, navigation.TARGET_POINTS),
    )
    waypoints = tuple(
        WaypointRow(name=name, step=step, xy=(0.0, 0.0), points=points, within=f"{radius_m:g} m")
        for step, (name, radius_m, points) in enumerate(places, 1)
    )
    return TaskReference(
        observation=observation_rows(navigation.OBSERVATION.terms),
        action=action_text(card),
        terms=term_rows(card, section001_terms.TERMS),
        endings=navigation.ENDINGS,
        ground=(f"The target is at (0, 0); the disc ends {navigation.ARENA_RADIUS_M:g} m from it.", _floor_text()),
        terrain=(FLOOR,),
        scoring=navigation.SCORING,
        routes=(RouteRow(name="target", setting="", points=sum(p for *_, p in places), waypoints=waypoints),),
        exploits=exploits_of(card),
    )


def obstacle_course(card: TaskCard) -> TaskReference:
    """Return the reference of a task on the obstacle course."""
    section = COURSES[card.name]
    start, half = section.bounds.start_xy, section.bounds.start_half_m
    low, high = section.bounds.x, section.bounds.y
    return TaskReference(
        observation=_with_and_without_scan(course.observation_terms),
        action=action_text(card),
        terms=term_rows(card, course_terms.TERMS),
        endings=course.ENDINGS,
        ground=(
            f"Robots begin around ({start[0]:g}, {start[1]:g}), within {half[0]:g} m by x and {half[1]:g} m by y. The "
            f"course is left beyond x {_range_text(low)} and y {_range_text(high)}, or below a base height of "
            f"{section.bounds.lowest_m:g} m.",
            "A run has env.terrain_variants grounds, drawn from its seed: an evaluation has others than training had.",
            *_height_map_texts(),
            f"Friction {GROUND['friction'][0]:g} (sliding) everywhere.",  # type: ignore[index]
        ),
        terrain=_terrain(section.build),
        scoring=course.SCORING,
        routes=tuple(route_row(route, f"env.route={key}" if key else "") for key, route in section.routes.items()),
        exploits=exploits_of(card),
    )


def observation_rows(
    terms: Sequence[ObservationTerm], switches: Mapping[str, str] | None = None
) -> tuple[ObservationRow, ...]:
    """Return the rows of an observation table; `switches` names the settings without which a term is missing."""
    ends = np.cumsum([term.size for term in terms]).tolist()
    return tuple(
        ObservationRow(
            name=term.name,
            first=end - term.size,
            size=term.size,
            unit=term.unit,
            noise=term.noise,
            summary=term.summary,
            switch=(switches or {}).get(term.name, ""),
        )
        for term, end in zip(terms, ends, strict=True)
    )


def term_rows(card: TaskCard, terms: Mapping[str, Term]) -> tuple[TermRow, ...]:
    """Return the rows of a reward table in the card's order, each with the first line of its function's docstring.

    Raises: ValueError where terms and card differ: what is trained on would not be what is published.
    """
    cards = {p.key.removeprefix("reward."): p for p in card.params if p.key.startswith("reward.")}
    if set(cards) != set(terms):
        odd = ", ".join(sorted(set(cards) ^ set(terms)))
        raise ValueError(f"{card.name}: card and reward table differ in {odd} — every term has one weight")
    rows = []
    for name, param in cards.items():
        assert isinstance(param.default, float) and param.low is not None and param.high is not None
        rows.append(
            TermRow(
                name=name,
                family=family(name),
                default=param.default,
                allowed=(param.low, param.high),
                search=param.search,
                unit=param.unit,
                summary=measured(terms[name]),
            )
        )
    return tuple(rows)


def family(name: str) -> TermFamily:
    """Return how a term's weight counts, which its name's ending says."""
    families: tuple[TermFamily, ...] = ("reward", "cost", "progress", "event")
    return next(kind for kind in families if name.endswith(f"_{kind}"))


def measured(term: Term) -> str:
    """Return what a term's function measures: the first line of its docstring, which begins with "Return"."""
    first = (inspect.getdoc(term) or "").partition("\n")[0]
    return first.removeprefix("Return").lstrip(" ,").rstrip(".")


def action_text(card: TaskCard) -> str:
    """Return what an action means."""
    return (
        f"{NUM_JOINTS} joint targets every {_default(card, 'control_dt_s')} s: the default pose, plus "
        f"{_default(card, 'action_scale_rad')} rad (env.action_scale_rad) times the action, which is clipped to "
        f"+-{ACTION_LIMIT:g}"
    )


def route_row(route: Route, setting: str) -> RouteRow:
    """Return a route of the course with its celebration as the last place."""
    groups = sorted({w.group for w in route.waypoints})
    rows = [_waypoint_row(w, groups.index(w.group) + 1) for w in route.waypoints]
    sit = WaypointRow(
        name="celebration",
        step=len(groups) + 1,
        xy=route.sit_at,
        points=route.celebration_points,
        within=f"{course.SIT_RADIUS_M:g} m, sitting",
        is_counted=False,
    )
    return RouteRow(name=route.name, setting=setting, points=route.points, waypoints=(*rows, sit))


def _waypoint_row(waypoint: Waypoint, step: int) -> WaypointRow:
    length, width = (2.0 * half for half in FOOTPRINT_HALF_M)
    near = f"{waypoint.radius_m:g} m" if waypoint.radius_m else f"footprint of {length:g} x {width:g} m"
    low, high = waypoint.z
    limits = [f"above {low:g}" if low > ANY_Z[0] else "", f"below {high:g}" if high < ANY_Z[1] else ""]
    if any(limits):
        near += f", base {' and '.join(filter(None, limits))} m"
    return WaypointRow(
        name=waypoint.name,
        step=step,
        xy=waypoint.xy,
        points=waypoint.points,
        within=near,
        is_counted=waypoint.counted,
    )


def _with_and_without_scan(terms: Callable[..., Sequence[ObservationTerm]]) -> tuple[ObservationRow, ...]:
    full, blind = terms(scan=True), terms(scan=False)
    kept = {term.name for term in blind}
    return observation_rows(full, {term.name: SCAN for term in full if term.name not in kept})


def _terrain(build: Builder) -> tuple[TerrainRow, ...]:
    # Any seed will do: the rows say what all of them have in common.
    return parts(build(np.random.default_rng(0), 1.0))


def _height_map_texts() -> tuple[str, ...]:
    return (
        f"Height maps are noise with a correlation length of {MIN_CORRELATION_M:g}-{MAX_CORRELATION_M:g} m that falls "
        f"to 0 within {BORDER_M:g} m of the near and the far edge; their heights below are those of env.roughness 1.",
    )


def _floor_text() -> str:
    friction = load_model(PHYSICS_DT_S).geom("floor").friction[0]
    return f"Flat without end, friction {friction:g} (sliding)."


def _default(card: TaskCard, option: str) -> str:
    param = card.param(f"env.{option}")
    return "?" if param is None else f"{param.default:g}"


def _range_text(limits: Range) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"
