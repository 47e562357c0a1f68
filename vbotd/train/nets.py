"""The networks: a Gaussian policy with a state-independent spread, a value function, and what they see."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

LOG_2PI = math.log(2.0 * math.pi)
LOG2_E = math.log2(math.e)
MAX_OBS_SIGMA = 10.0


def mlp(inputs: int, hidden: Sequence[int], outputs: int, *, last_gain: float) -> Mlp:
    """Return an ELU network with orthogonal weights; `last_gain` scales the last layer (small: start near zero)."""
    sizes = [inputs, *hidden]
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [_linear(fan_in, fan_out, math.sqrt(2.0)), nn.ELU(inplace=True)]
    return Mlp(*layers, _linear(sizes[-1], outputs, last_gain))


class Mlp(nn.Sequential):
    """Linear layers with ELU between them, as `mlp` makes them; an update goes through them by `trace` and `descend`.

    `products` is the type that these two multiply in, but for the last layer: parameters, their gradients and outputs
    stay float32.
    """

    products = torch.float32

    @torch.no_grad()
    def trace(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return outputs [B, outputs] for [B, inputs], float32, and the inputs of each layer."""
        *hidden, (last_weight, last_bias) = self._layers()
        inputs = [x.to(self.products)]
        for weight, bias in hidden:
            inputs.append(_elu(torch.addmm(bias.to(self.products), inputs[-1], weight.to(self.products).t())))
        # Always in float32: rounded means would differ from those that acted, which looks like a change of the policy.
        inputs[-1] = inputs[-1].float()
        return torch.addmm(last_bias, inputs[-1], last_weight.t()), inputs

    @torch.no_grad()
    def descend(self, inputs: Sequence[Tensor], grad: Tensor) -> None:
        """Add to the gradient of each parameter, for the gradient [B, outputs] of what `trace` returned with `inputs`.

        By hand: torch's autograd made a new tensor for the gradient of each activation, and took 15 % longer.
        """
        layers = self._layers()
        for i in range(len(layers) - 1, -1, -1):
            weight, bias = layers[i]
            add_to_grad(weight, grad.t() @ inputs[i])
            add_to_grad(bias, grad.sum(0))
            if i > 0:
                grad = grad @ weight.to(grad.dtype)
                # What is kept is the activation's output, from which its slope follows; written in place.
                _elu_backward(grad, 1.0, 1.0, 1.0, True, inputs[i], grad_input=grad)
                grad = grad.to(self.products)

    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        return [(layer.weight, layer.bias) for layer in self if isinstance(layer, nn.Linear)]


def add_to_grad(parameter: Tensor, amount: Tensor) -> None:
    """Add to a parameter's gradient, which must be there."""
    assert parameter.grad is not None
    parameter.grad += amount


def _elu(x: Tensor) -> Tensor:
    """Return ELU by a power of 2, in 0.6 ns a number on one core where torch's own takes 1.3; off by 6e-8 at most.

    It is the larger of x and e^min(x, 0) - 1: that is 0 above 0, and never below x under it. In float32 whatever the
    type of x, which may be overwritten: these five passes over bfloat16 took 1.1 ns, with the two conversions 0.8.
    """
    whole = x.float()
    below = whole.clamp_max(0.0).mul_(LOG2_E).exp2_().sub_(1.0)
    return torch.maximum(whole, below, out=below).to(x.dtype)


_elu_backward = torch.ops.aten.elu_backward.grad_input


class Policy(nn.Module):
    """Actor and critic. The action is Gaussian: its mean is the actor's output, its spread a free vector."""

    def __init__(self, obs_size: int, action_size: int, hidden: Sequence[int], init_std: float) -> None:
        super().__init__()
        self.actor = mlp(obs_size, hidden, action_size, last_gain=0.01)
        self.critic = mlp(obs_size, hidden, 1, last_gain=1.0)
        self.log_std = nn.Parameter(torch.full((action_size,), math.log(init_std)))

    def multiply_in(self, products: torch.dtype) -> None:
        """Set the type of the products of an update; elsewhere they are float32."""
        self.actor.products = self.critic.products = products

    def mean(self, obs: Tensor) -> Tensor:
        """Return mean actions [B, A] of normalised observations [B, O]."""
        return self.actor(obs)

    def value(self, obs: Tensor) -> Tensor:
        """Return values [B] of normalised observations [B, O]."""
        return self.critic(obs).squeeze(-1)


def log_prob(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return log densities [B] of actions [B, A] under independent Gaussians."""
    return log_density((action - mean) * torch.exp(-log_std), log_std)


def log_density(z: Tensor, log_std: Tensor) -> Tensor:
    """Return log densities [B] of actions that lie `z` [B, A] from their means, in units of the spread."""
    return -0.5 * (z * z).sum(-1) - log_std.sum() - 0.5 * LOG_2PI * z.shape[-1]


def entropy(log_std: Tensor) -> Tensor:
    """Return the entropy (a scalar, nats) of the action distribution."""
    return log_std.sum() + 0.5 * (1.0 + LOG_2PI) * log_std.numel()


def gaussian_kl(old_mean: Tensor, old_log_std: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return KL(old || new), the mean over B of the sum over A, in nats."""
    var_ratio = torch.exp(2.0 * (old_log_std - log_std))
    shift = ((mean - old_mean) * torch.exp(-log_std)) ** 2
    return (log_std - old_log_std + 0.5 * (var_ratio + shift - 1.0)).sum(-1).mean()


class Normaliser(nn.Module):
    """Running mean and variance of observations, kept in float64, applied in float32.

    It changes between iterations only: within a rollout and its update every network sees the same scale, so
    that the probability ratio of the first minibatch is exactly 1.
    """

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.frozen = False  # the first part of a warm start: what comes in changes nothing
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("var", torch.ones(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, obs: Tensor) -> Tensor:
        """Return (obs - mean) / std, clipped to +-10 sigma, [B, O] float32."""
        scale = torch.rsqrt(self.var + 1e-4).float()
        return ((obs - self.mean.float()) * scale).clamp_(-MAX_OBS_SIGMA, MAX_OBS_SIGMA)

    @torch.no_grad()
    def shift(self, obs: Tensor) -> float:
        """Return how far the mean of observations [..., O] is from the known one, in sigmas, at the worst place.

        0 before the first update, when nothing is known.
        """
        if not self.count:
            return 0.0
        mean = obs.flatten(0, -2).double().mean(0)
        return float(((mean - self.mean) * torch.rsqrt(self.var + 1e-4)).abs().max())

    @torch.no_grad()
    def update(self, obs: Tensor) -> None:
        """Take observations [B, O] into account.

        Source: Chan, Golub and LeVeque 1979, the pairwise update of mean and sum of squares.
        """
        if self.frozen:
            return
        batch = obs.double()
        count = batch.shape[0]
        mean = batch.mean(0)
        # Not `var`, which takes five times as long down a column.
        squares_about_mean = (batch - mean).square_().sum(0)
        delta = mean - self.mean
        total = self.count + count
        squares = self.var * self.count + squares_about_mean
        squares = squares + delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.var.copy_(squares / total)
        self.count.copy_(total)


def _linear(fan_in: int, fan_out: int, gain: float) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
