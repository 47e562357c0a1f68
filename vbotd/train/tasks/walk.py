"""vbot_walk_flat: walk at a commanded velocity on flat ground."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from vbotd.domain.reference import Ending
from vbotd.train.tasks.building import environment_of
from vbotd.train.tasks.cards import WALK
from vbotd.train.tasks.environment import CLOCK, DIVERGED, Asked, Endings, Environment, EnvOptions, Finished
from vbotd.train.tasks.observation import BASE_MOTION, JOINTS, ObservationTable, ObservationTerm
from vbotd.train.tasks.robot import RobotView, load_model
from vbotd.train.tasks.settings import Settings
from vbotd.train.tasks.terms import ROBOT_TERMS, RewardTable, Term

OBSERVATION = ObservationTable(
    (
        *BASE_MOTION,
        ObservationTerm(
            name="command", size=3, unit="m/s, m/s, rad/s", summary="forward, left, yaw rate",
            values=lambda robot, walk, ids: walk.command[ids],
        ),
        *JOINTS,
    )
)  # fmt: skip

# Of `is_down`, which decides them.
TRUNK = Ending(name="trunk", kind="fall", summary="the trunk touches the ground")
TILT = Ending(name="tilt", kind="fall", summary="the base is tilted by more than env.max_tilt_deg")
DOWN = (
    TRUNK,
    Ending(name="shin", kind="fall", summary="a shin touches the ground"),
    TILT,
    Ending(name="height", kind="fall", summary="the base is lower than env.min_height_m"),
)
ENDINGS = (*DOWN, CLOCK, DIVERGED)
SCORING = (
    "An episode is a success if it lasts to the clock, with a mean absolute error of the forward speed of at most "
    "env.success_speed_error_mps.",
)


class Walk:
    """The task's state: commands [N, S, 3] (forward m/s, left m/s, yaw rad/s) for the S parts of an episode.

    Success of an episode: it lasted the full time, and the mean error of the forward speed is at most
    `env.success_speed_error_mps`.
    """

    observation = OBSERVATION
    level = 1.0
    curriculum = None

    def __init__(self, settings: Settings, num_envs: int, options: EnvOptions) -> None:
        env = settings.env
        self._options = options
        self._command_steps = max(round(float(env["command_s"]) / options.control_dt_s), 1)
        self._parts = math.ceil(options.episode_steps / self._command_steps)
        ranges = np.array([env["speed_x_mps"], env["speed_y_mps"], env["yaw_rate_radps"]], dtype=float)  # [3, 2]
        self._low, self._high = ranges[:, 0], ranges[:, 1]
        self._success_error = float(env["success_speed_error_mps"])
        self._max_tilt_cos = math.cos(math.radians(float(env["max_tilt_deg"])))
        self._min_height_m = float(env.get("min_height_m", 0.0))  # rough ground has no such rule
        self.num_draws = 3 * self._parts
        self.commands = np.zeros((num_envs, self._parts, 3))
        self.command = np.zeros((num_envs, 3))
        self.fallen = np.zeros(num_envs, dtype=bool)
        self.speed_error_sum = np.zeros(num_envs)
        self.yaw_error_sum = np.zeros(num_envs)
        self.rewards = RewardTable(TERMS, settings.reward, options.control_dt_s)

    def begin(self, ids: np.ndarray, draws: np.ndarray, qpos: np.ndarray) -> None:
        """Fix all commands of the new episodes, and clear their sums."""
        shares = draws.reshape(len(ids), self._parts, 3)
        self.commands[ids] = self._low + shares * (self._high - self._low)
        self.command[ids] = self.commands[ids, 0]
        self.fallen[ids] = False
        self.speed_error_sum[ids] = 0.0
        self.yaw_error_sum[ids] = 0.0

    def advance(self, robot: RobotView, elapsed: np.ndarray) -> Endings:
        """Sum the tracking errors, and see who is down."""
        self.speed_error_sum += np.abs(robot.lin_vel_b_mps[:, 0] - self.command[:, 0])
        self.yaw_error_sum += np.abs(robot.ang_vel_b_radps[:, 2] - self.command[:, 2])
        self.fallen = self.is_down(robot)
        return Endings(success=np.zeros_like(self.fallen), fall=self.fallen)

    def is_down(self, robot: RobotView) -> np.ndarray:
        """Return [N] bool: a shin or the trunk on the floor, too much tilt, or too low a base."""
        return is_down(robot, self._max_tilt_cos, self._min_height_m)

    def reward(self, robot: RobotView) -> np.ndarray:
        """Return the reward [N] of this control step."""
        return self.rewards(robot, self)

    def renew(self, elapsed: np.ndarray) -> None:
        """Command the next part of the episode where it begins."""
        part = np.minimum(elapsed // self._command_steps, self._parts - 1)
        self.command = self.commands[np.arange(len(part)), part]

    def observe(self, robot: RobotView, ids: np.ndarray | slice) -> np.ndarray:
        """Return [M, 48]."""
        return self.observation(robot, self, ids)

    def asked(self) -> Asked:
        """Return the commanded velocity."""
        return Asked(velocity=self.command)

    def accounts(self, ids: np.ndarray, elapsed: np.ndarray, timed_out: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return survival, mean absolute errors and success of the ending episodes [M]."""
        speed_error = self.speed_error_sum[ids] / elapsed
        return {
            "success": timed_out & (speed_error <= self._success_error),
            "survival_rate": timed_out.astype(float),
            "speed_error_mps": speed_error,
            "yaw_error_radps": self.yaw_error_sum[ids] / elapsed,
        }

    def adapt(self, finished: Finished) -> None:
        """Do nothing: every episode is as hard as the last."""

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint holds."""
        names = ("commands", "command", "fallen", "speed_error_sum", "yaw_error_sum")
        return {name: getattr(self, name) for name in names}


def is_down(robot: RobotView, max_tilt_cos: float, min_height_m: float) -> np.ndarray:
    """Return [N] bool: something other than a foot on the floor, tilted too far, or too low."""
    tilted = -robot.gravity_b[:, 2] < max_tilt_cos
    touches = robot.trunk_contact | robot.shin_contact.any(axis=1)
    return touches | tilted | (robot.pos_w_m[:, 2] < min_height_m)


def track_velocity_reward(robot: RobotView, walk: Walk) -> np.ndarray:
    """Return exp(-error^2 / 0.1) of the commanded horizontal velocity, 0-1."""
    error = walk.command[:, :2] - robot.lin_vel_b_mps[:, :2]
    return np.exp(-(error**2).sum(axis=1) / 0.1)


def track_yaw_rate_reward(robot: RobotView, walk: Walk) -> np.ndarray:
    """Return exp(-error^2 / 0.25) of the commanded yaw rate, 0-1."""
    return np.exp(-((walk.command[:, 2] - robot.ang_vel_b_radps[:, 2]) ** 2) / 0.25)


def speed_error_cost(robot: RobotView, walk: Walk) -> np.ndarray:
    """Return |forward speed - command|, m/s: a gradient where the exponential is flat."""
    return np.abs(walk.command[:, 0] - robot.lin_vel_b_mps[:, 0])


def fall_event(_: RobotView, walk: Walk) -> np.ndarray:
    """Return 1 where the robot is down."""
    return walk.fallen.astype(float)


TERMS: dict[str, Term] = {
    "track_velocity_reward": track_velocity_reward,
    "track_yaw_rate_reward": track_yaw_rate_reward,
    "speed_error_cost": speed_error_cost,
    "fall_event": fall_event,
    **ROBOT_TERMS,
}


def make(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build the environments of a run."""
    options = EnvOptions.of(settings.env)
    model = load_model(options.physics_dt_s)
    return environment_of(Walk(settings, num_envs, options), model, options, num_envs, seed, threads)


CARD = WALK
