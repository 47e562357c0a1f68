"""One rollout, and what it is worth: storage [T, N] and generalised advantage estimation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    timed_out: Tensor,
    *,
    gamma: float,
    lam: float,
) -> tuple[Tensor, Tensor]:
    """Return advantages and value targets by generalised advantage estimation.

    Args:
        rewards: [T, N], reward of each control step.
        values: [T, N], V(obs_t) under the policy that acted.
        next_values: [T, N], V of the observation that followed, before any reset: V(terminal obs) at a time-out.
        terminated: [T, N] bool, the task ended the episode (fall, success, divergence).
        timed_out: [T, N] bool, the clock ended it; disjoint from terminated.
        gamma, lam: in 0-1.
    Returns:
        advantages [T, N], not normalised; targets [T, N] = advantages + values.
    Timeouts: a timed-out step bootstraps from next_values, a terminated one from 0; both cut the trace.
    Raises: ValueError naming the shapes where they differ.
    Source: Schulman et al. 2016, arXiv:1506.02438, eq. 16.
    """
    shapes = {tuple(t.shape) for t in (rewards, values, next_values, terminated, timed_out)}
    if len(shapes) != 1:
        raise ValueError(f"gae: shapes differ, {sorted(shapes)} — all five are [T, N]")
    deltas = rewards + gamma * next_values * (~terminated) - values
    trace = gamma * lam * (~(terminated | timed_out))
    advantages = torch.empty_like(rewards)
    running = torch.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        running = deltas[t] + trace[t] * running
        advantages[t] = running
    return advantages, advantages + values


class Rollout:
    """T control steps of N environments; written in place, control step by control step."""

    def __init__(self, length: int, num_envs: int, obs_size: int, action_size: int) -> None:
        self.length = length
        self.raw_obs = torch.zeros(length, num_envs, obs_size)
        self.obs = torch.zeros(length, num_envs, obs_size)  # normalised as the networks saw them
        self.actions = torch.zeros(length, num_envs, action_size)
        self.means = torch.zeros(length, num_envs, action_size)
        self.log_probs = torch.zeros(length, num_envs)
        self.values = torch.zeros(length, num_envs)
        self.rewards = torch.zeros(length, num_envs)
        self.terminated = torch.zeros(length, num_envs, dtype=torch.bool)
        self.timed_out = torch.zeros(length, num_envs, dtype=torch.bool)
        self.advantages = torch.zeros(length, num_envs)
        self.targets = torch.zeros(length, num_envs)

    @property
    def num_samples(self) -> int:
        """T x N."""
        return self.rewards.numel()

    def minibatches(self, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield `count` disjoint random index sets that together cover the rollout."""
        order = torch.randperm(self.num_samples, generator=generator)
        yield from order.tensor_split(count)
