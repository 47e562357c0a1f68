"""What is rewarded? Tables of small functions over all environments, and one rule that weighs them.

A name's ending says how its weight counts:
* `*_reward`, `*_cost`: a rate. The function returns a magnitude >= 0 and the weight is per second; a cost's
  weight is <= 0.
* `*_progress`: a telescoping difference (metres this control step). The weight is per unit. Never clipped at 0,
  since that would pay for going to and fro.
* `*_event`: 1 in the control step where it happens. The weight is per event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from vbotd.train.tasks.robot import RobotView

State = TypeVar("State")
Term = Callable[[RobotView, State], np.ndarray]

TROT_SWING_S = 0.2  # a swing shorter than this is shuffling; a trot at 0.3-1.0 m/s swings 0.2-0.3 s


def scale(name: str, weight: float, control_dt_s: float) -> float:
    """Return the factor of a term's values: weight x control step for rates, the weight itself otherwise."""
    return weight * control_dt_s if name.endswith(("_reward", "_cost")) else weight


class RewardTable:
    """The weighted sum of a task's terms; keeps what each one has paid for the telemetry."""

    def __init__(self, terms: Mapping[str, Term], weights: Mapping[str, float], control_dt_s: float) -> None:
        if set(terms) != set(weights):
            odd = sorted(set(terms) ^ set(weights))
            raise ValueError(f"reward terms and weights differ in {', '.join(odd)} — every term has one weight")
        # A weight of 0 costs nothing, not even the evaluation of its term.
        self._rows = [(name, terms[name], scale(name, w, control_dt_s)) for name, w in weights.items() if w != 0.0]
        self.names = list(weights)
        self._sums = dict.fromkeys(self.names, 0.0)
        self._env_seconds = 0.0
        self._control_dt_s = control_dt_s
        self.on_paid: Callable[[str, np.ndarray], None] | None = None  # gets what a term pays [N]; None: nobody asks

    def __call__(self, robot: RobotView, state: State, fade: np.ndarray | None = None) -> np.ndarray:
        """Return the reward [N] of this control step; `fade` [N] is what is left of every `*_reward`, None: all."""
        total = np.zeros(len(robot.pos_w_m))
        for name, term, factor in self._rows:
            paid = factor * term(robot, state)
            if fade is not None and name.endswith("_reward"):
                paid = paid * fade
            total += paid
            if self.on_paid is not None:
                self.on_paid(name, paid)
            self._sums[name] += float(paid.sum())
        self._env_seconds += len(total) * self._control_dt_s
        return total

    def take_rates(self) -> dict[str, float]:
        """Return what each term has paid per second since the last call, and start counting anew."""
        rates = {name: paid / max(self._env_seconds, 1e-9) for name, paid in self._sums.items()}
        self._sums = dict.fromkeys(self.names, 0.0)
        self._env_seconds = 0.0
        return rates


def vertical_velocity_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return vz^2 of the base, m^2/s^2."""
    return robot.lin_vel_b_mps[:, 2] ** 2


def roll_pitch_rate_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the squared roll and pitch rates, rad^2/s^2."""
    return (robot.ang_vel_b_radps[:, :2] ** 2).sum(axis=1)


def orientation_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return sin^2 of the tilt: the squared horizontal part of gravity in the base frame."""
    return (robot.gravity_b[:, :2] ** 2).sum(axis=1)


def torque_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the sum of squared joint torques, N^2 m^2."""
    return np.einsum("nj,nj->n", robot.torque_nm, robot.torque_nm)


def joint_velocity_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the sum of squared joint velocities, rad^2/s^2."""
    return np.einsum("nj,nj->n", robot.joint_vel_radps, robot.joint_vel_radps)


def joint_acceleration_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the sum of squared joint accelerations, rad^2/s^4."""
    return np.einsum("nj,nj->n", robot.joint_accel_radps2, robot.joint_accel_radps2)


def action_rate_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the squared change of the action since the last control step."""
    return np.einsum("nj,nj->n", robot.action_change, robot.action_change)


def pose_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the squared distance from the default pose, rad^2."""
    return np.einsum("nj,nj->n", robot.joint_offset_rad, robot.joint_offset_rad)


def hip_cost(robot: RobotView, _: State) -> np.ndarray:
    """Return the squared sideways spread of the four hips, rad^2."""
    return (robot.joint_offset_rad[:, 0::3] ** 2).sum(axis=1)


def trot_reward(robot: RobotView, _: State) -> np.ndarray:
    """Return the share 0-1 of diagonal feet that agree and lateral feet that differ: 1 in a trot, 0.5 standing.

    Feet are FR, FL, RR, RL. The two diagonals are (FR, RL) and (FL, RR).
    """
    fr, fl, rr, rl = robot.foot_contact.T
    agree = (fr == rl).astype(float) + (fl == rr)
    differ = (fr != fl).astype(float) + (rr != rl)
    return (agree + differ) / 4.0


def swing_event(robot: RobotView, _: State) -> np.ndarray:
    """Return, for feet that have just landed, how much their swing exceeded a shuffle, s; capped at 0.2 s.

    Negative for a shorter swing: tapping with the feet costs, standing still pays nothing.
    """
    excess_s = np.minimum(robot.swing_s - TROT_SWING_S, TROT_SWING_S)
    return (excess_s * robot.foot_landed).sum(axis=1)


ROBOT_TERMS: dict[str, Term] = {
    "vertical_velocity_cost": vertical_velocity_cost,
    "roll_pitch_rate_cost": roll_pitch_rate_cost,
    "orientation_cost": orientation_cost,
    "torque_cost": torque_cost,
    "joint_velocity_cost": joint_velocity_cost,
    "joint_acceleration_cost": joint_acceleration_cost,
    "action_rate_cost": action_rate_cost,
    "pose_cost": pose_cost,
    "hip_cost": hip_cost,
    "trot_reward": trot_reward,
    "swing_event": swing_event,
}
