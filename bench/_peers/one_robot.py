"""The walking task for one robot, as people write a `gymnasium.Env`: MuJoCo stepped by hand, plain numbers.

Why not our own environment with one robot: its array code is made for hundreds, and would make the peer slow.
`differences` compares the two, control step by control step, so that both are the same task.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Box

from vbotd.train.tasks.environment import ACTION_LIMIT, NUM_ROBOT_DRAWS, Environment, EnvOptions
from vbotd.train.tasks.robot import DEFAULT_JOINT_POS_RAD, HOME_KEY, NUM_JOINTS, hold_targets_rad, load_model
from vbotd.train.tasks.settings import Settings
from vbotd.train.tasks.terms import TROT_SWING_S, scale

OBS_SIZE = 48
RANGES = ("speed_x_mps", "speed_y_mps", "yaw_rate_radps")


class OneRobot(gymnasium.Env[np.ndarray, np.ndarray]):
    """One VBot that walks at a commanded velocity. No disturbances: they are off in the task as shipped."""

    def __init__(self, settings: Settings) -> None:
        env = settings.env
        self.options = EnvOptions.of(env)
        self.model = load_model(self.options.physics_dt_s)
        self.data = mujoco.MjData(self.model)
        self.home = self.model.key(HOME_KEY).qpos.copy()
        self.hold = hold_targets_rad(self.model)
        self.command_steps = max(round(float(env["command_s"]) / self.options.control_dt_s), 1)
        self.parts = math.ceil(self.options.episode_steps / self.command_steps)
        ranges = np.array([env[name] for name in RANGES], dtype=float)
        self.low, self.width = ranges[:, 0], ranges[:, 1] - ranges[:, 0]
        self.max_tilt_cos = math.cos(math.radians(float(env["max_tilt_deg"])))
        self.min_height_m = float(env["min_height_m"])
        self.factors = {
            name: scale(name, weight, self.options.control_dt_s) for name, weight in settings.reward.items() if weight
        }
        self.observation_space = Box(-np.inf, np.inf, (OBS_SIZE,), np.float32)
        self.action_space = Box(-ACTION_LIMIT, ACTION_LIMIT, (NUM_JOINTS,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        noise = self.np_random.uniform(-1.0, 1.0, NUM_JOINTS + 6)
        qpos = self.home.copy()
        qpos[2] += 0.01
        qpos[7:] += self.options.reset_joint_noise_rad * noise[:NUM_JOINTS]
        qvel = np.zeros(18)
        qvel[:6] = self.options.reset_speed_mps * noise[NUM_JOINTS:]
        commands = self.low + self.np_random.random((self.parts, 3)) * self.width
        return self.begin(qpos, qvel, commands), {}

    def begin(self, qpos: np.ndarray, qvel: np.ndarray, commands: np.ndarray) -> np.ndarray:
        """Begin an episode from this state, with these commands [S, 3]."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = qpos
        self.data.qvel[:] = qvel
        self.commands, self.command = commands, commands[0]
        self.elapsed = 0
        self.action = np.zeros(NUM_JOINTS)
        self.joint_vel = qvel[6:].copy()
        self.swing_s = [0.0] * 4
        return self.observe(*self.base())

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance by one control step."""
        options, data = self.options, self.data
        asked = np.minimum(np.maximum(action.astype(np.float64), -ACTION_LIMIT), ACTION_LIMIT)
        asked = (1.0 - options.action_smoothing) * asked + options.action_smoothing * self.action
        data.ctrl[:] = self.hold + options.action_scale_rad * asked
        mujoco.mj_step(self.model, data, options.physics_steps)
        self.elapsed += 1
        change, self.action = asked - self.action, asked
        gravity, velocity = self.base()
        touches = (data.sensordata > 0.5).tolist()
        fallen = any(touches[4:]) or -gravity[2] < self.max_tilt_cos or data.qpos[2] < self.min_height_m
        reward = self.reward(gravity, velocity, touches[:4], change, fallen)
        late = not fallen and self.elapsed >= options.episode_steps
        self.command = self.commands[min(self.elapsed // self.command_steps, self.parts - 1)]
        return self.observe(gravity, velocity), reward, fallen, late, {}

    def base(self) -> tuple[np.ndarray, np.ndarray]:
        """Return gravity and the linear velocity in the base frame, [3] each."""
        w, x, y, z = self.data.qpos[3:7].tolist()
        to_base = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
                [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
                [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        return -to_base[:, 2], to_base @ self.data.qvel[:3]

    def observe(self, gravity: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Return the observation [48]."""
        out = np.empty(OBS_SIZE, dtype=np.float32)
        out[0:3] = velocity
        out[3:6] = self.data.qvel[3:6]
        out[6:9] = gravity
        out[9:12] = self.command
        out[12:24] = self.data.qpos[7:] - DEFAULT_JOINT_POS_RAD
        out[24:36] = self.data.qvel[6:]
        out[36:48] = self.action
        return out

    def reward(
        self, gravity: np.ndarray, velocity: np.ndarray, feet: list[bool], change: np.ndarray, fallen: bool
    ) -> float:
        """Return the reward of this control step; KeyError for a term of the task that is not written here."""
        vx, vy, vz = velocity.tolist()
        roll_rate, pitch_rate, yaw_rate = self.data.qvel[3:6].tolist()
        forward, left, turn = self.command.tolist()
        joint_vel = self.data.qvel[6:].copy()
        accel = (joint_vel - self.joint_vel) / self.options.control_dt_s
        offset, torque = self.data.qpos[7:] - DEFAULT_JOINT_POS_RAD, self.data.actuator_force
        self.joint_vel = joint_vel
        landed_s = 0.0
        for i, touching in enumerate(feet):
            swing_s = self.swing_s[i] + self.options.control_dt_s
            if touching and self.swing_s[i] > 0.0:
                landed_s += min(swing_s - TROT_SWING_S, TROT_SWING_S)
            self.swing_s[i] = 0.0 if touching else swing_s
        fr, fl, rr, rl = feet
        values = {
            "track_velocity_reward": math.exp(-((forward - vx) ** 2 + (left - vy) ** 2) / 0.1),
            "track_yaw_rate_reward": math.exp(-((turn - yaw_rate) ** 2) / 0.25),
            "speed_error_cost": abs(forward - vx),
            "fall_event": float(fallen),
            "vertical_velocity_cost": vz * vz,
            "roll_pitch_rate_cost": roll_rate**2 + pitch_rate**2,
            "orientation_cost": float(gravity[0] ** 2 + gravity[1] ** 2),
            "torque_cost": float(torque @ torque),
            "joint_acceleration_cost": float(accel @ accel),
            "action_rate_cost": float(change @ change),
            "pose_cost": float(offset @ offset),
            "hip_cost": float(offset[0::3] @ offset[0::3]),
            "trot_reward": ((fr == rl) + (fl == rr) + (fr != fl) + (rr != rl)) / 4.0,
            "swing_event": landed_s,
        }
        return sum(factor * values[name] for name, factor in self.factors.items())


