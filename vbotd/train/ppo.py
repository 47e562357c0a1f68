"""Proximal policy optimisation: how a rollout improves the networks, alone or as one of several lanes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vbotd.train import shared
from vbotd.train.buffer import Rollout
from vbotd.train.nets import Normaliser, Policy, add_to_grad, entropy, gaussian_kl, log_density
from vbotd.train.precision import dtype_of

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


# What an update of a single lane needs of it: to be called with a minibatch's number and the entropy's weight.
Descend = Callable[[int, float], None]
FIGURES = ("kl", "clip_fraction", "policy_loss", "value_loss")  # of a minibatch, what its lanes measure


class Ppo:
    """A learner: its networks, optimiser, random numbers and the rollout that it learns from.

    What is written while a run goes on is in shared memory: forked copies of a learner, one a lane, act with the same
    networks, fill the same rollout, and `descend` on their parts of the minibatches. Only the first one updates.
    """

    def __init__(
        self, settings: PpoSettings, obs_size: int, action_size: int, num_envs: int, seed: int, lanes: int = 1
    ) -> None:
        self.settings = settings
        self.generator = torch.Generator().manual_seed(seed)  # of the minibatches
        torch.manual_seed(seed)  # the initial weights
        self.policy = Policy(obs_size, action_size, [int(w) for w in settings.hidden], settings.init_std)
        self.normaliser = Normaliser(obs_size)
        shared.share(self.policy)
        shared.share(self.normaliser)
        self.multiply_in(dtype_of(settings.update_precision, settings.hidden))
        self.optimiser = self._fresh_optimiser()
        self.rollout = Rollout.empty(settings.rollout, num_envs, obs_size, action_size)
        self.learning_rate = settings.learning_rate
        samples = self.rollout.num_samples
        self._flat = _Flat.empty(samples, obs_size, action_size)
        self._order = shared.zeros(samples, dtype=torch.int64)  # of the samples, in this epoch
        self._old_log_std = shared.zeros(action_size)  # of the policy that acted
        self._parameters = list(self.policy.parameters())
        self._gradients = shared.zeros(lanes, sum(p.numel() for p in self._parameters))
        self._grads = [self._views(row) for row in self._gradients]
        self._figures = shared.zeros(lanes, len(FIGURES))

    def update(
        self, progress: float, descend: Descend | None = None, alive: Callable[[], None] = lambda: None
    ) -> dict[str, float]:
        """Improve the networks on the rollout and return the `ppo/` scalars.

        Args:
            progress: share 0-1 of the run's env steps that are done; anneals entropy and the linear schedule.
            descend: has every lane `descend`, and returns when all have; None: there is one lane, this.
            alive: called between epochs, for a heartbeat.
        """
        s, r = self.settings, self.rollout
        if s.schedule == "linear":
            self._set_rate(max(s.learning_rate * (1.0 - progress), s.learning_rate_min))
        entropy_weight = s.entropy + (s.entropy_final - s.entropy) * progress
        self._flat.fill(r)
        self._old_log_std.copy_(self.policy.log_std.detach())
        figures, norms = torch.zeros(len(FIGURES)), []
        for _ in range(s.epochs):
            torch.randperm(len(self._order), generator=self.generator, out=self._order)
            for k in range(s.minibatches):
                if descend is None:
                    self.descend(0, k, entropy_weight)
                else:
                    descend(k, entropy_weight)
                norms.append(self._step())
                figures += self._figures.sum(0)
            alive()
        explained = 1.0 - (r.targets - r.values).var() / r.targets.var().clamp_min(1e-8)
        shift = self.normaliser.shift(r.raw_obs)
        # Order: after the update, which must see the observations as the policy did when it acted.
        self.normaliser.update(r.raw_obs.reshape(-1, r.raw_obs.shape[-1]))
        means = {f"ppo/{name}": value / len(norms) for name, value in zip(FIGURES, figures.tolist(), strict=True)}
        return means | self._scalars() | {
            "ppo/grad_norm": sum(norms) / len(norms),
            "ppo/explained_variance": float(explained),
            "ppo/obs_shift": shift,
        }  # fmt: skip

    def descend(self, lane: int, minibatch: int, entropy_weight: float) -> None:
        """Leave the gradient of a lane's part of a minibatch, and what was measured on it, where `update` finds them.

        The parts of all lanes add up to the minibatch. A part is done in pieces that stay near the core.
        """
        s = self.settings
        ids = self._order.tensor_split(s.minibatches)[minibatch]
        mine = ids.tensor_split(len(self._gradients))[lane]
        self._gradients[lane].zero_()
        self._attach(lane)
        figures = torch.zeros(len(FIGURES))
        rows = PIECE_FLOATS // max(int(width) for width in s.hidden)
        for piece in mine.tensor_split(max(math.ceil(len(mine) / rows), 1)):
            if len(piece):  # a minibatch may be smaller than there are lanes
                figures += self._descend(self._flat.take(piece), len(piece) / len(ids), entropy_weight)
        self._figures[lane] = figures

    @torch.no_grad()
    def _descend(self, batch: _Flat, share: float, entropy_weight: float) -> Tensor:
        """Add the gradient of a piece, `share` 0-1 of its minibatch; return its share of the `FIGURES`.

        In closed form: of the clipped surrogate where it is not clipped, of half the squared error of the values, and
        of the entropy. Source: Schulman et al. 2017, arXiv:1707.06347, eq. 7 and 9.
        """
        s, log_std = self.settings, self.policy.log_std
        (means, of_actor), (values, of_critic) = self.policy.actor.trace(batch.obs), self.policy.critic.trace(batch.obs)
        z = (batch.actions - means) * torch.exp(-log_std)
        ratio = torch.exp(log_density(z, log_std) - batch.log_probs)
        gain, clipped = ratio * batch.advantages, ratio.clamp(1.0 - s.clip, 1.0 + s.clip) * batch.advantages
        error = values.squeeze(-1) - batch.targets
        each = share / len(ratio)
        by_density = torch.where(gain <= clipped, -each * gain, 0.0)[:, None]
        by_z = by_density * z  # the density falls by z for each step of the mean, in units of the spread
        self.policy.actor.descend(of_actor, by_z * torch.exp(-log_std))
        self.policy.critic.descend(of_critic, (each * s.value_loss) * error[:, None])
        add_to_grad(log_std, (by_z * z - by_density).sum(0) - share * entropy_weight)
        kl = gaussian_kl(batch.means, self._old_log_std, means, log_std)
        clip_fraction = ((ratio - 1.0).abs() > s.clip).float().mean()
        return share * torch.stack([kl, clip_fraction, -torch.min(gain, clipped).mean(), 0.5 * error.square().mean()])

    @torch.no_grad()
    def _step(self) -> float:
        """Take one Adam step along the sum of the lanes' gradients; return its norm before clipping."""
        s, whole = self.settings, self._gradients[0]
        # One after the other: the sum's last bits are the same wherever the lanes have run.
        for other in self._gradients[1:]:
            whole += other
        if s.schedule == "adaptive":
            self._adapt_rate(float(self._figures[:, FIGURES.index("kl")].sum()))
        norm = float(torch.linalg.vector_norm(whole))
        if norm > s.max_grad_norm:
            whole *= s.max_grad_norm / norm
        self._attach(0)
        self.optimiser.step()
        self.policy.log_std.clamp_(min=MIN_LOG_STD)
        return norm

    def _attach(self, lane: int) -> None:
        """Let the parameters' gradients be a lane's row."""
        for parameter, grad in zip(self._parameters, self._grads[lane], strict=True):
            parameter.grad = grad

    def _views(self, row: Tensor) -> list[Tensor]:
        parts = row.split([p.numel() for p in self._parameters])
        return [part.view(p.shape) for part, p in zip(parts, self._parameters, strict=True)]

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

    def _scalars(self) -> dict[str, float]:
        log_std = self.policy.log_std.detach()
        return {
            "ppo/action_std": float(log_std.exp().mean()),
            "ppo/entropy": float(entropy(log_std)),
            "ppo/learning_rate": self.learning_rate,
        }


@dataclass(slots=True)
class _Flat:
    """The part of a rollout that an update reads, one sample a row; advantages normalised over the whole rollout.

    All of a sample lies side by side: a minibatch is then gathered by one copy a row, 16 times as fast as by six.
    """

    rows: Tensor  # [B, O + 2 A + 3]
    sizes: tuple[int, ...]  # columns of each part

    @classmethod
    def empty(cls, samples: int, obs_size: int, action_size: int) -> _Flat:
        """Return rows of zeros that lanes can share."""
        sizes = (obs_size, action_size, action_size, 1, 1, 1)
        return cls(shared.zeros(samples, sum(sizes)), sizes)

    def fill(self, r: Rollout) -> None:
        """Take over a rollout."""
        advantages = (r.advantages - r.advantages.mean()) / (r.advantages.std() + 1e-8)
        scalars = (part[..., None] for part in (r.log_probs, advantages, r.targets))
        torch.cat([r.obs, r.actions, r.means, *scalars], dim=-1, out=self.rows.view(*r.rewards.shape, -1))

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
