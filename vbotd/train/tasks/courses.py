"""The tasks of the obstacle course: which pieces, which route, which bounds; and the environments of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vbotd.train.tasks import routes
from vbotd.train.tasks.building import environment_of
from vbotd.train.tasks.course import Bounds, Course
from vbotd.train.tasks.course_terms import TERMS
from vbotd.train.tasks.environment import Environment, EnvOptions
from vbotd.train.tasks.routes import Route
from vbotd.train.tasks.settings import Settings
from vbotd.train.terrain import sections
from vbotd.train.terrain.ground import Ground
from vbotd.train.terrain.scene import Builder, compile_scene, variants

HALF_WIDTH_M = 5.2
RASTER_X = (-5.3, 5.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One task of the course."""

    build: Builder
    bounds: Bounds
    routes: Mapping[str, Route]  # by the value of env.route; a single one has none to choose


SECTION011 = Section(
    build=sections.start_and_bumps,
    bounds=Bounds(
        start_xy=(0.0, -2.5), start_half_m=(2.0, 0.5), x=(-HALF_WIDTH_M, HALF_WIDTH_M), y=(-4.0, 9.5), lowest_m=-0.5
    ),
    routes={"": routes.SECTION011},
)
_BOUNDS012 = Bounds(
    start_xy=(-0.5, 12.0), start_half_m=(0.3, 0.3), x=(-HALF_WIDTH_M, HALF_WIDTH_M), y=(8.5, 25.5), lowest_m=0.5
)
SECTION012 = Section(
    build=sections.stairs_bridge_and_bed,
    # The published rules begin in front of the wave field; the predecessor began behind it.
    bounds=Bounds(
        start_xy=(0.0, 9.2), start_half_m=(2.0, 0.2), x=_BOUNDS012.x, y=_BOUNDS012.y, lowest_m=_BOUNDS012.lowest_m
    ),
    routes=routes.SECTION012_ROUTES,
)
SECTION012_STAIRS = Section(
    build=sections.stairs_bridge_and_bed, bounds=_BOUNDS012, routes={"": routes.SECTION012_STAIRS}
)
SECTION013 = Section(
    build=sections.end_of_course,
    bounds=Bounds(
        start_xy=(0.0, 26.0), start_half_m=(2.0, 0.5), x=(-HALF_WIDTH_M, HALF_WIDTH_M), y=(24.5, 34.5), lowest_m=0.0
    ),
    routes=routes.SECTION013_ROUTES,
)
LONG_COURSE = Section(
    build=sections.whole_course,
    bounds=Bounds(
        start_xy=(0.0, -2.5), start_half_m=(0.1, 0.1), x=(-HALF_WIDTH_M, HALF_WIDTH_M), y=(-4.0, 34.5), lowest_m=-0.5
    ),
    routes={"": routes.LONG_COURSE},
)


def make_section(section: Section, settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build the environments of a run on one section; the seed decides the ground, too."""
    options = EnvOptions.of(settings.env)
    difficulty = difficulties(int(settings.env["terrain_variants"]), rising=bool(settings.env["terrain_levels"]))
    roughness, steps = (difficulty * float(settings.env[name]) for name in ("roughness", "steps"))
    lanes = variants(section.build, len(difficulty), seed, roughness.tolist(), steps.tolist())
    model = compile_scene(lanes, options.physics_dt_s)
    task = Course(
        settings,
        num_envs,
        options,
        route=section.routes[str(settings.env.get("route", ""))],
        bounds=section.bounds,
        ground=Ground(lanes, RASTER_X, section.bounds.y),
        difficulty=difficulty,
        steps=steps,
        terms=TERMS,
    )
    return environment_of(task, model, options, num_envs, seed, threads)


def difficulties(count: int, *, rising: bool) -> np.ndarray:
    """Return how hard each of `count` variants is, in 0-1 of what is asked: half of them rise to it, the rest is it.

    So what was learnt on easy ground ends on several grounds that are as hard as those of an evaluation.
    """
    levels = (count + 1) // 2 if rising else 1
    return np.minimum(np.arange(1, count + 1) / levels, 1.0)


def make_section011(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build section 011: bumps, ramp and platform."""
    return make_section(SECTION011, settings, num_envs, seed, threads)


def make_section012(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build section 012: waves, stairs, bridge and river bed, by the route of `env.route`."""
    return make_section(SECTION012, settings, num_envs, seed, threads)


def make_section012_stairs(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build the stairs of section 012 alone."""
    return make_section(SECTION012_STAIRS, settings, num_envs, seed, threads)


def make_section013(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build section 013: the step, random terrain and the balls, by the route of `env.route`."""
    return make_section(SECTION013, settings, num_envs, seed, threads)


def make_long_course(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build all three sections in a row."""
    return make_section(LONG_COURSE, settings, num_envs, seed, threads)
