"""What does a policy see? A table of terms, each with its size and unit, side by side in one float32 array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbotd.train.tasks.robot import NUM_FEET, NUM_JOINTS, RobotView

Ids = np.ndarray | slice


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationTerm:
    """One quantity of the policy's input. All are in the base frame: turning the world changes none of them.

    `values(robot, task, ids)` returns [M, size] for the view [M, ...] of the environments `ids`.
    `noise` is the largest error at `env.obs_noise: 1`, in the term's own unit.
    """

    name: str
    size: int
    unit: str
    summary: str
    values: Callable[[RobotView, Any, Ids], np.ndarray]
    noise: float = 0.0


class ObservationTable:
    """The observation of a task: its terms, in order."""

    def __init__(self, terms: Sequence[ObservationTerm]) -> None:
        self.terms = tuple(terms)
        self.size = sum(term.size for term in terms)
        self.noise = np.repeat([t.noise for t in terms], [t.size for t in terms]).astype(np.float32)  # [O]

    def __call__(self, robot: RobotView, task: Any, ids: Ids) -> np.ndarray:
        """Return the observations [M, O], float32, of the environments whose view is given."""
        out = np.empty((len(robot.pos_w_m), self.size), dtype=np.float32)
        at = 0
        for term in self.terms:
            out[:, at : at + term.size] = term.values(robot, task, ids)
            at += term.size
        return out


BASE_MOTION = (
    ObservationTerm(
        name="linear_velocity", size=3, unit="m/s", noise=0.1, summary="of the base: forward, left, up",
        values=lambda robot, task, ids: robot.lin_vel_b_mps,
    ),
    ObservationTerm(
        name="angular_velocity", size=3, unit="rad/s", noise=0.2, summary="of the base: roll, pitch, yaw",
        values=lambda robot, task, ids: robot.ang_vel_b_radps,
    ),
    ObservationTerm(
        name="gravity", size=3, unit="", noise=0.05, summary="unit vector of gravity; (0, 0, -1) when upright",
        values=lambda robot, task, ids: robot.gravity_b,
    ),
)  # fmt: skip
JOINTS = (
    ObservationTerm(
        name="joint_offset", size=NUM_JOINTS, unit="rad", noise=0.03, summary="from the default pose; FR, FL, RR, RL",
        values=lambda robot, task, ids: robot.joint_offset_rad,
    ),
    ObservationTerm(
        name="joint_velocity", size=NUM_JOINTS, unit="rad/s", noise=1.5, summary="of the twelve joints",
        values=lambda robot, task, ids: robot.joint_vel_radps,
    ),
    ObservationTerm(
        name="last_action", size=NUM_JOINTS, unit="", summary="after clipping and smoothing",
        values=lambda robot, task, ids: robot.action,
    ),
)  # fmt: skip
FOOT_CONTACT = ObservationTerm(
    name="foot_contact", size=NUM_FEET, unit="", summary="1 where the foot touches the ground; FR, FL, RR, RL",
    values=lambda robot, task, ids: robot.foot_contact,
)  # fmt: skip
