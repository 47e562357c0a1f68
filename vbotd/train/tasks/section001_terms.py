"""What does the flat navigation task pay for? Our own terms, and those of the predecessor in our units.

The predecessor weighed a control step of 10 ms; a rate's weight is 100 times as much here, per second. What was wrong
with its terms is right by default; the options in `Shaping` put its mistakes back, so that the audit can be shown to
find them:
* Its inner-fence flag and its stop budget outlived the episode: the fence was paid once a training run, and the
  budget compared the clock of this episode with one long gone. Both begin anew with every episode.
* It clipped progress at 0, which pays for going to and fro, and at 1, which pays nothing for haste.
* It paid for standing near the goal before the goal was reached, and for standing in it without end.
* It paid less and less over an episode, so that two short ones, ended by a fall, were worth more than a long one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.terms import ROBOT_TERMS, Term

if TYPE_CHECKING:
    from vbotd.train.tasks.navigation import Navigation

REACH_M = 0.5
INNER_FENCE_M = 0.75
FINE_M = 2.5  # nearer than this the fine position counts
BOUNDARY_M = 10.0
DEPARTURE_MPS = 0.1  # slower than this nobody leaves
SLOW_MPS = (0.05, 0.6)  # bounds of the speed that is fit for a distance, which is half of it per second


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """How the predecessor's terms count; the defaults are sound, 0 and False are its mistakes."""

    forward_cap_mps: float = 0.6  # faster pays no more; 0: no cap
    slowdown_radius_m: float = 0.5  # where speed is charged; it was 2 m
    slowdown_excess: bool = True  # only speed beyond what fits the distance is charged; False: all speed
    stop_budget_s: float = 0.5  # how long stopping is paid after the first reach; 0: without end
    stop_speed_mps: float = 0.3  # faster is not stopping; 0: no matter how fast
    time_decay: float = 0.0  # share of every `*_reward` that is gone by the end of an episode
    fine_after_reach: bool = True  # fine position counts once the target was reached; False: always
    alive_after_reach: bool = True  # being alive counts always; False: until the target was reached

    @classmethod
    def of(cls, env: Mapping[str, Any]) -> Shaping:
        """Pick these options out of a run's env settings."""
        return cls(**{name: env[name] for name in cls.__slots__})


def to_goal_w(robot: RobotView) -> np.ndarray:
    """Return the horizontal unit vector [N, 2] to the target, the origin, in the world frame."""
    vector_w = -robot.pos_w_m[:, :2]
    return vector_w / np.maximum(np.linalg.norm(vector_w, axis=1, keepdims=True), 1e-6)


def goal_direction(robot: RobotView) -> np.ndarray:
    """Return the unit vector [N, 2] to the target in the yaw-aligned base frame: forward and left."""
    forward_w = robot.rotation_wb[:, :2, 0]
    forward_w = forward_w / np.maximum(np.linalg.norm(forward_w, axis=1, keepdims=True), 1e-6)
    goal_w = to_goal_w(robot)
    ahead = (forward_w * goal_w).sum(axis=1)
    left = forward_w[:, 0] * goal_w[:, 1] - forward_w[:, 1] * goal_w[:, 0]
    return np.stack([ahead, left], axis=1)


def rest_potential(distance_m: np.ndarray, speed_mps: np.ndarray) -> np.ndarray:
    """Return 0-1: 1 at rest within 0.25 m of the target, 0 beyond 0.75 m or in full motion."""
    closeness = np.clip(1.0 - (distance_m - 0.25) / 0.5, 0.0, 1.0)
    return closeness * np.exp(-((speed_mps / 0.4) ** 2))


