"""What does a robot do, control step by control step? Episodes driven by a policy, by nothing or by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vbotd.domain.task import TaskCard
from vbotd.train.tasks.environment import Endings, Environment, StepResult
from vbotd.train.tasks.robot import NUM_JOINTS, RobotView

Act = Callable[[np.ndarray], np.ndarray]
Actions = Literal["zero", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One robot after one control step, before anything is reset."""

    time_s: float  # since the episode began
    qpos: np.ndarray  # [nq] of its simulation
    foot_contact: tuple[bool, ...]  # FR, FL, RR, RL
    touching: str  # what besides a foot touches the ground: "trunk", "shin", or ""
    tilt_deg: float  # between the trunk's up and the world's
    velocity: tuple[float, float, float]  # forward m/s, left m/s, yaw rad/s
    height_m: float
    reward: float  # of this control step
    total_reward: float  # of the episode so far
    asked_velocity: tuple[float, float, float] | None  # None: no velocity is asked
    place_w_m: tuple[float, float] | None  # None: no place is asked
    reach_m: float
    distance_m: float | None  # to that place, None without one
    ending: str = ""  # "success", "fall", "time-out", "diverged"; "" while the episode goes on

    @property
    def at_goal(self) -> bool:
        """Whether the robot is at the place that it is asked to be at, or has succeeded in another way."""
        return self.ending == "success" or (self.distance_m is not None and self.distance_m < self.reach_m)


class Witness:
    """Stands in for an environment's task and sees every robot after the physics, before the reset of what ended.

    A control step of the environment returns the observation of the next episode: the moment of a fall is gone.
    """

    def __init__(self, env: Environment) -> None:
        self._env, self._task = env, env.task
        self._rows: list[tuple[dict[str, Any], float]] = []  # what was seen, and the reward of the episode before it

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def advance(self, robot: RobotView, elapsed: np.ndarray) -> Endings:
        """Let the task advance, then look."""
        endings = self._task.advance(robot, elapsed)
        asked, dt_s = self._task.asked(), self._env.options.control_dt_s
        self._rows = []
        for i in range(self._env.num_envs):
            place = None if asked.place_w_m is None else tuple(float(v) for v in asked.place_w_m[i])
            wanted = None if asked.velocity is None else tuple(float(v) for v in asked.velocity[i])
            away = None if place is None else float(np.hypot(*(robot.pos_w_m[i, :2] - place)))
            up = float(np.clip(-robot.gravity_b[i, 2], -1.0, 1.0))
            seen = {
                "time_s": float(self._env.clock.lived[i]) * dt_s, "qpos": self._env.sim.qpos[i].copy(),
                "foot_contact": tuple(bool(down) for down in robot.foot_contact[i]),
                "touching": "trunk" if robot.trunk_contact[i] else "shin" if robot.shin_contact[i].any() else "",
                "tilt_deg": float(np.degrees(np.arccos(up))), "height_m": float(robot.pos_w_m[i, 2]),
                "velocity": (*(float(v) for v in robot.lin_vel_b_mps[i, :2]), float(robot.ang_vel_b_radps[i, 2])),
                "asked_velocity": wanted, "place_w_m": place, "reach_m": asked.reach_m, "distance_m": away,
            }  # fmt: skip
            self._rows.append((seen, float(self._env.clock.total_reward[i])))
        return endings

    def steps(self, result: StepResult) -> list[Step]:
        """Return what was seen in the control step that `result` came from, with its rewards and endings."""
        rows = zip(self._rows, result.rewards.tolist(), endings_of(result), strict=True)
        return [Step(**row, reward=reward, total_reward=before + reward, ending=ending)
                for (row, before), reward, ending in rows]  # fmt: skip


def endings_of(result: StepResult) -> list[str]:
    """Return how each episode ended in a control step, "" where it goes on."""
    endings = ["time-out" if late else "fall" if down else ""
               for late, down in zip(result.timed_out, result.terminated, strict=True)]  # fmt: skip
    done = result.finished
    if done is not None:
        for row, i in enumerate(done.env_ids):
            words = {"success": done.success[row], "fall": done.fall[row], "diverged": done.diverged[row]}
            endings[int(i)] = next((word for word, is_so in words.items() if is_so), "time-out")
    return endings


def drive(env: Environment, act: Act, draws: np.ndarray) -> Iterator[list[Step]]:
    """Begin the episodes that `draws` [N, K] fix and yield one `Step` a robot, control step by control step, forever.

    An episode that ends is followed by another one.
    """
    witness = Witness(env)
    task, env.task = env.task, witness  # it passes on all that it does not do itself
    try:
        obs = env.start(draws)
        while True:
            result = env.step(act(obs))
            obs = result.obs
            yield witness.steps(result)
    finally:
        env.task = task


def without_policy(actions: Actions, std: float, num_envs: int, seed: int) -> Act:
    """Return what drives the robots without a policy: the default pose held, or Gaussian noise of `std` on it."""
    rng = np.random.default_rng(seed)

    def act(_: np.ndarray) -> np.ndarray:
        if actions == "zero":
            return np.zeros((num_envs, NUM_JOINTS))
        return rng.normal(0.0, std, (num_envs, NUM_JOINTS))

    return act


def with_policy(policy: Any, normaliser: Any) -> Act:
    """Return the mean action of a policy, with its normaliser frozen."""
    import torch

    def act(obs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            action: np.ndarray = policy.mean(normaliser(torch.from_numpy(obs))).numpy()
        return action

    return act


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A policy of a checkpoint, in the environments of its task."""

    env: Environment
    act: Act
    card: TaskCard
    env_steps: int  # that it was trained for


def load_policy(
    checkpoint: Path, num_envs: int, seed: int, params: Mapping[str, Any] | None = None, threads: int = 1
) -> Loaded:
    """Load a policy into environments as an evaluation has them: no curriculum, no ground of the training.

    `params` are settings that differ from the checkpoint's (None: none does). Raises: SpecError.
    """
    from vbotd.train import worker
    from vbotd.train.checkpoint import load
    from vbotd.train.tasks import registry
    from vbotd.train.tasks.settings import resolve

    saved = load(checkpoint)
    card = registry.find(saved["task"])
    settings = resolve(card, worker.evaluation_params(card, saved, params or {}))
    env = worker.build(card, settings, num_envs, worker.HELD_OUT_TERRAIN + seed, threads)
    policy, normaliser = worker.load_policy(saved, settings, env)
    return Loaded(env=env, act=with_policy(policy, normaliser), card=card, env_steps=int(saved["env_steps"]))
