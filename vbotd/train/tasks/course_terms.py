"""What is rewarded on the obstacle course? Our own terms; the predecessor's are beside, in course_predecessor_terms."""

from __future__ import annotations

import numpy as np

from vbotd.train.tasks.course import Course
from vbotd.train.tasks.course_predecessor_terms import PREDECESSOR_TERMS
from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.scan import heading
from vbotd.train.tasks.terms import ROBOT_TERMS, Term


def goal_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return how much nearer the waypoint is than a control step ago, m; negative when walking away."""
    return course.closer_m


def waypoint_event(_: RobotView, course: Course) -> np.ndarray:
    """Return how many waypoints were reached in this control step."""
    return course.newly.sum(axis=1).astype(float)


def facing_reward(robot: RobotView, course: Course) -> np.ndarray:
    """Return 0-1, how much the robot looks at the waypoint: 1 ahead, 0 behind."""
    to_goal = course.spots[course.target] - course.local_xy
    ahead = (to_goal * heading(robot.rotation_wb)).sum(axis=1) / np.maximum(course.distance_m, 0.1)
    return 0.5 * (1.0 + np.clip(ahead, -1.0, 1.0))


def time_cost(robot: RobotView, _: Course) -> np.ndarray:
    """Return 1: every second costs."""
    return np.ones(len(robot.pos_w_m))


def sit_progress(_: RobotView, course: Course) -> np.ndarray:
    """Return the gain of the share of sitting down at the spot; getting up again gives it back."""
    return course.sit - course.last_sit


def celebration_event(_: RobotView, course: Course) -> np.ndarray:
    """Return 1 where the celebration is complete."""
    return course.celebrated.astype(float)


def fall_event(_: RobotView, course: Course) -> np.ndarray:
    """Return 1 where the robot is down or off the course."""
    return course.fallen.astype(float)


def shin_contact_cost(robot: RobotView, _: Course) -> np.ndarray:
    """Return how many shins touch the ground: edges and slopes are for feet."""
    return robot.shin_contact.sum(axis=1).astype(float)


TERMS: dict[str, Term] = {
    "goal_progress": goal_progress,
    "waypoint_event": waypoint_event,
    "facing_reward": facing_reward,
    "time_cost": time_cost,
    "sit_progress": sit_progress,
    "celebration_event": celebration_event,
    "fall_event": fall_event,
    "shin_contact_cost": shin_contact_cost,
    **PREDECESSOR_TERMS,
    **ROBOT_TERMS,
}