def goal_progress(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return how much nearer the target is than a control step ago, m; negative when walking away."""
    return nav.last_distance_m - nav.distance_m


def rest_progress(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return the gain of the rest potential: pays for stopping at the target once, however often it is tried."""
    return nav.rest - nav.last_rest


def hold_progress(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return the gain of the share of the hold, 1 over a full one; a broken hold gives all of it back."""
    return (nav.hold - nav.last_hold) / nav.hold_steps


def facing_reward(robot: RobotView, _: Navigation) -> np.ndarray:
    """Return 0-1, how much the robot looks at the target: 1 ahead, 0 behind."""
    return 0.5 * (1.0 + goal_direction(robot)[:, 0])


def time_cost(robot: RobotView, _: Navigation) -> np.ndarray:
    """Return 1: every second costs, so that standing anywhere is no way to live."""
    return np.ones(len(robot.pos_w_m))


def inner_fence_event(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return 1 where the inner fence is reached for the first time in the episode.

    The predecessor never cleared the flag: whatever its search found for this weight was paid once a training run.
    """
    return nav.just_fenced.astype(float)


def arrival_event(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return 1 where the target is reached for the first time in the episode."""
    return nav.just_reached.astype(float)


def success_event(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return 1 where the hold is complete."""
    return nav.succeeded.astype(float)


def fall_event(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return 1 where the robot is down or off the disc; the predecessor let robots fall off the disc unpunished."""
    return nav.fallen.astype(float)


def position_reward(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return exp(-d / 5 m). Pays for being somewhere, whatever the robot does there: the audit judges how much."""
    return np.exp(-nav.distance_m / 5.0)


def heading_reward(robot: RobotView, nav: Navigation) -> np.ndarray:
    """Return exp(-|bearing| / 0.5 rad) of the target outside of it; within, the bearing means nothing."""
    ahead, left = goal_direction(robot).T
    return np.exp(-np.abs(np.arctan2(left, ahead)) / 0.5) * (nav.distance_m >= REACH_M)


def forward_velocity_reward(robot: RobotView, nav: Navigation) -> np.ndarray:
    """Return the speed towards the target, m/s, up to the cap; negative when walking away. Nothing in the target.

    The predecessor's bound of -1 m/s below is gone: who ran away faster than that and walked back was paid for it.
    """
    velocity_w = np.einsum("nwb,nb->nw", robot.rotation_wb[:, :2], robot.lin_vel_b_mps)
    closing_mps = (velocity_w * to_goal_w(robot)).sum(axis=1)
    cap_mps = nav.shaping.forward_cap_mps
    return (np.minimum(closing_mps, cap_mps) if cap_mps else closing_mps) * (nav.distance_m >= REACH_M)


def distance_reward(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return the share of the way that is done, from -0.5 to 1, outside of the target."""
    done = 1.0 - nav.distance_m / np.maximum(nav.spawn_m, 1e-6)
    return np.clip(done, -0.5, 1.0) * (nav.distance_m >= REACH_M)


def alive_reward(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return 1: every second pays. Without `alive_after_reach`, until the target is reached: then falling is free."""
    return np.ones(len(nav.distance_m)) if nav.shaping.alive_after_reach else (~nav.reached).astype(float)


def approach_progress(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return how much nearer the target is than a control step ago, m, as `goal_progress` does.

    The predecessor clipped what this paid to 0-1 a control step. Clipped below, every turn back is forgiven and every
    return paid again: a robot that walks to and fro earns without end. Clipped above, at 40 per metre, nothing faster
    than 2.5 m/s counts. Here the sum over an episode depends on its two ends only.
    """
    return nav.last_distance_m - nav.distance_m


def fine_position_reward(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return exp(-d / 0.5 m) within 2.5 m, once the target was reached in this episode.

    Ungated (`fine_after_reach: false`) it paid 97 % of what reaching paid to robots that stopped at 0.52 m.
    """
    near = nav.distance_m < FINE_M
    if nav.shaping.fine_after_reach:
        near &= nav.reached
    return np.exp(-nav.distance_m / 0.5) * near


def stop_reward(robot: RobotView, nav: Navigation) -> np.ndarray:
    """Return up to 2 for standing still in the target: 0.8 exp(-(v / 0.2)^2) + 1.2 exp(-(yaw rate / 0.1)^4).

    For `stop_budget_s` after the first reach of this episode; without that limit, standing there for the rest of an
    episode paid 20 times as much as going there. The predecessor counted from the first reach of an earlier episode.
    """
    still = 0.8 * np.exp(-((nav.speed_mps / 0.2) ** 2)) + 1.2 * np.exp(-((robot.ang_vel_b_radps[:, 2] / 0.1) ** 4))
    return still * stopping(nav)


def still_reward(robot: RobotView, nav: Navigation) -> np.ndarray:
    """Return 1 where a robot that stops in the target turns by less than 0.05 rad/s; budget as in `stop_reward`."""
    return stopping(nav) * (np.abs(robot.ang_vel_b_radps[:, 2]) < 0.05)


def stopping(nav: Navigation) -> np.ndarray:
    """Say where a stop is paid now [N] bool: in the target, slow, and within the budget."""
    options = nav.shaping
    paid = nav.distance_m < REACH_M
    if options.stop_speed_mps:
        paid &= nav.speed_mps < options.stop_speed_mps
    if options.stop_budget_s:
        paid &= nav.elapsed - nav.reached_at < round(options.stop_budget_s / nav.control_dt_s)
    return paid


def near_target_speed_cost(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return the squared speed beyond what fits the distance, m^2/s^2, within the slowdown radius.

    What fits is half the distance per second, 0.05 to 0.6 m/s. The predecessor first charged all speed (m/s) within
    2 m of a target not yet reached (`slowdown_radius_m: 2`, `slowdown_excess: false`): its robots stopped at 1 m.
    """
    near = nav.distance_m < nav.shaping.slowdown_radius_m
    if not nav.shaping.slowdown_excess:
        return nav.speed_mps * (near & ~nav.reached)
    return np.maximum(nav.speed_mps - np.clip(nav.distance_m / 2.0, *SLOW_MPS), 0.0) ** 2 * near


def departure_cost(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return how fast a robot in the target leaves its middle, m/s, beyond 0.1 m/s.

    The predecessor's dead band of 1 cm in a control step of 10 ms was 1 m/s: it charged nobody who walked away.
    """
    leaving_mps = (nav.distance_m - nav.last_distance_m) / nav.control_dt_s
    return leaving_mps * ((nav.distance_m < REACH_M) & (leaving_mps > DEPARTURE_MPS))


def boundary_cost(_: RobotView, nav: Navigation) -> np.ndarray:
    """Return how far the robot is beyond 10 m from the middle of the disc, m."""
    return np.maximum(nav.distance_m - BOUNDARY_M, 0.0)


OWN_TERMS: dict[str, Term] = {
    "goal_progress": goal_progress,
    "rest_progress": rest_progress,
    "hold_progress": hold_progress,
    "facing_reward": facing_reward,
    "time_cost": time_cost,
    "inner_fence_event": inner_fence_event,
    "arrival_event": arrival_event,
    "success_event": success_event,
    "fall_event": fall_event,
}
PREDECESSOR_TERMS: dict[str, Term] = {
    "position_reward": position_reward,
    "heading_reward": heading_reward,
    "forward_velocity_reward": forward_velocity_reward,
    "distance_reward": distance_reward,
    "alive_reward": alive_reward,
    "approach_progress": approach_progress,
    "fine_position_reward": fine_position_reward,
    "stop_reward": stop_reward,
    "still_reward": still_reward,
    "near_target_speed_cost": near_target_speed_cost,
    "departure_cost": departure_cost,
    "boundary_cost": boundary_cost,
}
TERMS: dict[str, Term] = OWN_TERMS | PREDECESSOR_TERMS | ROBOT_TERMS
