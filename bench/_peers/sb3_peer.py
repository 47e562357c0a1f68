"""How is Stable-Baselines3 set up on our robot? Its PPO, its own loop, one rollout at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from on_batch import for_sb3
from one_robot import OneRobot, differences
from rows import Row
from torch import nn

from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.settings import Settings

NUM_ROBOTS = 8
MINIBATCH = 512  # of the tuned row: the default of 64 makes 40 % of it overhead
TOLERANCE = 1e-3


def make(row: Row, settings: Settings, env: Environment, seed: int) -> Any:
    """Return its PPO. `like_vbotd` takes our network and epochs; what is not said is the library's own default.

    Raises: ValueError where the hand-written robot is not the task any more.
    """
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    ppo, options = settings.ppo, dict[str, Any]()
    on_batch = row.options.get("batch", False)
    if row.options.get("like_vbotd", False):
        hidden = [int(width) for width in ppo["hidden"]]
        options = {"n_epochs": ppo["epochs"], "policy_kwargs": {"net_arch": hidden, "activation_fn": nn.ELU}}
        samples = env.num_envs * ppo["rollout"]
        options |= (
            {"n_steps": ppo["rollout"], "batch_size": samples // ppo["minibatches"]}
            if on_batch
            else {"batch_size": MINIBATCH}
        )
    if on_batch:
        robots = for_sb3(env)
    else:
        check(settings, env)
        robots = DummyVecEnv([lambda: OneRobot(settings)] * NUM_ROBOTS)
    return PPO("MlpPolicy", robots, device="cpu", seed=seed, **options)


def check(settings: Settings, env: Environment) -> None:
    """Refuse to measure another task than ours."""
    try:
        found = differences(OneRobot(settings), env)
    except KeyError as err:
        raise ValueError(f"one_robot.py has no reward term {err} — the task has got one; write it there, too") from err
    if max(found.values()) > TOLERANCE:
        raise ValueError(f"one_robot.py is not the task any more: largest differences {found} — bring it up to date")


def iterate(model: Any) -> int:
    """Do one rollout and its update, by its own `learn`; the environments go on where they were."""
    before = model.num_timesteps
    model.learn(1, reset_num_timesteps=before == 0)
    return int(model.num_timesteps - before)


def policy(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return its mean action of raw observations [B, O], clipped as its rollouts were."""
    space = model.action_space
    return lambda obs: model.policy.get_distribution(obs).mode().clamp(float(space.low[0]), float(space.high[0]))
