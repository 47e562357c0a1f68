"""How is rsl_rl set up on our environments? Its own runner, its own loop, nothing patched."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import torch
from on_batch import for_rsl_rl
from rows import Row

from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.settings import Settings

CONTROL_STEPS = 24  # of a rollout, in its example configuration


def make(row: Row, settings: Settings, env: Environment, *, normalise: bool) -> Any:
    """Return an `OnPolicyRunner`. What a row does not ask for is the library's own default.

    `normalise` turns on the library's running normaliser of observations: off by default, and what its users have
    on where, as here, the observations are in plain units. No log folder: nothing is written, which costs it nothing.
    """
    from rsl_rl.runners import OnPolicyRunner

    ppo = settings.ppo
    alike = row.options.get("like_vbotd", False)
    hidden = [int(width) for width in ppo["hidden"]] if alike else row.options.get("hidden")
    model: dict[str, Any] = {"class_name": "MLPModel", "obs_normalization": normalise}
    if hidden is not None:
        model["hidden_dims"] = list(hidden)
    algorithm: dict[str, Any] = {"class_name": "PPO"}
    if alike:
        algorithm |= {
            "num_learning_epochs": ppo["epochs"],
            "num_mini_batches": ppo["minibatches"],
            "use_mixed_precision": ppo["update_precision"] == "bfloat16",
        }
    config = {
        "num_steps_per_env": ppo["rollout"] if alike else CONTROL_STEPS,
        "save_interval": 10**9,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "algorithm": algorithm,
        "actor": {**model, "distribution_cfg": {"class_name": "GaussianDistribution"}},
        "critic": dict(model),
    }
    with contextlib.redirect_stdout(sys.stderr):
        return OnPolicyRunner(for_rsl_rl(env), config)


def iterate(runner: Any) -> int:
    """Do one iteration of the runner's own loop."""
    with contextlib.redirect_stdout(sys.stderr):
        runner.learn(1)
    return int(runner.env.num_envs * runner.cfg["num_steps_per_env"])


def policy(runner: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return its mean action of raw observations [B, O]; its own normaliser, frozen, is inside."""
    from tensordict import TensorDict

    model = runner.get_inference_policy(device="cpu")
    return lambda obs: model(TensorDict({"policy": obs}, batch_size=[len(obs)]))
