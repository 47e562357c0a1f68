"""How far apart are runs that differ in nothing but their seed? The noise floor, pooled over all settings.

Two or three seeds say little about one setting. Those of all settings together do, since runs of one task scatter
alike: their squared deviations are added up, and so are their degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

Scores = Mapping[int, float]  # of one setting, by run seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise floor of settings that were compared.

    `spread` is the standard deviation of a run's score over seeds. `pair_spread` is that of the difference of two runs
    of one seed, where neither setting is better; pairing makes it smaller than sqrt(2) spreads. `freedom` are the
    degrees of freedom of `pair_spread`, `runs` is the number of runs behind both.
    """

    spread: float
    pair_spread: float
    freedom: int
    runs: int


def noise_floor(settings: Sequence[Scores], chance: float = 0.0) -> Noise | None:
    """Return the noise floor, None where no two settings have two seeds in common.

    Args:
        settings: the scores of each.
        chance: the standard error that a score has of its finite number of episodes. Runs cannot lie closer together
            than that but by luck, so neither spread is taken to be smaller.
    Statistics: the pairs of all settings are pooled. With equal seeds everywhere that is the residual of a two-way
    layout, settings by seeds, with its degrees of freedom; with unequal ones the latter are counted low.
    """
    pairs = [differences for one, other in combinations(settings, 2)
             if len(differences := paired(one, other)) > 1]
    if not pairs:
        return None
    compared = [scores for scores in settings
                if any(_shares(scores, other) for other in settings if other is not scores)]
    weights = [len(differences) - 1 for differences in pairs]
    pooled = sum(map(squared_deviations, pairs)) / sum(weights)
    freedom = max(max(weights), math.floor(sum(weights) * 2 / len(compared)))
    return Noise(spread=spread_over_seeds(settings, chance) or chance, freedom=freedom,
                 pair_spread=max(math.sqrt(pooled), math.sqrt(2) * chance), runs=sum(map(len, compared)))


def spread_over_seeds(settings: Sequence[Scores], chance: float = 0.0) -> float | None:
    """Return the pooled standard deviation of a run's score over seeds, None where no setting has two seeds."""
    repeated = [tuple(scores.values()) for scores in settings if len(scores) > 1]
    if not repeated:
        return None
    pooled = sum(map(squared_deviations, repeated)) / sum(len(values) - 1 for values in repeated)
    return max(math.sqrt(pooled), chance)


def squared_deviations(values: Sequence[float]) -> float:
    """Return the sum of the squared deviations from the mean, which `statistics.variance` takes its time for."""
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def paired(ours: Scores, theirs: Scores) -> tuple[float, ...]:
    """Return ours minus theirs for each seed that both have, in the order of ours."""
    return tuple(ours[seed] - theirs[seed] for seed in ours if seed in theirs)


def chance_of(standard_errors: Sequence[float]) -> float:
    """Return the standard error that stands for several scores: the root of their mean square; 0 for none."""
    return math.sqrt(fmean(error * error for error in standard_errors)) if standard_errors else 0.0


def _shares(one: Scores, other: Scores) -> bool:
    return len(one.keys() & other.keys()) > 1
