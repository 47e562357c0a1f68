"""vbot_navigation_section001: from anywhere on a flat disc, reach the target in its middle, and stop there."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from vbotd.domain.reference import Ending
from vbotd.train.tasks.building import environment_of
from vbotd.train.tasks.cards import SECTION001
from vbotd.train.tasks.curriculum import Widening
from vbotd.train.tasks.environment import CLOCK, DIVERGED, Asked, Endings, Environment, EnvOptions, Finished
from vbotd.train.tasks.observation import BASE_MOTION, JOINTS, ObservationTable, ObservationTerm
from vbotd.train.tasks.robot import RobotView, load_model
from vbotd.train.tasks.section001_terms import INNER_FENCE_M, REACH_M, TERMS, Shaping, goal_direction, rest_potential
from vbotd.train.tasks.settings import Settings
from vbotd.train.tasks.terms import RewardTable
from vbotd.train.tasks.walk import DOWN, is_down

REST_SPEED_MPS = 0.15
HOLD_S = 0.5
ARENA_RADIUS_M = 12.5
SPAWN_START = 0.2  # of the range of radii; where the curriculum begins
FAR_M = 12.0  # the largest distance of the predecessor's arena; scales the observation
FENCE_POINTS, TARGET_POINTS = 1.0, 1.0

ENDINGS = (
    Ending(
        name="hold", kind="success",
        summary=f"at rest, slower than {REST_SPEED_MPS:g} m/s, within {REACH_M:g} m of the target for {HOLD_S:g} s",
    ),
    *DOWN,
    Ending(name="outside", kind="fall", summary=f"the base is more than {ARENA_RADIUS_M:g} m from the target"),
    CLOCK,
    DIVERGED,
)  # fmt: skip
SCORING = (
    "Each place counts once an episode, at any speed; a fall, or leaving the disc, takes both points away.",
    "Reaching is not success: that is the hold.",
)

OBSERVATION = ObservationTable(
    (
        *BASE_MOTION,
        ObservationTerm(
            name="goal_direction", size=2, unit="m", summary="ahead and left; fades out within 1 m, where it jumps",
            values=lambda robot, nav, ids: goal_direction(robot) * np.minimum(nav.distance_m[ids], 1.0)[:, None],
        ),
        ObservationTerm(
            name="goal_distance_far", size=1, unit="12 m", summary="distance to the target, at most 1",
            values=lambda robot, nav, ids: np.minimum(nav.distance_m[ids] / FAR_M, 1.0)[:, None],
        ),
        ObservationTerm(
            name="goal_distance_near", size=1, unit="m", summary="distance to the target, at most 1 m",
            values=lambda robot, nav, ids: np.minimum(nav.distance_m[ids], 1.0)[:, None],
        ),
        ObservationTerm(
            name="hold", size=1, unit="", summary="share of the hold at the target that is done",
            values=lambda robot, nav, ids: nav.hold[ids][:, None] / nav.hold_steps,
        ),
        *JOINTS,
    )
)  # fmt: skip


class Navigation:
    """The task's state. The target is the origin; a robot at rest near it for `HOLD_S` has succeeded.

    What the predecessor got wrong, and is done here instead:
    * Its first-reach, stop-budget and inner-fence flags and its previous distance were never cleared, so that the
      fence bonus was paid once a training run. All are cleared in `begin`, which is called for every episode.
    * Its policy saw world-frame errors. All observations here are in the base frame.
    * Its `reached_fraction` was how many robots stood there at the moment, which swings between 3 % and 98 % for
      the same policy. Success here is counted once an episode, when it ends.
    * Robots that walked off the disc went on falling until the clock ended it. Leaving the disc is a fall.
    * Its spawn radii were clipped at 11 m, which put half of "10-12 m" at exactly 11. They are drawn as declared.
    """

    observation = OBSERVATION
    num_draws = 3

    def __init__(self, settings: Settings, num_envs: int, options: EnvOptions) -> None:
        env = settings.env
        low, high = env["spawn_radius_m"]
        if not 0.0 <= low <= high < ARENA_RADIUS_M:
            raise ValueError(f"env.spawn_radius_m is {low} to {high} — it needs 0 <= low <= high < {ARENA_RADIUS_M}")
        self.curriculum = Widening(SPAWN_START, enabled=bool(env["spawn_curriculum"]))
        nearest = min(float(env["spawn_nearest_m"]), float(low))
        self._radii_m = nearest if self.curriculum.enabled else float(low), float(high)
        self._max_tilt_cos = math.cos(math.radians(float(env["max_tilt_deg"])))
        self._min_height_m = float(env["min_height_m"])
        self.control_dt_s = options.control_dt_s
        self._episode_steps = options.episode_steps
        self.shaping = Shaping.of(env)
        self.hold_steps = max(round(HOLD_S / options.control_dt_s), 1)
        self.distance_m = np.zeros(num_envs)
        self.last_distance_m = np.zeros(num_envs)
        self.spawn_m = np.zeros(num_envs)
        self.speed_mps = np.zeros(num_envs)
        self.rest = np.zeros(num_envs)
        self.last_rest = np.zeros(num_envs)
        self.hold = np.zeros(num_envs, dtype=np.int64)  # control steps at rest in the target, without a break
        self.last_hold = np.zeros(num_envs, dtype=np.int64)
        self.reached = np.zeros(num_envs, dtype=bool)  # at any time in this episode
        self.fenced = np.zeros(num_envs, dtype=bool)  # same, for the inner fence
        self.elapsed = np.zeros(num_envs, dtype=np.int64)  # control steps of the episode, as of the last `advance`
        self.reached_at = np.zeros(num_envs, dtype=np.int64)  # `elapsed` of the first reach; means nothing before it
        self.just_reached = np.zeros(num_envs, dtype=bool)
        self.just_fenced = np.zeros(num_envs, dtype=bool)
        self.succeeded = np.zeros(num_envs, dtype=bool)
        self.fallen = np.zeros(num_envs, dtype=bool)
        self.rewards = RewardTable(TERMS, settings.reward, options.control_dt_s)

    @property
    def level(self) -> float:
        """How far the annulus is widened, 0-1."""
        return self.curriculum.value

    def begin(self, ids: np.ndarray, draws: np.ndarray, qpos: np.ndarray) -> None:
        """Put robots into the annulus, uniform by area, with any heading; clear everything that an episode gathers."""
        low_m, high_m = self._radii_m
        high_m = low_m + self.curriculum.value * (high_m - low_m)
        radius_m = np.sqrt(low_m**2 + draws[:, 0] * (high_m**2 - low_m**2))
        bearing_rad, yaw_rad = 2.0 * math.pi * draws[:, 1], 2.0 * math.pi * draws[:, 2]
        qpos[:, 0] = radius_m * np.cos(bearing_rad)
        qpos[:, 1] = radius_m * np.sin(bearing_rad)
        qpos[:, 3] = np.cos(yaw_rad / 2.0)
        qpos[:, 6] = np.sin(yaw_rad / 2.0)
        for name in PER_EPISODE:
            getattr(self, name)[ids] = 0
        self.distance_m[ids] = radius_m
        self.last_distance_m[ids] = radius_m
        self.spawn_m[ids] = radius_m

    def advance(self, robot: RobotView, elapsed: np.ndarray) -> Endings:
        """Measure distance and rest; success is a full hold, a fall includes leaving the disc."""
        self.elapsed = elapsed
        self.last_distance_m, self.last_rest, self.last_hold = self.distance_m, self.rest, self.hold
        self.distance_m = np.hypot(robot.pos_w_m[:, 0], robot.pos_w_m[:, 1])
        self.speed_mps = np.hypot(robot.lin_vel_b_mps[:, 0], robot.lin_vel_b_mps[:, 1])
        self.rest = rest_potential(self.distance_m, self.speed_mps)
        resting = (self.distance_m < REACH_M) & (self.speed_mps < REST_SPEED_MPS)
        self.hold = np.where(resting, self.hold + 1, 0)
        self.just_reached = (self.distance_m < REACH_M) & ~self.reached
        self.reached_at[self.just_reached] = elapsed[self.just_reached]
        self.just_fenced = (self.distance_m < INNER_FENCE_M) & ~self.fenced
        self.reached = self.reached | self.just_reached
        self.fenced = self.fenced | self.just_fenced
        outside = self.distance_m > ARENA_RADIUS_M
        self.fallen = is_down(robot, self._max_tilt_cos, self._min_height_m) | outside
        self.succeeded = (self.hold >= self.hold_steps) & ~self.fallen
        return Endings(success=self.succeeded, fall=self.fallen)

    def reward(self, robot: RobotView) -> np.ndarray:
        """Return the reward [N] of this control step."""
        if not self.shaping.time_decay:
            return self.rewards(robot, self)
        return self.rewards(robot, self, 1.0 - self.shaping.time_decay * self.elapsed / self._episode_steps)

    def renew(self, elapsed: np.ndarray) -> None:
        """Do nothing: the target stays where it is."""

    def observe(self, robot: RobotView, ids: np.ndarray | slice) -> np.ndarray:
        """Return [M, 50]."""
        return self.observation(robot, self, ids)

    def asked(self) -> Asked:
        """Return the target: the origin, for everyone."""
        return Asked(place_w_m=np.zeros((len(self.distance_m), 2)), reach_m=REACH_M)

    def accounts(self, ids: np.ndarray, elapsed: np.ndarray, timed_out: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return time to goal, final distance, reach and competition points of the ending episodes [M].

        Points: 1 for the inner fence and 1 for the target, none for a robot that fell or left the disc.
        """
        won, fallen = self.succeeded[ids], self.fallen[ids]
        return {
            "time_to_goal_s": np.where(won, elapsed * self.control_dt_s, np.nan),
            "final_distance_m": self.distance_m[ids],
            "reach_rate": self.reached[ids].astype(float),
            "competition_points": np.where(
                fallen, 0.0, FENCE_POINTS * self.fenced[ids] + TARGET_POINTS * self.reached[ids]
            ),
        }

    def adapt(self, finished: Finished) -> None:
        """Note which distances succeed: the annulus widens where the robots that start far out do."""
        low_m, high_m = self._radii_m
        difficulty = (self.spawn_m[finished.env_ids] - low_m) / max(high_m - low_m, 1e-9)
        self.curriculum.note(difficulty, finished.success)

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint holds."""
        return {name: getattr(self, name) for name in PER_EPISODE} | self.curriculum.state()


PER_EPISODE = (
    "distance_m", "last_distance_m", "spawn_m", "speed_mps", "rest", "last_rest", "hold", "last_hold",
    "reached", "reached_at", "fenced", "just_reached", "just_fenced", "succeeded", "fallen",
)  # fmt: skip


def make(settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build the environments of a run."""
    options = EnvOptions.of(settings.env)
    model = load_model(options.physics_dt_s)
    return environment_of(Navigation(settings, num_envs, options), model, options, num_envs, seed, threads)


CARD = SECTION001
