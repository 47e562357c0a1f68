"""The robot on a course: one compiled model, the variants of the course side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mujoco
import numpy as np

from vbotd.train.tasks.robot import XML, set_physics
from vbotd.train.terrain.ground import LANE_M
from vbotd.train.terrain.pieces import Piece

TERRAIN_STREAM = 0x7E44  # joins a run's seed, so that its ground is drawn from numbers that nothing else uses
ABYSS_M = -2.0  # where the endless floor lies, below every course

Builder = Callable[[np.random.Generator, float], list[Piece]]


def variants(build: Builder, count: int, seed: int, roughness: Sequence[float]) -> list[list[Piece]]:
    """Return `count` variants of a course; `roughness` [count] scales the height maps of each."""
    return [build(np.random.default_rng([seed, TERRAIN_STREAM, i]), roughness[i]) for i in range(count)]


def compile_scene(lanes: Sequence[Sequence[Piece]], physics_dt_s: float) -> mujoco.MjModel:
    """Compile the robot's MJCF with the lanes' pieces as static geoms of the world, `LANE_M` apart along x."""
    spec = mujoco.MjSpec.from_file(str(XML))
    set_physics(spec.option, physics_dt_s)
    spec.geom("floor").pos[2] = ABYSS_M
    for lane, pieces in enumerate(lanes):
        for i, piece in enumerate(pieces):
            piece.add(spec, f"ground_{lane}_{i}", lane * LANE_M)
    return spec.compile()
