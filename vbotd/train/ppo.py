"""Proximal policy optimisation in four verbs: act, record, returns, update."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vbotd.train.buffer import Rollout, gae
from vbotd.train.nets import Normaliser, Policy, entropy, gaussian_kl, log_prob
from vbotd.train.precision import dtype_of
from vbotd.train.tasks.environment import StepResult

RATE_FACTOR = 1.2  # the adaptive schedule's pace; 1.5 without bounds swung between its ends
# Activations of a layer in one pass: 4 MiB stay near the core. A pass over 12 k samples of 256 took 8 % longer.
PIECE_FLOATS = 2**20
MIN_LOG_STD = -3.0  # e^-3 = 0.05: below, the ratio of a finite action change explodes


@dataclass(frozen=True, slots=True, kw_only=True)
class PpoSettings:
    """The `ppo.*` settings of a run; what each means is in its card."""

    learning_rate: float
    schedule: str
    learning_rate_min: float
    learning_rate_max: float
    kl_target: float
    rollout: int
    epochs: int
    minibatches: int
    gamma: float
    gae_lambda: float
    clip: float
    entropy: float
    entropy_final: float
    value_loss: float
    max_grad_norm: float
    init_std: float
    hidden: Sequence[float]
    update_precision: str

    @classmethod
    def of(cls, ppo: Mapping[str, Any]) -> PpoSettings:
        """Build from a run's resolved settings."""
        return cls(**ppo)


@dataclass(slots=True)
class _Sums:
    """Means over the minibatches of an update, weighted equally."""

    kl: float = 0.0
    clip_fraction: float = 0.0
    grad_norm: float = 0.0
    policy_loss: float = 0.0
    value_loss: float = 0.0
    count: int = 0


