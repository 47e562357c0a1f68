"""The obstacle course: reach the waypoints of a route in order, then celebrate: walk to a spot, and sit down.

What the predecessor got wrong, and is done here instead:
* Its per-zone distances and its furthest y were never cleared between episodes, which paid or cost a wrong difference
  at every first step. All state is per episode here (`PER_EPISODE`), and cleared in `begin`.
* It trained section 011 on a flat collision mesh for weeks. Here the height raster that the policy sees and the
  geoms that the feet touch come from the same pieces, and a test compares them by ray.
* Its robots fell into their first stance from 0.5 m, with soft terminations off for a grace period, in which lying on
  the side paid. Here robots begin standing on the ground, and every rule holds from the first control step.
* Its reward for coming nearer was clipped at 0 from below in places, which pays for going to and fro.
* Its scan was none: the robots were blind. `env.height_scan: false` gives that back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vbotd.domain.reference import Ending
from vbotd.train.tasks.course_traces import CourseShaping, Traces
from vbotd.train.tasks.environment import CLOCK, DIVERGED, Asked, Endings, EnvOptions, Finished
from vbotd.train.tasks.observation import (
    BASE_MOTION,
    FOOT_CONTACT,
    JOINTS,
    Ids,
    ObservationTable,
    ObservationTerm,
)
from vbotd.train.tasks.practice import Practice
from vbotd.train.tasks.robot import HOME_HEIGHT_M, RobotView
from vbotd.train.tasks.routes import FOOTPRINT_HALF_M, Route
from vbotd.train.tasks.scan import heading, scan_term
from vbotd.train.tasks.settings import Settings
from vbotd.train.tasks.terms import RewardTable, Term
from vbotd.train.terrain.ground import LANE_M, Ground
from vbotd.train.terrain.sections import PLATFORM_M

FAR_M = 5.0  # scales the observed distance
SIT_RADIUS_M = 1.0
SIT_CLEARANCE_M = 0.17  # a standing robot's base is at 0.277 m
SIT_SPEED_MPS = 0.2
SIT_HOLD_S = 0.3
MOVED_M = 0.6  # less than this in `env.stagnation_s` is standing about
SPAWN_JITTER_M = 0.4
SPAWN_FEET = np.array([(0.0, 0.0), (0.2, 0.2), (0.2, -0.2), (-0.2, 0.2), (-0.2, -0.2)])  # where ground must be clear
SLOPE_OF_FEET = np.linalg.pinv(SPAWN_FEET).T  # heights at the feet -> least-squares slope

ENDINGS = (
    Ending(
        name="celebration", kind="success",
        summary=f"all waypoints are reached, and within {SIT_RADIUS_M:g} m of the spot the base stays lower than "
        f"{SIT_CLEARANCE_M:g} m and slower than {SIT_SPEED_MPS:g} m/s for {SIT_HOLD_S:g} s",
    ),
    Ending(name="trunk", kind="fall", summary="the trunk touches the ground, but where the robot is asked to sit"),
    Ending(name="tilt", kind="fall", summary="the base is tilted by more than env.max_tilt_deg"),
    Ending(name="outside", kind="fall", summary="the base leaves the course"),
    Ending(name="stuck", kind="time-out", summary=f"no {MOVED_M:g} m further on for env.stagnation_s"),
    CLOCK,
    DIVERGED,
)  # fmt: skip
SCORING = (
    "Waypoints give their points once; a fall, or leaving the course, takes all points away, not the waypoints.",
    "Success is the celebration: it comes after all waypoints of the route, and ends the episode.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where a section is, in its own coordinates: the start box, and the box that must not be left."""

    start_xy: tuple[float, float]
    start_half_m: tuple[float, float]
    x: tuple[float, float]
    y: tuple[float, float]
    lowest_m: float


