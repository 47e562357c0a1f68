"""The robot as the tasks see it: the compiled MJCF, its layout, and one control step's view of every robot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from vbotd.train.sim import Simulator

XML = Path(__file__).with_name("vbot.xml")
NUM_JOINTS = 12
NUM_FEET = 4
DEFAULT_JOINT_POS_RAD = np.tile([0.0, 0.9, -1.8], NUM_FEET)
HOME_HEIGHT_M = 0.277
HOME_KEY = "home"
PHYSICS_DT_S = 0.01  # of the MJCF; see the note there
FINE_DT_S = 0.005  # below: the reference that the training physics are checked against
FINE_ITERATIONS = 50


def load_model(physics_dt_s: float) -> mujoco.MjModel:
    """Compile the MJCF with the given physics step."""
    model = mujoco.MjModel.from_xml_path(str(XML))
    set_physics(model.opt, physics_dt_s)
    return model


def set_physics(options: mujoco.MjOption | mujoco.MjsOption, physics_dt_s: float) -> None:
    """Set the physics step; a fine one comes with the exact solver, since it is asked for to check a coarse one."""
    options.timestep = physics_dt_s
    if physics_dt_s < FINE_DT_S:
        options.solver = mujoco.mjtSolver.mjSOL_NEWTON
        options.iterations = options.ls_iterations = FINE_ITERATIONS


def hold_targets_rad(model: mujoco.MjModel) -> np.ndarray:
    """Return the joint targets [J] that hold the default pose against gravity: what action 0 means."""
    return model.key(HOME_KEY).ctrl.copy()


@dataclass(slots=True, kw_only=True)
class RobotView:
    """What all robots are doing after a control step; arrays over the N environments.

    Contacts are those of the last physics step, one physics step older than the positions and velocities.
    """

    pos_w_m: np.ndarray  # [N, 3] base origin
    rotation_wb: np.ndarray  # [N, 3, 3], v_w = rotation_wb @ v_b
    lin_vel_b_mps: np.ndarray  # [N, 3]
    ang_vel_b_radps: np.ndarray  # [N, 3]
    gravity_b: np.ndarray  # [N, 3] unit vector of gravity, (0, 0, -1) when upright
    joint_offset_rad: np.ndarray  # [N, J] from the default pose
    joint_vel_radps: np.ndarray  # [N, J]
    joint_accel_radps2: np.ndarray  # [N, J] mean over the control step
    torque_nm: np.ndarray  # [N, J]
    action: np.ndarray  # [N, A]
    action_change: np.ndarray  # [N, A] since the last control step
    foot_contact: np.ndarray  # [N, F] bool
    foot_landed: np.ndarray  # [N, F] bool, first contact after a swing
    swing_s: np.ndarray  # [N, F] how long the swing has lasted (of a foot that landed: had lasted)
    trunk_contact: np.ndarray  # [N] bool, the trunk touches the ground
    shin_contact: np.ndarray  # [N, F] bool, the shin touches the ground


@dataclass(slots=True, kw_only=True)
class RobotMemory:
    """What a view needs from the control step before; part of a checkpoint."""

    action: np.ndarray  # [N, A] after clipping and smoothing
    joint_vel_radps: np.ndarray  # [N, J]
    swing_s: np.ndarray  # [N, F]

    @classmethod
    def empty(cls, num_envs: int) -> RobotMemory:
        """Return the memory of robots that have not moved."""
        return cls(
            action=np.zeros((num_envs, NUM_JOINTS)),
            joint_vel_radps=np.zeros((num_envs, NUM_JOINTS)),
            swing_s=np.zeros((num_envs, NUM_FEET)),
        )

    def forget(self, ids: np.ndarray) -> None:
        """Clear the memory of robots that begin an episode."""
        self.action[ids] = 0.0
        self.joint_vel_radps[ids] = 0.0
        self.swing_s[ids] = 0.0


def rotation_matrix(quat_wxyz: np.ndarray) -> np.ndarray:
    """Return rotation matrices [N, 3, 3] from unit quaternions [N, 4]."""
    w, x, y, z = quat_wxyz.T
    out = np.empty((len(quat_wxyz), 3, 3))
    out[:, 0, 0] = 1 - 2 * (y * y + z * z)
    out[:, 0, 1] = 2 * (x * y - w * z)
    out[:, 0, 2] = 2 * (x * z + w * y)
    out[:, 1, 0] = 2 * (x * y + w * z)
    out[:, 1, 1] = 1 - 2 * (x * x + z * z)
    out[:, 1, 2] = 2 * (y * z - w * x)
    out[:, 2, 0] = 2 * (x * z - w * y)
    out[:, 2, 1] = 2 * (y * z + w * x)
    out[:, 2, 2] = 1 - 2 * (x * x + y * y)
    return out


def to_base_frame(rotation_wb: np.ndarray, vector_w: np.ndarray) -> np.ndarray:
    """Return world vectors [N, 3] in the base frame of each robot."""
    return np.einsum("nwb,nw->nb", rotation_wb, vector_w)


def look(sim: Simulator, memory: RobotMemory, action: np.ndarray, control_dt_s: float) -> RobotView:
    """Return the view of all robots after a control step, and update their memory.

    Frames: the free joint of MuJoCo has its linear velocity in the world frame and its angular velocity in
    the base frame. The predecessor fed a world-frame velocity to its policy and called it body frame.
    """
    contact = sim.sensordata > 0.5  # order of the MJCF: 4 feet, trunk, 4 shins
    view = _view(sim, slice(None), memory, action, contact, control_dt_s)
    memory.action = action
    memory.joint_vel_radps = view.joint_vel_radps
    memory.swing_s = np.where(view.foot_contact, 0.0, view.swing_s)
    return view


def look_at_start(sim: Simulator, ids: np.ndarray) -> RobotView:
    """Return the view [M, ...] of robots that have just been reset: nothing touched, nothing done yet."""
    memory = RobotMemory.empty(len(ids))
    memory.joint_vel_radps = sim.qvel[ids, 6:]
    contact = np.zeros((len(ids), sim.sensordata.shape[1]), dtype=bool)
    return _view(sim, ids, memory, memory.action, contact, 1.0)


def _view(
    sim: Simulator,
    ids: np.ndarray | slice,
    memory: RobotMemory,
    action: np.ndarray,
    contact: np.ndarray,
    control_dt_s: float,
) -> RobotView:
    qpos, qvel = sim.qpos[ids], sim.qvel[ids]
    feet = contact[:, :NUM_FEET]
    rotation_wb = rotation_matrix(qpos[:, 3:7])
    joint_vel = qvel[:, 6:].copy()
    return RobotView(
        pos_w_m=qpos[:, :3].copy(),
        rotation_wb=rotation_wb,
        lin_vel_b_mps=to_base_frame(rotation_wb, qvel[:, :3]),
        ang_vel_b_radps=qvel[:, 3:6].copy(),
        gravity_b=-rotation_wb[:, 2, :],
        joint_offset_rad=qpos[:, 7:] - DEFAULT_JOINT_POS_RAD,
        joint_vel_radps=joint_vel,
        joint_accel_radps2=(joint_vel - memory.joint_vel_radps) / control_dt_s,
        torque_nm=sim.torque_nm[ids],
        action=action,
        action_change=action - memory.action,
        foot_contact=feet,
        foot_landed=feet & (memory.swing_s > 0.0),
        swing_s=memory.swing_s + control_dt_s,
        trunk_contact=contact[:, NUM_FEET],
        shin_contact=contact[:, NUM_FEET + 1 :],
    )
