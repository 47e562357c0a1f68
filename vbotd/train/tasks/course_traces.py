"""What must be remembered over an episode for the predecessor's terms of the course? Nothing, unless one is paid.

The predecessor kept its per-zone distances, its distance to the celebration and its furthest y over the ends of
episodes: each episode began with a difference to where another one had ended. Everything here begins in `begin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vbotd.train.tasks.robot import HOME_HEIGHT_M, RobotView
from vbotd.train.tasks.routes import Route

if TYPE_CHECKING:
    from vbotd.train.tasks.course import Course

ZONE_M = 5.0  # a waypoint pulls from this near on
CLOSE_M = 2.0
SPOT_M = 1.0  # so near the celebration's spot is reached
MILESTONES = np.array([(4.0, 0.3), (6.5, 0.8), (12.0, -9.0), (15.0, 1.5), (18.0, 2.0), (21.0, -9.0)])  # y, base height
REMEMBERED = frozenset(
    ("zone_progress", "height_progress", "height_approach_progress", "traversal_event", "spot_event", "impact_cost",
     "forfeit_event")
)  # fmt: skip
BONUSES = ("waypoint_event", "phase_event", "traversal_event", "spot_event", "celebration_event")


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseShaping:
    """How the predecessor's terms count; every default is sound, and most mean off."""

    forward_cap_mps: float = 0.8  # faster pays no more; 0: no cap
    alive_decay_s: float = 0.0  # after this time being alive pays no more; 0: it goes on
    time_decay: float = 0.0  # share of every `*_reward` that is gone by the end of an episode
    close_floor: float = 1.0  # what is left of every `*_reward` at the waypoint, falling from 2 m on; 1: all
    bump_boost: float = 1.0  # of lifting feet, by zone
    wave_boost: float = 1.0
    stair_boost: float = 1.0
    valley_boost: float = 1.0
    boost_pre_m: float = 0.7  # before a zone, where a share of the boost counts
    boost_post_m: float = 0.0  # same behind it
    boost_share: float = 0.5
    bump_contact_scale: float = 1.0  # of what touching with a swinging leg costs on the bumps

    @classmethod
    def of(cls, env: Mapping[str, Any]) -> CourseShaping:
        """Pick these options out of a run's env settings."""
        return cls(**{name: env[name] for name in cls.__slots__})

    def fade(self, done: np.ndarray, distance_m: np.ndarray) -> np.ndarray | None:
        """Return what is left of every `*_reward` [N] after a share `done` [N] of the episode; None: all of it."""
        if not self.time_decay and self.close_floor >= 1.0:
            return None
        closeness = self.close_floor + (1.0 - self.close_floor) * np.minimum(distance_m / CLOSE_M, 1.0)
        return (1.0 - self.time_decay * done) * closeness