def differences(one: OneRobot, env: Environment, control_steps: int = 25, seed: int = 0) -> dict[str, float]:
    """Return the largest differences of `obs` and `reward` between one robot and the first of `env`, over an episode.

    The actions are small, so that the robot does not fall and chaos has no time.
    """
    rng = np.random.default_rng(seed)
    draws = rng.random((env.num_envs, env.num_draws))
    theirs = env.start(draws)[0]
    commands = one.low + draws[0, NUM_ROBOT_DRAWS:].reshape(one.parts, 3) * one.width
    ours = one.begin(env.sim.qpos[0].copy(), env.sim.qvel[0].copy(), commands)
    worst = {"obs": float(np.abs(ours - theirs).max()), "reward": 0.0}
    for _ in range(control_steps):
        actions = rng.normal(0.0, 0.3, (env.num_envs, NUM_JOINTS)).astype(np.float32)
        result = env.step(actions)
        ours, reward, terminated, _, _ = one.step(actions[0])
        worst["reward"] = max(worst["reward"], abs(reward - float(result.rewards[0])))
        if terminated != bool(result.terminated[0]):
            return worst | {"ending": 1.0}
        if terminated:
            break
        worst["obs"] = max(worst["obs"], float(np.abs(ours - result.obs[0]).max()))
    return worst
