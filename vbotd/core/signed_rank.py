"""Are paired numbers shifted, or is that chance? Wilcoxon's test, exact with ties."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MOST_EXACT = 200  # pairs that differ; beyond, the normal approximation is as good and the exact one takes long


def signed_rank(differences: Sequence[float]) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test on paired differences; 1 where none differs.

    Differences of 0, and those that are no number, are left out; equal sizes share their mean rank. For differences of
    -1, 0 and 1 it is the exact sign test.
    Source: Wilcoxon 1945, Biometrics Bulletin 1; Pratt and Gibbons 1981 (the permutation distribution with ties).
    """
    values = np.array([d for d in differences if math.isfinite(d) and d != 0.0])
    if len(values) == 0:
        return 1.0
    doubled = _doubled_ranks(np.abs(values))
    up, total = int(doubled[values > 0].sum()), int(doubled.sum())
    extreme = min(up, total - up)
    return _exact(doubled, extreme) if len(values) <= MOST_EXACT else _normal(doubled, extreme)


def mean_ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, from 1; equal values share their mean rank."""
    return (_doubled_ranks(np.asarray(values, dtype=float)) / 2).tolist()


def _doubled_ranks(sizes: np.ndarray) -> np.ndarray:
    """Return twice the mean rank of each size: whole numbers, whatever the ties."""
    _, inverse, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (2 * last - counts + 1)[inverse]


def _exact(doubled: np.ndarray, extreme: int) -> float:
    """Return the share of all sign patterns whose rank sum is at least as far out, on both sides."""
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        shifted = np.zeros_like(chance)
        shifted[rank:] = chance[: len(chance) - rank]
        chance = (chance + shifted) / 2
    return min(1.0, 2.0 * float(chance[: extreme + 1].sum()))


def _normal(doubled: np.ndarray, extreme: int) -> float:
    # Of the doubled ranks: mean half their sum, variance a quarter of the sum of their squares; 1 is half a rank.
    z = (doubled.sum() / 2 - extreme - 1) / math.sqrt(float((doubled.astype(float) ** 2).sum()) / 4)
    return min(1.0, math.erfc(max(z, 0.0) / math.sqrt(2)))