class Traces:
    """The memory of N episodes; idle where no term that needs it has a weight."""

    def __init__(self, num_envs: int, route: Route, weights: Mapping[str, float], control_dt_s: float) -> None:
        self.used = any(weights.get(name, 0.0) for name in REMEMBERED)
        self.group = np.array([w.group for w in route.waypoints])
        self._zones = np.array([w.xy for w in route.waypoints])
        self._spots = np.array([*(w.xy for w in route.waypoints), route.sit_at])
        self._from_z = np.array([*(w.z[1] for w in route.waypoints), np.inf])  # which of two layers is meant
        self._weights = {name: weights.get(name, 0.0) for name in BONUSES}
        self._dt_s = control_dt_s
        self.fresh = np.ones(num_envs, dtype=bool)  # nothing before this control step belongs to this episode
        self.last_xy = np.zeros((num_envs, 2))
        self.last_target = np.zeros(num_envs, dtype=np.int64)
        self.velocity_w = np.zeros((num_envs, 3))
        self.top_m = np.zeros(num_envs)  # highest base height
        self.least_error_m = np.zeros(num_envs)  # smallest difference to a standing robot's height at the target
        self.passed = np.zeros((num_envs, len(MILESTONES)), dtype=bool)
        self.arrived = np.zeros(num_envs, dtype=bool)  # at the celebration's spot
        self.bonus = np.zeros(num_envs)  # one-time rewards of this episode so far
        self.zone_closer_m = np.zeros(num_envs)  # from here on: of this control step alone
        self.higher_m = np.zeros(num_envs)
        self.height_closer_m = np.zeros(num_envs)
        self.milestones = np.zeros(num_envs)
        self.just_arrived = np.zeros(num_envs, dtype=bool)
        self.acceleration_mps2 = np.zeros(num_envs)  # what the trunk's accelerometer would read, at least 0

    def begin(self, ids: np.ndarray, xy: np.ndarray) -> None:
        """Forget everything about the robots that begin an episode, at places [M, 2]."""
        self.fresh[ids] = True
        self.last_xy[ids] = xy

    def advance(self, robot: RobotView, course: Course) -> None:
        """Take a control step into account, after the course has."""
        if not self.used:
            return
        z = robot.pos_w_m[:, 2]
        velocity_w = np.einsum("nwb,nb->nw", robot.rotation_wb, robot.lin_vel_b_mps)
        passed = (course.local_xy[:, 1:2] > MILESTONES[:, 0]) & (z[:, None] > MILESTONES[:, 1])
        error_m = np.abs(z - HOME_HEIGHT_M - self._height_of_target(course))
        new = self.fresh | (course.target != self.last_target)
        self.least_error_m = np.where(new, error_m, self.least_error_m)
        if self.fresh.any():
            ids = self.fresh
            self.velocity_w[ids] = velocity_w[ids]
            self.top_m[ids], self.passed[ids] = z[ids], passed[ids]  # where it starts is not its merit
            self.arrived[ids] = False
            self.bonus[ids] = 0.0
            self.fresh[:] = False
        self._measure(course, z, velocity_w, passed, error_m)
        self.last_xy, self.last_target, self.velocity_w = course.local_xy, course.target, velocity_w

    def _height_of_target(self, course: Course) -> np.ndarray:
        spots = self._spots[course.target]
        return course.ground.height(course.variant, spots[:, 0], spots[:, 1], from_z=self._from_z[course.target])

    def _measure(
        self, course: Course, z: np.ndarray, velocity_w: np.ndarray, passed: np.ndarray, error_m: np.ndarray
    ) -> None:
        before_m, now_m = (
            np.minimum(np.linalg.norm(self._zones - xy[:, None, :], axis=2), ZONE_M)
            for xy in (self.last_xy, course.local_xy)
        )
        wanted = ~course.collected & (self.group == np.append(self.group, -1)[course.target][:, None])
        self.zone_closer_m = ((before_m - now_m) * wanted).sum(axis=1)
        self.higher_m = np.maximum(z - self.top_m, 0.0)
        self.top_m = np.maximum(self.top_m, z)
        self.height_closer_m = np.maximum(self.least_error_m - error_m, 0.0)
        self.least_error_m = np.minimum(self.least_error_m, error_m)
        self.milestones = (passed & ~self.passed).sum(axis=1).astype(float)
        self.passed = self.passed | passed
        there = (course.target == len(self.group)) & (course.distance_m < SPOT_M)
        self.just_arrived = there & ~self.arrived
        self.arrived = self.arrived | there
        felt = (velocity_w - self.velocity_w) / self._dt_s + (0.0, 0.0, 9.81)
        self.acceleration_mps2 = np.linalg.norm(felt, axis=1)
        self.bonus = self.bonus + np.where(course.fallen, 0.0, self._paid(course))

    def _paid(self, course: Course) -> np.ndarray:
        w = self._weights
        return (
            w["waypoint_event"] * course.newly.sum(axis=1)
            + w["phase_event"] * phase_done(course)
            + w["traversal_event"] * self.milestones
            + w["spot_event"] * self.just_arrived
            + w["celebration_event"] * course.celebrated
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint holds."""
        return {f"trace_{name}": getattr(self, name) for name in KEPT}


KEPT = ("fresh", "last_xy", "last_target", "velocity_w", "top_m", "least_error_m", "passed", "arrived", "bonus")


def phase_done(course: Course) -> np.ndarray:
    """Return 1 where the last waypoint of a group was reached in this control step."""
    group = course.traces.group
    done = group[course.newly.argmax(axis=1)]
    missing = (~course.collected & (group == done[:, None])).any(axis=1)
    return (course.newly.any(axis=1) & ~missing).astype(float)