class Course:
    """The state of N episodes on one route."""

    num_draws = 6  # variant, along or start, which waypoint, x, y, yaw

    def __init__(
        self,
        settings: Settings,
        num_envs: int,
        options: EnvOptions,
        *,
        route: Route,
        bounds: Bounds,
        ground: Ground,
        difficulty: np.ndarray,
        steps: np.ndarray,
        terms: Mapping[str, Term],
    ) -> None:
        """Lay out a route on V variants of the ground.

        Args:
            difficulty: [V] in 0-1 of the hardest; tells how far a curriculum is.
            steps: [V], the scale of each variant's steps, and so of the heights that waypoints ask for.
        """
        env = settings.env
        self.route, self.ground, self._bounds = route, ground, bounds
        self.control_dt_s = options.control_dt_s
        self._max_tilt_cos = math.cos(math.radians(float(env["max_tilt_deg"])))
        self._spawn_along = float(env["spawn_along"])
        self._spawn_yaw_rad = math.pi * float(env["spawn_yaw_share"])
        self.patience_steps = round(float(env["stagnation_s"]) / options.control_dt_s)
        self._sit_steps = max(round(SIT_HOLD_S / options.control_dt_s), 1)
        self.observation = ObservationTable(observation_terms(scan=bool(env["height_scan"])))
        self._difficulty = difficulty
        self._episode_steps = options.episode_steps
        self.shaping = CourseShaping.of(env)
        self._place_waypoints(route, steps)
        self._clear(num_envs)
        self.practice = Practice(len(self._group) + 1, ground.num_variants, enabled=bool(env["practice"]))
        self.traces = Traces(num_envs, route, settings.reward, options.control_dt_s)
        self.rewards = RewardTable(terms, settings.reward, options.control_dt_s)

    def _place_waypoints(self, route: Route, steps: np.ndarray) -> None:
        ways = route.waypoints
        self.spots = np.array([*(w.xy for w in ways), route.sit_at])  # [W + 1, 2], the last: where to sit
        self._radius_m = np.array([w.radius_m for w in ways])
        gates = np.array([w.z for w in ways]).T[:, None]  # [2, 1, W]
        standing_z = PLATFORM_M + HOME_HEIGHT_M
        # [V, W]: where landings are lower, a gate of the base's height is as far above them.
        self._z_low, self._z_high = standing_z + (gates - standing_z) * steps[:, None]
        self._under_z = PLATFORM_M + (gates[1] - PLATFORM_M) * steps[:, None]  # [V, W], which of two layers
        self._group = np.array([w.group for w in ways])
        self._counted = np.array([w.counted for w in ways])
        self._points = np.array([w.points for w in ways])

    def _clear(self, num_envs: int) -> None:
        self.elapsed = np.zeros(num_envs, dtype=np.int64)  # control steps of the episode, as of the last `advance`
        self.variant = np.zeros(num_envs, dtype=np.int64)
        self.leg = np.zeros(num_envs, dtype=np.int64)  # how many waypoints were collected when the episode began
        self.collected = np.zeros((num_envs, len(self._group)), dtype=bool)
        self.target = np.zeros(num_envs, dtype=np.int64)  # index into spots; the last: all is collected, go and sit
        self.local_xy = np.zeros((num_envs, 2))  # in the coordinates of the course
        self.clearance_m = np.zeros(num_envs)  # of the base above the ground
        self.distance_m = np.zeros(num_envs)  # to the target
        self.closer_m = np.zeros(num_envs)  # to the target of this control step, since the last
        self.newly = np.zeros((num_envs, len(self._group)), dtype=bool)  # collected in this control step
        self.anchor_xy = np.zeros((num_envs, 2))  # where the robot last had moved on
        self.still = np.zeros(num_envs, dtype=np.int64)  # control steps since
        self.sit = np.zeros(num_envs)  # potential 0-1 of sitting where it is asked
        self.last_sit = np.zeros(num_envs)
        self.sat = np.zeros(num_envs, dtype=np.int64)  # control steps sitting, without a break
        self.celebrated = np.zeros(num_envs, dtype=bool)
        self.fallen = np.zeros(num_envs, dtype=bool)

    def begin(self, ids: np.ndarray, draws: np.ndarray, qpos: np.ndarray) -> np.ndarray:
        """Put robots into the start box, or, as an aid to learning, near a waypoint with those before it collected."""
        self._look_back(ids)
        for name in PER_EPISODE:
            getattr(self, name)[ids] = 0
        along = draws[:, 1] < self._spawn_along
        done = np.where(along, self.practice.legs(draws[:, 2]), 0)
        along &= done > 0  # what begins before the first waypoint begins at the start
        self.variant[ids] = self.practice.grounds(done, draws[:, 0])
        self.leg[ids] = done
        self.collected[ids] = np.arange(len(self._group)) < done[:, None]
        self.target[ids] = done
        centred = 2.0 * draws[:, 3:5] - 1.0
        start = np.array(self._bounds.start_xy) + centred * self._bounds.start_half_m
        near = self.spots[np.maximum(done - 1, 0)] + centred * SPAWN_JITTER_M
        xy = np.where(along[:, None], near, start)
        from_z = np.where(along, self._under_z[self.variant[ids], np.maximum(done - 1, 0)], np.inf)
        yaw = 0.5 * math.pi + self._spawn_yaw_rad * (2.0 * draws[:, 5] - 1.0)
        self._stand(ids, xy, yaw, from_z, qpos)
        self.traces.begin(ids, xy)
        return ~along

    def _look_back(self, ids: np.ndarray) -> None:
        """Note of the episodes that end here which leg of the route needs practice on which ground.

        Won is who came one waypoint further, or did what there was left to do; a fall behind it is the next leg's.
        """
        ids = ids[self.elapsed[ids] > 0]  # the first of a run has no episode before it
        won = (self.collected[ids].sum(axis=1) > self.leg[ids]) | self.celebrated[ids]
        self.practice.note(self.leg[ids], self.variant[ids], won)

    def _stand(self, ids: np.ndarray, xy: np.ndarray, yaw: np.ndarray, from_z: np.ndarray, qpos: np.ndarray) -> None:
        """Write start rows: standing along the slope below the feet, and so high that no foot is inside a step."""
        feet = xy[:, None, :] + SPAWN_FEET
        ground = self.ground.height(self.variant[ids], feet[..., 0], feet[..., 1], from_z[:, None])  # [M, 5]
        slope = ground @ SLOPE_OF_FEET  # [M, 2], rise along x and along y
        plane = ground.mean(axis=1)[:, None] + slope @ SPAWN_FEET.T
        tilt = np.stack([-slope[:, 0], -slope[:, 1], np.ones(len(slope))], axis=1)
        qpos[:, 0] = xy[:, 0] + self.variant[ids] * LANE_M
        qpos[:, 1] = xy[:, 1]
        qpos[:, 2] += plane[:, 0] + (ground - plane).max(axis=1)
        qpos[:, 3:7] = standing_quat(tilt / np.linalg.norm(tilt, axis=1, keepdims=True), yaw)
        self.local_xy[ids] = self.anchor_xy[ids] = xy
        self.clearance_m[ids] = qpos[:, 2] - ground[:, 0]
        self.distance_m[ids] = _distance(self.spots[self.target[ids]], xy)

    def advance(self, robot: RobotView, elapsed: np.ndarray) -> Endings:
        """Collect what is reached, move the target on, and see who fell, is stuck or has celebrated."""
        self.elapsed = elapsed
        self.local_xy = robot.pos_w_m[:, :2] - np.stack([self.variant * LANE_M, np.zeros(len(self.variant))], axis=1)
        z = robot.pos_w_m[:, 2]
        self.clearance_m = z - self.ground.height(self.variant, self.local_xy[:, 0], self.local_xy[:, 1], from_z=z)
        before_m = self.distance_m
        now_m = _distance(self.spots[self.target], self.local_xy)
        self.closer_m = before_m - now_m
        self._collect(robot)
        self.distance_m = _distance(self.spots[self.target], self.local_xy)
        self._sit_down(robot)
        sitting = self.sit > 0.0
        self._look_for_movement(sitting)
        self.fallen = self._is_down(robot, sitting)
        self.celebrated = (self.sat >= self._sit_steps) & ~self.fallen
        self.traces.advance(robot, self)
        return Endings(success=self.celebrated, fall=self.fallen, stuck=self.still > self.patience_steps)

    def _collect(self, robot: RobotView) -> None:
        """Mark the waypoints of the current group that a robot is at. Order: the target moves only afterwards."""
        offset = self.spots[:-1] - self.local_xy[:, None, :]  # [N, W, 2]
        ahead = heading(robot.rotation_wb)
        forward = offset[..., 0] * ahead[:, :1] + offset[..., 1] * ahead[:, 1:]
        left = offset[..., 1] * ahead[:, :1] - offset[..., 0] * ahead[:, 1:]
        covered = (np.abs(forward) <= FOOTPRINT_HALF_M[0]) & (np.abs(left) <= FOOTPRINT_HALF_M[1])
        near = (offset**2).sum(axis=2) < self._radius_m**2
        z = robot.pos_w_m[:, 2:3]
        there = np.where(self._radius_m > 0.0, near, covered)
        there &= (z >= self._z_low[self.variant]) & (z <= self._z_high[self.variant])
        groups = np.append(self._group, -1)
        self.newly = there & ~self.collected & (self._group == groups[self.target][:, None])
        self.collected = self.collected | self.newly
        missing = ~self.collected
        self.target = np.where(missing.any(axis=1), missing.argmax(axis=1), len(self._group))

    def _sit_down(self, robot: RobotView) -> None:
        self.last_sit = self.sit
        asked = (self.target == len(self._group)) & (self.distance_m < SIT_RADIUS_M)
        low = np.clip((HOME_HEIGHT_M - self.clearance_m) / (HOME_HEIGHT_M - SIT_CLEARANCE_M), 0.0, 1.0)
        self.sit = np.where(asked, 1e-3 + (1.0 - 1e-3) * low, 0.0)
        speed_mps = np.hypot(robot.lin_vel_b_mps[:, 0], robot.lin_vel_b_mps[:, 1])
        down = asked & (self.clearance_m < SIT_CLEARANCE_M) & (speed_mps < SIT_SPEED_MPS)
        self.sat = np.where(down, self.sat + 1, 0)

    def _look_for_movement(self, sitting: np.ndarray) -> None:
        moved = (_distance(self.anchor_xy, self.local_xy) > MOVED_M) | sitting
        self.anchor_xy = np.where(moved[:, None], self.local_xy, self.anchor_xy)
        self.still = np.where(moved, 0, self.still + 1)

    def _is_down(self, robot: RobotView, sitting: np.ndarray) -> np.ndarray:
        b, (x, y) = self._bounds, self.local_xy.T
        out = (x < b.x[0]) | (x > b.x[1]) | (y < b.y[0]) | (y > b.y[1]) | (robot.pos_w_m[:, 2] < b.lowest_m)
        tilted = -robot.gravity_b[:, 2] < self._max_tilt_cos
        return out | tilted | (robot.trunk_contact & ~sitting)

    def reward(self, robot: RobotView) -> np.ndarray:
        """Return the reward [N] of this control step."""
        return self.rewards(robot, self, self.shaping.fade(self.elapsed / self._episode_steps, self.distance_m))

    def renew(self, elapsed: np.ndarray) -> None:
        """Do nothing: what is asked changes when a waypoint is reached, not with time."""

    def observe(self, robot: RobotView, ids: Ids) -> np.ndarray:
        """Return the observations [M, O]."""
        return self.observation(robot, self, ids)

    def goal_b(self, robot: RobotView, ids: Ids) -> np.ndarray:
        """Return the way to the target [M, 2] in the yaw-aligned base frame: ahead and left, m."""
        offset, ahead = self.spots[self.target[ids]] - self.local_xy[ids], heading(robot.rotation_wb)
        forward = (offset * ahead).sum(axis=1)
        return np.stack([forward, offset[:, 1] * ahead[:, 0] - offset[:, 0] * ahead[:, 1]], axis=1)

    def asked(self) -> Asked:
        """Return the targets in world coordinates."""
        place = self.spots[self.target].copy()
        place[:, 0] += self.variant * LANE_M
        return Asked(place_w_m=place, reach_m=FOOTPRINT_HALF_M[1])

    def adapt(self, finished: Finished) -> None:
        """Do nothing: `begin` looks back at every episode, also at those that do not count in the accounts."""

    def accounts(self, ids: np.ndarray, elapsed: np.ndarray, timed_out: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return waypoints, competition points and celebration of the ending episodes [M].

        Points by the published rules: a fall or leaving the course zeroes the whole section.
        """
        waypoints = (self.collected[ids] & self._counted).sum(axis=1).astype(float)
        won = self.celebrated[ids]
        points = self.collected[ids] @ self._points + won * self.route.celebration_points
        return {
            "waypoints": waypoints,
            "waypoint_share": waypoints / self._counted.sum(),
            "competition_points": np.where(self.fallen[ids], 0.0, points),
            "stuck_rate": (self.still[ids] > self.patience_steps).astype(float),
            "time_to_goal_s": np.where(won, elapsed * self.control_dt_s, np.nan),
            "furthest_y_m": self.local_xy[ids, 1],
        }

    @property
    def curriculum(self) -> Practice:
        """What decides where episodes begin, and on which ground."""
        return self.practice

    @property
    def level(self) -> float:
        """How hard the ground of the episodes from the start is on average, 0-1 of the hardest."""
        weights = self.practice.weights[0]
        return float(weights @ self._difficulty / weights.sum())

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint holds."""
        mine = {name: getattr(self, name) for name in PER_EPISODE}
        return mine | self.traces.state() | self.practice.state()


PER_EPISODE = (
    "variant", "leg", "collected", "target", "local_xy", "clearance_m", "distance_m", "closer_m", "newly", "anchor_xy",
    "still", "sit", "last_sit", "sat", "celebrated", "fallen",
)  # fmt: skip


def standing_quat(up_w: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Return quaternions [M, 4], wxyz: turned by `yaw` [M] about z, then tilted from z towards `up_w` [M, 3]."""
    # The shortest turn from z to `up` is (1 + z.up, z x up), normalised; never antiparallel on walkable ground.
    w, x, y = 1.0 + up_w[:, 2], -up_w[:, 1], up_w[:, 0]
    cos, sin = np.cos(yaw / 2.0), np.sin(yaw / 2.0)
    quat = np.stack([w * cos, x * cos + y * sin, y * cos - x * sin, w * sin], axis=1)
    return quat / np.linalg.norm(quat, axis=1, keepdims=True)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.hypot(a[:, 0] - b[:, 0], a[:, 1] - b[:, 1])


def _goal_direction(robot: RobotView, course: Course, ids: Ids) -> np.ndarray:
    return course.goal_b(robot, ids) / np.maximum(course.distance_m[ids], 1.0)[:, None]


def observation_terms(*, scan: bool) -> list[ObservationTerm]:
    """Return the terms of the observation, with or without the height scan."""
    terms = [
        *BASE_MOTION,
        ObservationTerm(
            name="goal_direction", size=2, unit="m", summary="ahead and left; at most 1 m long",
            values=_goal_direction,
        ),
        ObservationTerm(
            name="goal_distance", size=1, unit="5 m", summary="distance to the waypoint, at most 1",
            values=lambda robot, course, ids: np.minimum(course.distance_m[ids] / FAR_M, 1.0)[:, None],
        ),
        ObservationTerm(
            name="celebrate", size=1, unit="", summary="1 when all waypoints are collected: go to the spot and sit",
            values=lambda robot, course, ids: (course.target[ids] == len(course.route.waypoints))[:, None],
        ),
        ObservationTerm(
            name="clearance", size=1, unit="m", noise=0.02, summary="height of the base above the ground below it",
            values=lambda robot, course, ids: course.clearance_m[ids][:, None],
        ),
        FOOT_CONTACT,
        *JOINTS,
    ]  # fmt: skip
    if scan:
        terms.append(scan_term(lambda robot, course, ids: course.local_xy[ids]))
    return terms
