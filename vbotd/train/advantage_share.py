"""Which reward terms does a policy really learn from? Each term's share of the differences between returns.

A term that pays everybody the same, such as one for being alive, has a large sum and teaches nothing until deaths
differ; a small one may be all that actions can change. PPO learns from differences, so these are what is shared out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from vbotd.train.tasks.terms import RewardTable

EVERY_ITERATIONS = 10
SMALLEST_VARIANCE = 1e-12  # of returns; below, everybody was paid the same and nobody has a share

Paid = dict[str, list[np.ndarray]]  # by term, [N] of each control step


def is_due(env_steps: int, num_samples: int) -> bool:
    """Say whether the iteration that begins after `env_steps` is measured; a resumed run measures the same ones."""
    return env_steps // num_samples % EVERY_ITERATIONS == 0


@contextmanager
def recording(rewards: RewardTable, due: bool) -> Iterator[Paid]:
    """Keep what each term pays in the control steps of the block, where `due`; else nothing, at no cost."""
    paid: Paid = {}
    if not due:
        yield paid
        return
    # The table makes a new array for each term, so that they may be kept as they are.
    rewards.on_paid = lambda name, values: paid.setdefault(name, []).append(values)
    try:
        yield paid
    finally:
        rewards.on_paid = None


def shares(paid: Mapping[str, np.ndarray], ended: np.ndarray, gamma: float) -> dict[str, float]:
    """Return `share/<term>`: Cov(G_term, G) / Var(G), which add up to 1; all 0 where returns do not differ.

    G is the discounted return from a control step to the end of its episode or of the rollout, centred over the
    environments in each control step, since all of them see equally far. A term whose returns lie against the whole
    has a negative share. Beyond the rollout nothing is estimated: what pays later than that is underrated.

    Args:
        paid: by term [T, N]; only terms with a weight.
        ended: [T, N] bool, the episode ended in that control step.
        gamma: discount of a control step.
    """
    if not paid:
        return {}
    returns = _to_go(np.array(list(paid.values())), ended, gamma)
    returns -= returns.mean(axis=2, keepdims=True)
    total = returns.sum(axis=0)
    variance = float((total**2).mean())
    if variance < SMALLEST_VARIANCE:
        return {f"share/{name}": 0.0 for name in paid}
    covariances = (returns * total).mean(axis=(1, 2))
    return {f"share/{name}": float(cov) / variance for name, cov in zip(paid, covariances, strict=True)}


def _to_go(paid: np.ndarray, ended: np.ndarray, gamma: float) -> np.ndarray:
    """Return the discounted sums [K, T, N] of `paid` from each control step on, cut where an episode ends."""
    returns = np.empty_like(paid)
    running = np.zeros_like(paid[:, 0])
    for t in range(paid.shape[1] - 1, -1, -1):
        running = paid[:, t] + gamma * running * ~ended[t]
        returns[:, t] = running
    return returns
