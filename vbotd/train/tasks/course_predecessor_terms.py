"""What did the predecessor pay for on the course? Its terms in our units, without its mistakes.

A rate's weight is 100 times as much here, per second; weights of events and of metres are as they were. What is the
same for all of them:
* Its differences of distance were clipped a control step, at -0.3 to -0.5 below and 2 to 5 above, which at its weights
  paid a step towards the target several times what the same step back cost. No `*_progress` is clipped here.
* It knew the ground only by its y, as a few straight lines. Here it is the ground below the robot.
* It replaced the reward of a control step with a fall by the penalty alone; here a fall costs, and nothing is hidden.
"""

from __future__ import annotations

import numpy as np

from vbotd.train.tasks.course import Course
from vbotd.train.tasks.course_traces import phase_done
from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.scan import heading
from vbotd.train.tasks.terms import Term

CALVES = (2, 5, 8, 11)
TORQUE_LIMIT_NM = np.tile([17.0, 17.0, 34.0], 4)
STAND_M = 0.256  # of the base above the ground: 1.55 m on the platform of 1.294 m
CROUCH_M = 0.20
SLOPE_SINE = 0.1  # steeper than this is a slope
MOST_FORFEIT = 100.0
BUMPS, WAVES, STAIRS, VALLEY = ((-1.8, 1.8),), ((8.83, 11.83),), ((11.83, 14.33), (21.33, 23.33)), ((14.33, 21.33),)
BALLS_XY = np.array([(-3.0, 31.23), (0.0, 31.23), (3.0, 31.23)])
BALL_ZONE_Y = (30.4, 31.9)
GAP_X = 1.5
SLOPE_REACH_M = 0.15  # from the base to where the ground's height is taken, on all four sides


def position_reward(_: RobotView, course: Course) -> np.ndarray:
    """Return exp(-d / 5 m) of the waypoint; it drops when one is reached, which `waypoint_event` must outweigh."""
    return np.exp(-course.distance_m / 5.0)


def heading_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return exp(-|bearing| / 0.5 rad) of the waypoint.

    The predecessor paid all of it, whatever the heading, to who stood on a waypoint or celebrated; here nobody is
    paid who has nothing left to go to.
    """
    ahead, left = course.goal_b(robot, slice(None)).T
    return np.exp(-np.abs(np.arctan2(left, ahead)) / 0.5) * ~_all_collected(course)


def forward_velocity_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return the speed towards the waypoint, m/s, up to the cap; negative without bound when walking away."""
    ahead = heading(robot.rotation_wb)
    left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    goal = course.goal_b(robot, slice(None)) / np.maximum(course.distance_m, 1e-6)[:, None]
    velocity_w = np.einsum("nwb,nb->nw", robot.rotation_wb[:, :2], robot.lin_vel_b_mps)
    closing_mps = (velocity_w * ahead).sum(axis=1) * goal[:, 0] + (velocity_w * left).sum(axis=1) * goal[:, 1]
    cap_mps = course.shaping.forward_cap_mps
    return np.minimum(closing_mps, cap_mps) if cap_mps else closing_mps


def approach_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return how much nearer the waypoint is than a control step ago, m; what goes to and fro earns nothing."""
    return course.closer_m


def zone_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return how much nearer all missing waypoints of this group within 5 m are, summed, m.

    The predecessor's last distances were those of the episode before, so every first control step paid or cost up to
    its clip; and at 10 times 75 to 330 per metre the clip made the amount the same at any speed. Its weight s is 10 s
    here.
    """
    return course.traces.zone_closer_m


def alive_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return 1 when upright (cosine of the tilt above 0.9), 0.5 when leaning (0.7), else 0; fades in `alive_decay_s`.

    The fading makes a fall cheap late in an episode and is off by default: `time_cost` makes haste pay without that.
    """
    upright = -robot.gravity_b[:, 2]
    paid = np.where(upright > 0.9, 1.0, np.where(upright > 0.7, 0.5, 0.0))
    if not course.shaping.alive_decay_s:
        return paid
    return paid * np.maximum(1.0 - course.elapsed * course.control_dt_s / course.shaping.alive_decay_s, 0.0)


def phase_event(_: RobotView, course: Course) -> np.ndarray:
    """Return 1 where the last waypoint of a group is reached."""
    return phase_done(course)


def traversal_event(_: RobotView, course: Course) -> np.ndarray:
    """Return how many milestones, lines along y with a least height, are passed for the first time in the episode.

    Those behind the place where the episode starts are not paid.
    """
    return course.traces.milestones


def spot_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return how much nearer the celebration's spot is, m, once all waypoints are reached.

    The predecessor's last distance was that of an earlier episode; the way to the last waypoint does not count here.
    """
    return course.closer_m * (_all_collected(course) & ~course.newly.any(axis=1))


