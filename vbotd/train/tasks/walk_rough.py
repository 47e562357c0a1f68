"""vbot_walk_rough: walk at a commanded velocity over a bumpy field."""

from __future__ import annotations

import numpy as np

from vbotd.domain.reference import Ending
from vbotd.train.tasks.building import environment_of
from vbotd.train.tasks.environment import CLOCK, DIVERGED, Environment, EnvOptions
from vbotd.train.tasks.observation import FOOT_CONTACT, ObservationTable, ObservationTerm
from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.scan import scan_term
from vbotd.train.tasks.settings import Settings
from vbotd.train.tasks.walk import OBSERVATION, TILT, TRUNK, Walk
from vbotd.train.terrain.ground import Ground
from vbotd.train.terrain.scene import compile_scene, variants
from vbotd.train.terrain.sections import ROUGH_HALF_M, rough_field

START_HALF_M = 4.0
START_FEET = np.array([(x, y) for x in (-0.25, 0.0, 0.25) for y in (-0.2, 0.0, 0.2)])
EDGE_M = 1.0  # of the field, where it ends for the robots
ENDINGS = (
    TRUNK,
    TILT,
    Ending(name="edge", kind="fall", summary=f"the base is beyond {ROUGH_HALF_M - EDGE_M:g} m by x or by y"),
    CLOCK,
    DIVERGED,
)


class RoughWalk(Walk):
    """The walking task on ground that rises and falls by 0.1 m; a shin may touch it, the trunk may not."""

    def __init__(self, settings: Settings, num_envs: int, options: EnvOptions, ground: Ground) -> None:
        super().__init__(settings, num_envs, options)
        self._command_draws = self.num_draws
        self.num_draws += 2
        self.ground = ground
        self.variant = np.zeros(num_envs, dtype=np.int64)  # one field for all
        self.observation = ObservationTable(observation_terms(scan=bool(settings.env["height_scan"])))

    def begin(self, ids: np.ndarray, draws: np.ndarray, qpos: np.ndarray) -> None:
        """Fix the commands, and stand the robots somewhere in the middle of the field."""
        super().begin(ids, draws[:, : self._command_draws], qpos)
        xy = START_HALF_M * (2.0 * draws[:, self._command_draws :] - 1.0)
        feet = xy[:, None, :] + START_FEET
        qpos[:, :2] = xy
        qpos[:, 2] += self.ground.height(self.variant[ids], feet[..., 0], feet[..., 1]).max(axis=1)

    def is_down(self, robot: RobotView) -> np.ndarray:
        """Return [N] bool: the trunk on the ground, too much tilt, or the edge of the field."""
        tilted = -robot.gravity_b[:, 2] < self._max_tilt_cos
        outside = np.abs(robot.pos_w_m[:, :2]).max(axis=1) > ROUGH_HALF_M - EDGE_M
        return robot.trunk_contact | tilted | outside


SCAN = scan_term(lambda robot, walk, ids: robot.pos_w_m[:, :2])


def observation_terms(*, scan: bool) -> list[ObservationTerm]:
    """Return the terms of the observation, with or without the height scan."""
    return [*OBSERVATION.terms, FOOT_CONTACT, *([SCAN] if scan else [])]


def make(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build the environments of a run; the seed decides the ground, too."""
    options = EnvOptions.of(settings.env)
    lanes = variants(rough_field, 1, seed, [float(settings.env["roughness"])])
    model = compile_scene(lanes, options.physics_dt_s)
    ground = Ground(lanes, (-ROUGH_HALF_M, ROUGH_HALF_M), (-ROUGH_HALF_M, ROUGH_HALF_M))
    return environment_of(RoughWalk(settings, num_envs, options, ground), model, options, num_envs, seed, threads)
