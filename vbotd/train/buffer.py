"""One rollout, and what it is worth: storage [T, N] and generalised advantage estimation."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vbotd.train import shared


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


@dataclass(slots=True)
class Rollout:
    """T control steps of N environments; written in place, control step by control step."""

    raw_obs: Tensor  # [T, N, O]
    obs: Tensor  # [T, N, O], normalised as the networks saw them
    actions: Tensor  # [T, N, A]
    means: Tensor  # [T, N, A]
    log_probs: Tensor  # [T, N], as all below
    values: Tensor
    rewards: Tensor
    terminated: Tensor  # bool
    timed_out: Tensor  # bool
    advantages: Tensor
    targets: Tensor

    @classmethod
    def empty(cls, length: int, num_envs: int, obs_size: int, action_size: int) -> Rollout:
        """Return a rollout of zeros that lanes can share."""
        sizes = {"raw_obs": (obs_size,), "obs": (obs_size,), "actions": (action_size,), "means": (action_size,)}
        kinds = dict.fromkeys(("terminated", "timed_out"), torch.bool)
        return cls(*(shared.zeros(length, num_envs, *sizes.get(f.name, ()), dtype=kinds.get(f.name, torch.float32))
                     for f in fields(cls)))  # fmt: skip

    def columns(self, first: int, last: int) -> Rollout:
        """Return the part of the environments from `first` to before `last`, of the same memory."""
        return Rollout(*(getattr(self, f.name)[:, first:last] for f in fields(self)))

    @property
    def length(self) -> int:
        """T."""
        return self.rewards.shape[0]

    @property
    def num_envs(self) -> int:
        """N."""
        return self.rewards.shape[1]

    @property
    def num_samples(self) -> int:
        """T x N."""
        return self.rewards.numel()