def spot_event(_: RobotView, course: Course) -> np.ndarray:
    """Return 1 where the celebration's spot is reached for the first time in the episode."""
    return course.traces.just_arrived.astype(float)


def sit_reward(_: RobotView, course: Course) -> np.ndarray:
    """Return how far below standing the base is at the celebration's spot, m.

    By the height above the ground; the predecessor took 1.55 m above the world's origin, on whatever ground.
    """
    return np.maximum(STAND_M - course.clearance_m, 0.0) * (course.sit > 0.0)


def height_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return how much higher the base is than ever before in the episode, m: bouncing on the spot pays once."""
    return course.traces.higher_m


def height_approach_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return the gain on the least difference yet to a standing robot's height at this waypoint, m.

    The predecessor compared the base with the surface itself: who lay down at the waypoint was nearest to it.
    """
    return course.traces.height_closer_m


def slope_orientation_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return exp(-sin^2 / 0.05) of the angle between the robot's up and the ground's, on a slope; 0 elsewhere.

    The predecessor asked the sideways part of gravity to be the ramp's 0.259: a robot that walked up straight had 0
    there, one that went sideways was paid in full. This holds for every direction and every slope.
    """
    x, y = course.local_xy.T
    at_x = np.stack([x + SLOPE_REACH_M, x - SLOPE_REACH_M, x, x], axis=1)
    at_y = np.stack([y, y, y + SLOPE_REACH_M, y - SLOPE_REACH_M], axis=1)
    ground = course.ground.height(course.variant, at_x, at_y, from_z=robot.pos_w_m[:, 2:3])
    slope = (ground[:, 0::2] - ground[:, 1::2]) / (2.0 * SLOPE_REACH_M)  # [N, 2], rise along x and along y
    normal_w = np.concatenate([-slope, np.ones((len(slope), 1))], axis=1)
    length = np.linalg.norm(normal_w, axis=1)
    cosine = (normal_w * robot.rotation_wb[:, :, 2]).sum(axis=1) / length
    steep = np.hypot(slope[:, 0], slope[:, 1]) / length > SLOPE_SINE
    return np.exp(-(1.0 - cosine**2) / 0.05) * (steep & (cosine > 0.0))


def foot_clearance_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return 0.2 x the summed calf speeds of swinging legs, each up to 5 rad/s, times the boost of the zone."""
    calves = np.minimum(np.abs(robot.joint_vel_radps[:, CALVES]), 5.0)
    return clearance_boost(course) * 0.2 * (calves * ~robot.foot_contact).sum(axis=1)


def clearance_boost(course: Course) -> np.ndarray:
    """Return what lifting feet is multiplied by [N], at least 1: the zone's boost, a share of it before and behind."""
    options, y = course.shaping, course.local_xy[:, 1]
    boost = np.ones(len(y))
    for zones, most in ((BUMPS, options.bump_boost), (WAVES, options.wave_boost), (STAIRS, options.stair_boost),
                        (VALLEY, options.valley_boost)):  # fmt: skip
        for low, high in zones:
            around = (y > low - options.boost_pre_m) & (y < high + options.boost_post_m)
            inside = (y >= low) & (y <= high)
            boost = np.maximum(boost, np.where(inside, most, np.where(around, most * options.boost_share, 1.0)))
    return boost


def stance_reward(robot: RobotView, _: Course) -> np.ndarray:
    """Return 1 with two feet on the ground, a third less for each one more or less."""
    return np.clip(1.0 - 0.33 * np.abs(robot.foot_contact.sum(axis=1) - 2), 0.0, 1.0)


def impact_cost(_: RobotView, course: Course) -> np.ndarray:
    """Return (|a| - 15 m/s^2)^2 / 100 of what an accelerometer reads beyond 15; the mean over a control step."""
    return np.maximum(course.traces.acceleration_mps2 - 15.0, 0.0) ** 2 / 100.0


def torque_saturation_cost(robot: RobotView, _: Course) -> np.ndarray:
    """Return the sum over joints of (share of the torque limit - 0.9)^2 beyond 0.9.

    Of the torque that the motors give, so at most 0.12. In section 011 the predecessor took what its controller asked
    for, without bound, which charged its own stiffness of 100 N m/rad.
    """
    share = np.abs(robot.torque_nm) / TORQUE_LIMIT_NM
    return (np.maximum(share - 0.9, 0.0) ** 2).sum(axis=1)


