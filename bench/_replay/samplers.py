"""Which sampler finds a good configuration with the fewest whole trainings, when all there is is a table of them?

A sampler proposes a point of the space; the nearest configuration that the night has not tried is its answer. With a
few dozen configurations in nine dimensions the nearest is far away: this dulls whatever a sampler knows, and a small
difference here says little about a search that may train any point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from vbotd_plugins.hp_search.knowledge import Knowledge, Observation
from vbotd_plugins.hp_search.space import distance, distributions, from_optuna
from vbotd_plugins.hp_search.study import Method, build, make_sampler, quiet_optuna

from vbotd.domain.space import Dimension, SearchSpace

from .nights import Night, Run

STARTUP = 4


def space_of(described: Mapping[str, Mapping[str, Any]]) -> SearchSpace:
    """Return the space of a campaign's `search: space:`."""
    made = []
    for key, dimension in described.items():
        ((kind, (low, high)),) = dimension.items()
        made.append(Dimension(key=key, kind=kind, low=low, high=high))
    return SearchSpace(dimensions=tuple(made))


def search(night: Night, space: SearchSpace, how: Method, trainings: int, seed: int) -> list[int]:
    """Return the places of the configurations that a sampler has trained to the end, in its order."""
    tried: list[int] = []
    with quiet_optuna() as optuna:
        for turn in range(trainings):
            if how == "random" or turn < STARTUP:
                tried.append(next(place for place in range(len(night.runs)) if place not in tried))
                continue
            known = Knowledge(env_steps=0, observations=tuple(
                Observation(trial=str(place), params=night.runs[place].params, state="scored",
                            value=_objective(night.runs[place])) for place in tried))
            study = build(optuna, space, known, make_sampler(optuna, space, how, known, seed + turn))
            point = from_optuna(space, study.ask(distributions(space)).params)
            tried.append(_nearest(night.runs, space, point, tried))
    return tried


def best_of(night: Night, tried: Sequence[int]) -> int:
    """Return the place of the best that was tried."""
    return max(tried, key=lambda place: (night.runs[place].values[-1], -place))


def _objective(run: Run) -> float:
    """Return success, and a little for the quality among equals: a hundredth at most, less than one episode."""
    success, quality = run.values[-1]
    return success + 0.01 / (1.0 + np.exp(-quality)) if np.isfinite(quality) else success


def _nearest(runs: Sequence[Run], space: SearchSpace, point: Mapping[str, Any], tried: Sequence[int]) -> int:
    left = [place for place in range(len(runs)) if place not in tried]
    return min(left, key=lambda place: distance(space, point, runs[place].params))