class Ppo:
    """A learner: its networks, optimiser, random numbers and the rollout that it fills."""

    def __init__(self, settings: PpoSettings, obs_size: int, action_size: int, num_envs: int, seed: int) -> None:
        self.settings = settings
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # the initial weights
        self.policy = Policy(obs_size, action_size, [int(w) for w in settings.hidden], settings.init_std)
        self.multiply_in(dtype_of(settings.update_precision, settings.hidden))
        self.normaliser = Normaliser(obs_size)
        self.optimiser = self._fresh_optimiser()
        self.rollout = Rollout(settings.rollout, num_envs, obs_size, action_size)
        self.learning_rate = settings.learning_rate
        self._cut_short: list[Tensor] = []  # observations [M, O] at the time-outs of a control step, of each with any

    @torch.inference_mode()
    def act(self, obs: np.ndarray, t: int) -> np.ndarray:
        """Return exploring actions [N, A] for observations [N, O], and remember both as control step `t`."""
        r = self.rollout
        r.raw_obs[t] = torch.from_numpy(obs)
        r.obs[t] = self.normaliser(r.raw_obs[t])
        r.means[t] = self.policy.mean(r.obs[t])
        r.values[t] = self.policy.value(r.obs[t])
        noise = torch.randn(r.means[t].shape, generator=self.generator)
        r.actions[t] = r.means[t] + noise * torch.exp(self.policy.log_std)
        r.log_probs[t] = log_prob(r.actions[t], r.means[t], self.policy.log_std)
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
        r, s = self.rollout, self.settings
        last_values = self.policy.value(self.normaliser(torch.from_numpy(last_obs)))
        next_values = torch.cat([r.values[1:], last_values[None]])
        if self._cut_short:
            # One after the other by control step and robot, as the mask counts them.
            next_values[r.timed_out] = self.policy.value(self.normaliser(torch.cat(self._cut_short)))
            self._cut_short.clear()
        r.advantages[:], r.targets[:] = gae(
            r.rewards, r.values, next_values, r.terminated, r.timed_out, gamma=s.gamma, lam=s.gae_lambda
        )

    def update(self, progress: float, alive: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Improve the networks on the rollout and return the `ppo/` scalars.

        Args:
            progress: share 0-1 of the run's env steps that are done; anneals entropy and the linear schedule.
            alive: called between epochs, for a heartbeat.
        """
        s, r = self.settings, self.rollout
        if s.schedule == "linear":
            self._set_rate(max(s.learning_rate * (1.0 - progress), s.learning_rate_min))
        entropy_weight = s.entropy + (s.entropy_final - s.entropy) * progress
        flat = _Flat.of(r)
        old_log_std = self.policy.log_std.detach().clone()
        sums = _Sums()
        for _ in range(s.epochs):
            for ids in r.minibatches(s.minibatches, self.generator):
                self._improve(flat, ids, old_log_std, entropy_weight, sums)
            alive()
        explained = 1.0 - (r.targets - r.values).var() / r.targets.var().clamp_min(1e-8)
        shift = self.normaliser.shift(r.raw_obs)
        # Order: after the update, which must see the observations as the policy did when it acted.
        self.normaliser.update(r.raw_obs.reshape(-1, r.raw_obs.shape[-1]))
        return self._scalars(sums, float(explained)) | {"ppo/obs_shift": shift}

    def _improve(self, flat: _Flat, ids: Tensor, old_log_std: Tensor, entropy_weight: float, sums: _Sums) -> None:
        """Take one Adam step on a minibatch, the samples `ids`; its gradient is added up over pieces."""
        s = self.settings
        self.optimiser.zero_grad(set_to_none=True)
        kl_before = sums.kl
        rows = PIECE_FLOATS // max(int(width) for width in s.hidden)
        for piece in ids.tensor_split(math.ceil(len(ids) / rows)):
            self._descend(flat.take(piece), len(piece) / len(ids), old_log_std, entropy_weight, sums)
        if s.schedule == "adaptive":
            self._adapt_rate(sums.kl - kl_before)
        sums.grad_norm += nn.utils.clip_grad_norm_(self.policy.parameters(), s.max_grad_norm).item()
        self.optimiser.step()
        with torch.no_grad():
            self.policy.log_std.clamp_(min=MIN_LOG_STD)
        sums.count += 1

    def _descend(self, batch: _Flat, share: float, old_log_std: Tensor, entropy_weight: float, sums: _Sums) -> None:
        """Add the gradient of a piece, `share` 0-1 of its minibatch.

        Source: Schulman et al. 2017, arXiv:1707.06347, eq. 7 and 9.
        """
        s = self.settings
        mean, values = self.policy.mean(batch.obs), self.policy.value(batch.obs)
        log_std = self.policy.log_std
        ratio = torch.exp(log_prob(batch.actions, mean, log_std) - batch.log_probs)
        clipped = ratio.clamp(1.0 - s.clip, 1.0 + s.clip)
        policy_loss = -torch.min(ratio * batch.advantages, clipped * batch.advantages).mean()
        value_loss = 0.5 * ((values - batch.targets) ** 2).mean()
        loss = policy_loss + s.value_loss * value_loss - entropy_weight * entropy(log_std)
        (share * loss).backward()
        with torch.no_grad():
            sums.kl += share * gaussian_kl(batch.means, old_log_std, mean, log_std).item()
            sums.clip_fraction += share * ((ratio - 1.0).abs() > s.clip).float().mean().item()
        sums.policy_loss += share * policy_loss.item()
        sums.value_loss += share * value_loss.item()

    def _adapt_rate(self, kl: float) -> None:
        s = self.settings
        if kl > 2.0 * s.kl_target:
            self._set_rate(max(self.learning_rate / RATE_FACTOR, s.learning_rate_min))
        elif kl < 0.5 * s.kl_target:
            self._set_rate(min(self.learning_rate * RATE_FACTOR, s.learning_rate_max))

    def multiply_in(self, products: torch.dtype) -> None:
        """Make the products of updates in this type; densities, losses and Adam stay in float32."""
        self.products = products
        self.policy.multiply_in(products)

    def begin_at(self, rate: float) -> None:
        """Take this as the first learning rate, whatever the settings say: a warm start scales its checkpoint's."""
        self.settings = replace(self.settings, learning_rate=rate)
        self._set_rate(rate)

    def _fresh_optimiser(self) -> torch.optim.Adam:
        # Fused: one kernel for all of these small tensors, a tenth of the update saved.
        return torch.optim.Adam(self.policy.parameters(), lr=self.settings.learning_rate, eps=1e-5, fused=True)

    def _set_rate(self, rate: float) -> None:
        self.learning_rate = rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _scalars(self, sums: _Sums, explained_variance: float) -> dict[str, float]:
        log_std = self.policy.log_std.detach()
        return {
            "ppo/kl": sums.kl / sums.count,
            "ppo/clip_fraction": sums.clip_fraction / sums.count,
            "ppo/grad_norm": sums.grad_norm / sums.count,
            "ppo/explained_variance": explained_variance,
            "ppo/action_std": float(log_std.exp().mean()),
            "ppo/entropy": float(entropy(log_std)),
            "ppo/learning_rate": self.learning_rate,
            "ppo/policy_loss": sums.policy_loss / sums.count,
            "ppo/value_loss": sums.value_loss / sums.count,
        }


@dataclass(slots=True)
class _Flat:
    """The part of a rollout that an update reads, one sample a row; advantages normalised over the whole rollout.

    All of a sample lies side by side: a minibatch is then gathered by one copy a row, 16 times as fast as by six.
    """

    rows: Tensor  # [B, O + 2 A + 3]
    sizes: tuple[int, ...]  # columns of each part

    @classmethod
    def of(cls, r: Rollout) -> _Flat:
        advantages = (r.advantages - r.advantages.mean()) / (r.advantages.std() + 1e-8)
        vectors = (r.obs, r.actions, r.means)
        scalars = (r.log_probs, advantages, r.targets)
        rows = torch.cat([*vectors, *(part[..., None] for part in scalars)], dim=-1).flatten(0, 1)
        return cls(rows, (*(part.shape[-1] for part in vectors), 1, 1, 1))

    def take(self, ids: Tensor) -> _Flat:
        """Return the samples `ids` [M]."""
        return _Flat(self.rows.index_select(0, ids), self.sizes)

    @property
    def obs(self) -> Tensor:
        """[B, O], normalised."""
        return self._part(0)

    @property
    def actions(self) -> Tensor:
        """[B, A]."""
        return self._part(1)

    @property
    def means(self) -> Tensor:
        """[B, A], of the policy that acted."""
        return self._part(2)

    @property
    def log_probs(self) -> Tensor:
        """[B], under the policy that acted."""
        return self._part(3).squeeze(-1)

    @property
    def advantages(self) -> Tensor:
        """[B]."""
        return self._part(4).squeeze(-1)

    @property
    def targets(self) -> Tensor:
        """[B], of the values."""
        return self._part(5).squeeze(-1)

    def _part(self, index: int) -> Tensor:
        return self.rows.narrow(1, sum(self.sizes[:index]), self.sizes[index])
