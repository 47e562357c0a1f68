"""How do a task, a compiled model and a simulator become the environments of a run? The same way for every task."""

from __future__ import annotations

import mujoco

from vbotd.train.backend import make_simulator
from vbotd.train.tasks.environment import Environment, EnvOptions, Task
from vbotd.train.tasks.robot import HOME_KEY, hold_targets_rad


def environment_of(
    task: Task, model: mujoco.MjModel, options: EnvOptions, num_envs: int, seed: int, threads: int
) -> Environment:
    """Build the environments of a run: robots that begin in the home pose, on the backend that this machine has."""
    return Environment(
        task=task,
        sim=make_simulator(model, num_envs, threads),
        options=options,
        home_qpos=model.key(HOME_KEY).qpos.copy(),
        hold_targets_rad=hold_targets_rad(model),
        seed=seed,
    )
