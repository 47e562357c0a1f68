"""What does the exploring policy do, and what was it worth? One lane's part of a rollout, in three verbs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vbotd.train.buffer import Rollout, gae
from vbotd.train.nets import Normaliser, Policy, log_prob
from vbotd.train.tasks.environment import StepResult


class Actor:
    """Acts with networks that it does not change, and writes all that an update needs into its part of a rollout."""

    def __init__(
        self, policy: Policy, normaliser: Normaliser, rollout: Rollout, generator: torch.Generator, *,
        gamma: float, lam: float,
    ) -> None:  # fmt: skip
        self.rollout, self.generator = rollout, generator
        self._policy, self._normaliser = policy, normaliser
        self._gamma, self._lam = gamma, lam
        self._cut_short: list[Tensor] = []  # observations [M, O] at the time-outs of a control step, of each with any

    @torch.inference_mode()
    def act(self, obs: np.ndarray, t: int) -> np.ndarray:
        """Return exploring actions [N, A] for observations [N, O], and remember both as control step `t`."""
        r, log_std = self.rollout, self._policy.log_std
        r.raw_obs[t] = torch.from_numpy(obs)
        r.obs[t] = self._normaliser(r.raw_obs[t])
        r.means[t] = self._policy.mean(r.obs[t])
        r.values[t] = self._policy.value(r.obs[t])
        noise = torch.randn(r.means[t].shape, generator=self.generator)
        r.actions[t] = r.means[t] + noise * torch.exp(log_std)
        r.log_probs[t] = log_prob(r.actions[t], r.means[t], log_std)
        return r.actions[t].numpy()

    @torch.inference_mode()
    def record(self, result: StepResult, t: int) -> None:
        """Remember what control step `t` led to; of time-outs the terminal observation, before the reset hides it."""
        r = self.rollout
        r.rewards[t] = torch.from_numpy(result.rewards)
        r.terminated[t] = torch.from_numpy(result.terminated)
        r.timed_out[t] = torch.from_numpy(result.timed_out)
        if len(result.terminal_obs):
            self._cut_short.append(torch.from_numpy(result.terminal_obs))

    @torch.inference_mode()
    def returns(self, last_obs: np.ndarray) -> None:
        """Fill advantages and targets [T, N]; `last_obs` [N, O] follows the rollout."""
        r = self.rollout
        last_values = self._policy.value(self._normaliser(torch.from_numpy(last_obs)))
        next_values = torch.cat([r.values[1:], last_values[None]])
        if self._cut_short:
            # One after the other by control step and robot, as the mask counts them.
            next_values[r.timed_out] = self._policy.value(self._normaliser(torch.cat(self._cut_short)))
            self._cut_short.clear()
        r.advantages[:], r.targets[:] = gae(
            r.rewards, r.values, next_values, r.terminated, r.timed_out, gamma=self._gamma, lam=self._lam
        )
