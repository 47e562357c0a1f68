"""What would a competition give? Groups of dogs drawn from evaluated episodes, each with the sum of its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vbotd.core.interval import Measured, of_mean

POINTS_COLUMN = "competition_points"
NUM_GROUPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Groups of dogs: the mean of a group with its 95 % interval, the full marks, and how many groups got them.

    `mean.n` counts the episodes that the groups were drawn from: they set the interval, not the number of groups.
    """

    dogs: int
    groups: int
    mean: Measured
    full_marks: float
    num_full: int


def draw_groups(points: Sequence[float], dogs: int, *, full_marks: float, groups: int = NUM_GROUPS, seed: int = 0
                ) -> Groups:
    """Return what `groups` groups of `dogs` episodes score; the same seed draws the same groups.

    The episodes are shuffled and cut into groups, and shuffled anew when they are used up, so that groups repeat no
    episode as long as there are enough: `groups` times `dogs`.

    Args:
        points: one number an episode, no NaN.
        full_marks: the most points that a group can get.
    Raises: ValueError where there are fewer episodes than dogs.
    """
    per_shuffle = len(points) // dogs
    if per_shuffle < 1:
        raise ValueError(f"{len(points)} episodes make no group of {dogs} dogs — measure more episodes")
    values, rng = np.asarray(points, dtype=float), np.random.default_rng(seed)
    sums: list[float] = []
    while len(sums) < groups:
        order = rng.permutation(len(values))[: per_shuffle * dogs]
        sums += values[order].reshape(per_shuffle, dogs).sum(axis=1).tolist()
    sums = sums[:groups]
    dog, mean = of_mean(values.tolist()), float(np.mean(sums))
    return Groups(dogs=dogs, groups=groups, full_marks=full_marks,
                  mean=Measured(value=mean, low=mean - dogs * (dog["value"] - dog["low"]), n=len(values),
                                high=min(mean + dogs * (dog["high"] - dog["value"]), full_marks)),
                  num_full=sum(total >= full_marks - 1e-9 for total in sums))
