"""The robot on a course: one compiled model, the variants of the course side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import mujoco
import numpy as np

from vbotd.train.tasks.robot import XML, set_physics
from vbotd.train.terrain.ground import LANE_M
from vbotd.train.terrain.pieces import Piece

TERRAIN_STREAM = 0x7E44  # joins a run's seed, so that its ground is drawn from numbers that nothing else uses
ABYSS_M = -2.0  # where the endless floor lies, below every course


class Builder(Protocol):
    """Builds one variant of a course."""

    def __call__(self, rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
        """Return its pieces; `roughness` scales its height maps, `steps` the height of its steps."""


def variants(
    build: Builder, count: int, seed: int, roughness: Sequence[float], steps: Sequence[float] | None = None
) -> list[list[Piece]]:
    """Return `count` variants of a course with `roughness` [count] and `steps` [count] (None: the competition's)."""
    scales = zip(roughness, [1.0] * count if steps is None else steps, strict=True)
    return [build(np.random.default_rng([seed, TERRAIN_STREAM, i]), *scale) for i, scale in enumerate(scales)]


def compile_scene(lanes: Sequence[Sequence[Piece]], physics_dt_s: float) -> mujoco.MjModel:
    """Compile the robot's MJCF with the lanes' pieces as static geoms of the world, `LANE_M` apart along x."""
    spec = mujoco.MjSpec.from_file(str(XML))
    set_physics(spec.option, physics_dt_s)
    spec.geom("floor").pos[2] = ABYSS_M
    for lane, pieces in enumerate(lanes):
        for i, piece in enumerate(pieces):
            piece.add(spec, f"ground_{lane}_{i}", lane * LANE_M)
    return spec.compile()
