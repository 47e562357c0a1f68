"""How are the networks themselves? Figures for the health rules that are too dear for every iteration.

Nothing here draws random numbers or changes what is learnt, so that a resumed run stays equal to an uninterrupted one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from vbotd.train.ppo import Ppo

EVERY_ITERATIONS = 20
SAMPLES = 512  # observations of the rollout that the features are looked at on
RANK_ENERGY = 0.99
DEAD_BELOW = -0.98  # an ELU that gives no more than this everywhere has no gradient left
CHATTER_ABOVE_HZ = 8.0  # a quadruped's gait, with its harmonics, is below
CHATTER_ENVS = 64


@torch.inference_mode()
def vitals(ppo: Ppo, control_dt_s: float) -> dict[str, float]:
    """Return the `ppo/` scalars that describe the actor's last hidden layer and the smoothness of its actions.

    `feature_rank` and `dead_units` are shares 0-1 of the layer's width, `feature_norm` is the mean Euclidean norm
    before the activation: it grows, and the rank falls, before a policy collapses (Moalla et al. 2024,
    arXiv:2405.00662).
    `chatter` is the share 0-1 of the mean actions' power above 8 Hz.
    """
    obs = ppo.rollout.obs.flatten(0, 1)
    before = ppo.policy.actor[:-2](obs[:: max(len(obs) // SAMPLES, 1)][:SAMPLES])
    norm = float(before.norm(dim=1).mean())
    features = functional.elu(before)
    dead = (features.max(dim=0).values < DEAD_BELOW).float().mean()
    return {"ppo/feature_norm": norm, "ppo/feature_rank": feature_rank(features), "ppo/dead_units": float(dead),
            "ppo/chatter": chatter(ppo.rollout.means[:, :CHATTER_ENVS], control_dt_s)}  # fmt: skip


def feature_rank(features: Tensor) -> float:
    """Return how many directions hold 99 % of the energy of features [B, W] around their mean, as a share 0-1 of W.

    NaN where the features are no finite numbers: the run is over, and the decomposition would raise.
    """
    if not bool(torch.isfinite(features).all()):
        return math.nan
    # In double: the energy of a diverging policy's features has no room in float32.
    energy = torch.linalg.svdvals((features - features.mean(dim=0)).double()).square().cumsum(0)
    if float(energy[-1]) <= 0.0:
        return 0.0
    return (int((energy < RANK_ENERGY * energy[-1]).sum()) + 1) / features.shape[1]


def chatter(actions: Tensor, control_dt_s: float) -> float:
    """Return the share 0-1 of the power of actions [T, N, A] that is faster than a gait; what stands still has none."""
    power = torch.fft.rfft(actions - actions.mean(dim=0), dim=0).abs().square().sum(dim=(1, 2))
    fast = torch.fft.rfftfreq(actions.shape[0], control_dt_s) > CHATTER_ABOVE_HZ
    total = float(power.sum())
    return float(power[fast].sum()) / total if total > 0.0 else 0.0
