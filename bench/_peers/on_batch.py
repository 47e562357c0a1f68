"""How do the peers see our environments? As rsl_rl's VecEnv and as Stable-Baselines3's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vbotd.train.tasks.environment import ACTION_LIMIT, Environment
from vbotd.train.tasks.robot import NUM_JOINTS


def for_rsl_rl(env: Environment) -> Any:
    """Return the environments for an `OnPolicyRunner`: one group of observations, `policy`.

    Copies, since a rollout storage keeps what it is given until the control step after. Time-outs are told in
    `extras`, and the runner bootstraps them in its own way.
    """
    from rsl_rl.env import VecEnv
    from tensordict import TensorDict

    class OnBatch(VecEnv):
        def __init__(self) -> None:
            self.num_envs = env.num_envs
            self.num_actions = NUM_JOINTS
            self.max_episode_length = env.options.episode_steps
            self.episode_length_buf = torch.zeros(env.num_envs, dtype=torch.long)
            self.device = "cpu"
            self.cfg: dict[str, Any] = {}
            env.start(stagger=True)

        def get_observations(self) -> TensorDict:
            return TensorDict({"policy": torch.tensor(env.last_obs)}, batch_size=[env.num_envs])

        def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
            result = env.step(actions.numpy())
            self.episode_length_buf[:] = torch.from_numpy(env.clock.elapsed)
            dones = torch.tensor(result.terminated | result.timed_out)
            return (
                TensorDict({"policy": torch.tensor(result.obs)}, batch_size=[env.num_envs]),
                torch.tensor(result.rewards),
                dones,
                {"time_outs": torch.tensor(result.timed_out)},
            )

    return OnBatch()


def for_sb3(env: Environment) -> Any:
    """Return the environments as a Stable-Baselines3 `VecEnv`, with the terminal observations that it wants."""
    from gymnasium.spaces import Box
    from stable_baselines3.common.vec_env import VecEnv

    class OnBatch(VecEnv):
        def __init__(self) -> None:
            seen = Box(-np.inf, np.inf, (env.task.observation.size,), np.float32)
            super().__init__(env.num_envs, seen, Box(-ACTION_LIMIT, ACTION_LIMIT, (NUM_JOINTS,), np.float32))
            self.actions = np.zeros((env.num_envs, NUM_JOINTS), dtype=np.float32)

        def reset(self) -> np.ndarray:
            return env.start(stagger=True).copy()

        def step_async(self, actions: np.ndarray) -> None:
            self.actions = actions

        def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
            result = env.step(self.actions)
            infos: list[dict[str, Any]] = [{} for _ in range(env.num_envs)]
            late = np.flatnonzero(result.timed_out)
            for i, seen in zip(late, result.terminal_obs, strict=True):
                infos[i] = {"TimeLimit.truncated": True, "terminal_observation": seen.copy()}
            for i in np.flatnonzero(result.terminated):
                infos[i] = {"TimeLimit.truncated": False}
            return result.obs.copy(), result.rewards.copy(), result.terminated | result.timed_out, infos

        def close(self) -> None:
            pass

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [None] * env.num_envs

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            raise NotImplementedError

        def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
            raise NotImplementedError

        def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
            return [False] * env.num_envs

    return OnBatch()