def swing_contact_cost(robot: RobotView, course: Course) -> np.ndarray:
    """Return a tenth of the squared calf speeds of legs that touch the ground at more than 2 rad/s."""
    calves = robot.joint_vel_radps[:, CALVES]
    touched = ((calves**2) * (robot.foot_contact & (np.abs(calves) > 2.0))).sum(axis=1) / 10.0
    y, (low, high) = course.local_xy[:, 1], BUMPS[0]
    return touched * np.where((y >= low) & (y <= high), course.shaping.bump_contact_scale, 1.0)


def height_oscillation_cost(robot: RobotView, _: Course) -> np.ndarray:
    """Return the vertical speed beyond 1.5 m/s, in m/s: 15 mm in the predecessor's control step of 10 ms."""
    vertical_mps = np.einsum("nb,nb->n", robot.rotation_wb[:, 2], robot.lin_vel_b_mps)
    return np.maximum(np.abs(vertical_mps) - 1.5, 0.0)


def drag_foot_cost(robot: RobotView, _: Course) -> np.ndarray:
    """Return how many legs touch the ground with a calf slower than 1 rad/s. Standing still costs four of them."""
    slow = np.abs(robot.joint_vel_radps[:, CALVES]) < 1.0
    return (robot.foot_contact & slow).sum(axis=1).astype(float)


def stagnation_cost(_: RobotView, course: Course) -> np.ndarray:
    """Return 0-1, rising from half of `env.stagnation_s` without getting on to the end of the episode by it.

    The predecessor forgave the first 3 to 5 s of an episode; here a robot that starts standing has as long as any.
    """
    return np.clip(2.0 * (course.still / course.patience_steps - 0.5), 0.0, 1.0)


def crouch_cost(_: RobotView, course: Course) -> np.ndarray:
    """Return 1 where the base is less than 0.20 m above the ground, but for the celebration.

    The predecessor guessed the ground from y, and took 0.10 m for the bumps of up to 0.277 m.
    """
    return ((course.clearance_m < CROUCH_M) & (course.sit <= 0.0)).astype(float)


def forfeit_event(_: RobotView, course: Course) -> np.ndarray:
    """Return, for who falls, the one-time rewards of the episode, as far as 0.3 of them are at most 100."""
    return np.minimum(course.traces.bonus, MOST_FORFEIT / 0.3) * course.fallen


def ball_gap_reward(_: RobotView, course: Course) -> np.ndarray:
    """Return 1 in the middle between two balls, falling to 0 at a ball's; 0 outside of the balls' zone."""
    return np.clip(1.0 - np.abs(np.abs(course.local_xy[:, 0]) - GAP_X) / GAP_X, 0.0, 1.0) * _in_ball_zone(course)


def ball_contact_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return nearness to a ball, 1 at its middle and 0 from 1 m on, times how steady the robot is."""
    return _ball_nearness(course) * _steadiness(robot)


def ball_unstable_cost(robot: RobotView, course: Course) -> np.ndarray:
    """Return nearness to a ball times how unsteady the robot is."""
    return _ball_nearness(course) * (1.0 - _steadiness(robot))


def _all_collected(course: Course) -> np.ndarray:
    return course.target == len(course.route.waypoints)


def _in_ball_zone(course: Course) -> np.ndarray:
    y = course.local_xy[:, 1]
    return (y > BALL_ZONE_Y[0]) & (y < BALL_ZONE_Y[1])


def _ball_nearness(course: Course) -> np.ndarray:
    distance_m = np.linalg.norm(course.local_xy[:, None, :] - BALLS_XY, axis=2).min(axis=1)
    return np.clip(1.0 - distance_m, 0.0, 1.0) * _in_ball_zone(course)


def _steadiness(robot: RobotView) -> np.ndarray:
    """Return 0-1: 0.7 for a level trunk (0 from a sine of 0.6 on), 0.3 for a quiet one (0 from 3 rad/s on)."""
    level = np.clip(1.0 - np.linalg.norm(robot.gravity_b[:, :2], axis=1) / 0.6, 0.0, 1.0)
    quiet = np.clip(1.0 - np.linalg.norm(robot.ang_vel_b_radps, axis=1) / 3.0, 0.0, 1.0)
    return 0.7 * level + 0.3 * quiet


PREDECESSOR_TERMS: dict[str, Term] = {
    term.__name__: term
    for term in (
        position_reward, heading_reward, forward_velocity_reward, approach_progress, zone_progress, alive_reward,
        phase_event, traversal_event, spot_progress, spot_event, sit_reward, height_progress,
        height_approach_progress, slope_orientation_reward, foot_clearance_reward, stance_reward, impact_cost,
        torque_saturation_cost, swing_contact_cost, height_oscillation_cost, drag_foot_cost, stagnation_cost,
        crouch_cost, forfeit_event, ball_gap_reward, ball_contact_reward, ball_unstable_cost,
    )
}  # fmt: skip
