"""Nights replayed from trainings that were done once: what would each strategy have chosen, and how good is that?

A night meets the configurations in an order of its own, and of each one seed. What it chooses is worth what the same
configuration reaches at the end with a seed that did not choose, on episodes that did not choose (where there is only
one seed: on other episodes). Everybody pays for the same env steps, the whole training of the pick included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from vbotd_plugins.hp_search.calibration import on_the_floor
from vbotd_plugins.hp_search.halving import Entry, after, next_move
from vbotd_plugins.hp_search.planning import Ladder, planned

Value = tuple[float, ...]
NOISE = 0.02  # half of the interval of no success in 96 episodes
FAILED: Value = (-1.0, float("-inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training: its score at each rung that it reached, and what it is worth at the end on other episodes."""

    config: int
    seed: int
    params: Mapping[str, Any]
    values: tuple[Value, ...]
    worth: float  # success on the reporting episodes, 0 where it diverged
    said: float  # success at the end on the choosing episodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """The runs that a night would see, in its order, and the worth of each configuration to somebody who uses it."""

    runs: tuple[Run, ...]
    worths: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What a night chose: its place in the night's order, and the success that the search would have reported."""

    place: int
    said: float


Strategy = Callable[[Night, float, Ladder], Pick]


def run_of(row: Mapping[str, Any], rungs: int) -> Run:
    """Return a line of the file as a run; rungs that it did not reach, since it diverged, are failures."""
    values = [(rung["choose"].get("success_rate", 0.0), -rung["choose"].get("speed_error_mps", np.inf))
              for rung in row["rungs"]]
    is_whole = len(values) == rungs
    return Run(config=row["config"], seed=row["seed"], params=row["params"],
               values=tuple(values + [FAILED] * (rungs - len(values))),
               worth=row["rungs"][-1]["report"]["success_rate"] if is_whole else 0.0,
               said=values[-1][0] if is_whole else 0.0)


def draw(runs: Mapping[int, Sequence[Run]], configs: Sequence[int], dice: np.random.Generator) -> Night:
    """Return a night over configurations (one may be there twice): a new order, and one seed of each."""
    order = [configs[place] for place in dice.permutation(len(configs))]
    seen, worths = [], []
    for config in order:
        mine = int(dice.integers(len(runs[config])))
        seen.append(runs[config][mine])
        others = [run.worth for place, run in enumerate(runs[config]) if place != mine]
        worths.append(float(np.mean(others)) if others else runs[config][mine].worth)
    return Night(runs=tuple(seen), worths=tuple(worths))


def at_one_rung(rung: int) -> Strategy:
    """Return the strategy that trains as many as it can pay for to one rung, and the best of them to the end."""
    def play(night: Night, wholes: float, steps: Ladder) -> Pick:
        rest = steps.horizon - steps.rungs[rung]
        number = max(1, int((wholes * steps.horizon - rest) // steps.rungs[rung]))
        tried = range(min(number, len(night.runs)))
        best = max(tried, key=lambda place: (night.runs[place].values[rung], -place))
        return Pick(place=best, said=night.runs[best].said)
    return play


def by_rungs(*, first: int = 0, eta: int = 3, early: bool = False, has_floor: bool = False) -> Strategy:
    """Return successive halving by the skill's own rule and planning.

    `has_floor`: the lowest rung is passed over when its trials do not differ, as the skill does it.
    """
    def play(night: Night, wholes: float, steps: Ladder) -> Pick:
        paid_for = wholes * steps.horizon
        plans = [planned(len(night.runs), steps, eta, first=rung, early=early, paid_for=paid_for)
                 for rung in (first, first + 1)]
        entries: tuple[Entry, ...] = ()
        while True:
            plan = plans[1] if has_floor and _is_floor(entries) else plans[0]
            move = next_move(entries, plan)
            if move.kind not in ("go_on", "begin"):
                break
            entries = tuple(_known(entry, night) if entry.pending else entry for entry in after(entries, move))
        ended = [entry for entry in entries if entry.rung == plan.top]
        best = max(ended, key=lambda entry: (entry.values[plan.top], -entry.number))
        return Pick(place=best.number - 1, said=night.runs[best.number - 1].said)
    return play


def _is_floor(entries: Sequence[Entry]) -> bool:
    return on_the_floor([entry.values[0][0] for entry in entries if 0 in entry.values], NOISE)


def _known(entry: Entry, night: Night) -> Entry:
    value = night.runs[entry.number - 1].values[entry.rung]
    return replace(entry, pending=False, values={**entry.values, entry.rung: value})


def play_all(runs: Mapping[int, Sequence[Run]], configs: Sequence[int], strategies: Mapping[str, Strategy],
             wholes: float, steps: Ladder, nights: int, seed: int) -> dict[str, np.ndarray]:
    """Return [nights, 3] of each strategy: worth of the pick, its place among all (1 the best), and said - worth.

    The same nights for everybody, so that differences are paired.
    """
    dice = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in strategies}
    for _ in range(nights):
        night = draw(runs, configs, dice)
        for name, strategy in strategies.items():
            pick = strategy(night, wholes, steps)
            worth = night.worths[pick.place]
            place = float(np.mean([other < worth for other in night.worths])
                          + 0.5 * np.mean([other == worth for other in night.worths]))
            found[name].append((worth, place, pick.said - worth))
    return {name: np.array(rows) for name, rows in found.items()}
