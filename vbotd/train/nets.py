"""The networks: a Gaussian policy with a state-independent spread, a value function, and what they see."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

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
    """Linear layers with ELU between them, as `mlp` makes them; where gradients are wanted, a single operation.

    `products` is the type that this operation multiplies in, but for the last layer: parameters, their gradients and
    outputs stay float32.
    """

    products = torch.float32

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs] for [B, inputs], float32."""
        if x.dim() != 2 or not torch.is_grad_enabled():
            outputs: Tensor = super().forward(x)
            return outputs
        fused: Tensor = _EluLayers.apply(self.products, x, *self.parameters())
        return fused


class _EluLayers(torch.autograd.Function):
    """Layer by layer, without a new tensor for each activation's gradient, and with a faster ELU.

    Measured: 8 % less time for 128-64-32, 5 % for 256-256-256, where products are nearly all of it; in bfloat16 15 %
    less than torch's autocast, which adds up the gradients of biases in float32.
    """

    @staticmethod
    def forward(ctx: Any, products: torch.dtype, x: Tensor, *parameters: Tensor) -> Tensor:
        """Return the last layer's output; `parameters` are weight, bias, weight, bias ..."""
        *hidden, last_weight, last_bias = parameters
        cast = [parameter.to(products) for parameter in hidden]
        inputs = [x.to(products)]
        for weight, bias in zip(cast[::2], cast[1::2], strict=True):
            inputs.append(_elu_(torch.addmm(bias, inputs[-1], weight.t())))
        # Always in float32: rounded means would differ from those that acted, which looks like a change of the policy.
        inputs[-1] = inputs[-1].float()
        ctx.save_for_backward(*inputs, *cast[::2], last_weight)
        return torch.addmm(last_bias, inputs[-1], last_weight.t())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `x` (None where nobody asks) and of each parameter, float32."""
        count = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        found: list[Tensor | None] = []
        grad = grads[0]
        for i in range(count - 1, -1, -1):
            found[:0] = ((grad.t() @ inputs[i]).float(), grad.sum(0).float())
            if i > 0:
                grad = grad @ weights[i]
                # What is saved is the activation's output, from which its slope follows; written in place.
                _elu_backward(grad, 1.0, 1.0, 1.0, True, inputs[i], grad_input=grad)
                grad = grad.to(inputs[i - 1].dtype)
        return (None, (grad @ weights[0]).float() if ctx.needs_input_grad[1] else None, *found)


def _elu_(x: Tensor) -> Tensor:
    """Apply ELU in place by a power of 2, 0.6 ns a number on one core where torch's own takes 1.3; off by 6e-8 at most.

    It is the larger of x and e^min(x, 0) - 1: that is 0 above 0, and never below x under it.
    """
    below = x.clamp_max(0.0).mul_(LOG2_E).exp2_().sub_(1.0)
    return torch.maximum(x, below, out=x)


_elu_backward = torch.ops.aten.elu_backward.grad_input


class Policy(nn.Module):
    """Actor and critic. The action is Gaussian: its mean is the actor's output, its spread a free vector."""

    def __init__(self, obs_size: int, action_size: int, hidden: Sequence[int], init_std: float) -> None:
        super().__init__()
        self.actor = mlp(obs_size, hidden, action_size, last_gain=0.01)
        self.critic = mlp(obs_size, hidden, 1, last_gain=1.0)
        self.log_std = nn.Parameter(torch.full((action_size,), math.log(init_std)))

    def multiply_in(self, products: torch.dtype) -> None:
        """Set the type of the products where gradients are wanted; elsewhere they are float32."""
        self.actor.products = self.critic.products = products

    def mean(self, obs: Tensor) -> Tensor:
        """Return mean actions [B, A] of normalised observations [B, O]."""
        return self.actor(obs)

    def value(self, obs: Tensor) -> Tensor:
        """Return values [B] of normalised observations [B, O]."""
        return self.critic(obs).squeeze(-1)


def log_prob(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return log densities [B] of actions [B, A] under independent Gaussians."""
    z = (action - mean) * torch.exp(-log_std)
    return -0.5 * (z * z).sum(-1) - log_std.sum() - 0.5 * LOG_2PI * action.shape[-1]


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
        delta = batch.mean(0) - self.mean
        total = self.count + count
        squares = self.var * self.count + batch.var(0, correction=0) * count
        squares = squares + delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.var.copy_(squares / total)
        self.count.copy_(total)


def _linear(fan_in: int, fan_out: int, gain: float) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
