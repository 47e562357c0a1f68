"""The replayed nights of `bench/replay.py`: who pays for what, and what a pick is worth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from vbotd_plugins.hp_search.planning import Ladder

BENCH = Path(__file__).parents[2] / "bench"
STEPS = Ladder(rungs=(1, 3, 9))


@pytest.fixture
def nights(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    from _replay import nights

    return nights


def night(nights: ModuleType, values: Sequence[tuple[float, float, float]]) -> Any:
    """Return a night of configurations with a score at each rung, worth as much as their last."""
    runs = tuple(nights.Run(config=place, seed=1, params={}, values=tuple((one,) for one in three), worth=three[-1],
                            said=three[-1]) for place, three in enumerate(values))
    return nights.Night(runs=runs, worths=tuple(run.worth for run in runs))


def test_a_strategy_tries_as_many_as_it_can_pay_for_with_the_whole_training_of_its_pick(nights: ModuleType) -> None:
    seen = night(nights, [(place / 100, place / 100, place / 100) for place in range(24)])
    # of 2 whole trainings = 18: 10 short ones and the 8 that the pick lacks; 4 middling ones and 6; 2 whole ones
    assert [nights.at_one_rung(rung)(seen, 2.0, STEPS).place for rung in range(3)] == [9, 3, 1]


def test_halving_finds_the_best_where_rungs_rank_truly_and_is_fooled_where_they_do_not(nights: ModuleType) -> None:
    truly = night(nights, [(1 - place / 50,) * 3 for place in range(24)])
    assert nights.by_rungs()(truly, 6.3, STEPS).place == 0
    fooled = night(nights, [(1 - place / 50, 1 - place / 50, place / 50) for place in range(24)])
    assert nights.by_rungs()(fooled, 6.3, STEPS).place < 9
    others = nights.by_rungs(first=1), nights.by_rungs(early=True)
    assert [strategy(truly, 6.3, STEPS).place for strategy in others] == [0, 0]


def test_a_rung_where_all_fail_alike_fools_nobody_who_passes_it_over(nights: ModuleType) -> None:
    floor = night(nights, [(0.0, place / 24, place / 24) for place in range(8)])
    assert nights.by_rungs(has_floor=True)(floor, 4.7, STEPS).place == 7
    assert nights.by_rungs()(floor, 2.0, STEPS).place < 7


def test_what_a_pick_is_worth_comes_from_a_seed_that_did_not_choose(nights: ModuleType) -> None:
    row = {"config": 0, "params": {}, "rungs": [{"choose": {"success_rate": 0.1, "speed_error_mps": 0.5}}] * 2}
    rows = [{**row, "seed": seed, "rungs": [*row["rungs"], {
        "choose": {"success_rate": said, "speed_error_mps": 0.1}, "report": {"success_rate": worth}}]}
        for seed, said, worth in ((1, 0.9, 0.8), (2, 0.5, 0.4))]
    both = {0: [nights.run_of(one, 3) for one in rows]}
    for seed in range(8):
        drawn = nights.draw(both, [0], np.random.default_rng(seed))
        assert drawn.worths[0] == (0.4 if drawn.runs[0].seed == 1 else 0.8)
    assert nights.draw({0: both[0][:1]}, [0], np.random.default_rng(0)).worths == (0.8,)


def test_a_training_that_diverged_is_worth_nothing_and_loses_to_everybody(nights: ModuleType) -> None:
    short = {"config": 0, "seed": 1, "params": {}, "rungs": [{"choose": {"success_rate": 0.2}}]}
    run = nights.run_of(short, 3)
    assert (run.worth, run.said) == (0.0, 0.0) and run.values[1] < (0.0, float("-inf"))
    assert len(run.values) == 3


def test_the_nights_of_all_strategies_are_the_same_ones(nights: ModuleType) -> None:
    runs = {place: [nights.Run(config=place, seed=1, params={}, values=((place,),) * 3, worth=place / 24, said=0.5)]
            for place in range(24)}
    played = nights.play_all(runs, range(24), {"one": nights.at_one_rung(2), "other": nights.at_one_rung(2)}, 3.0,
                             STEPS, 20, seed=4)
    assert (played["one"] == played["other"]).all() and played["one"].shape == (20, 3)
    again = nights.play_all(runs, range(24), {"one": nights.at_one_rung(2)}, 3.0, STEPS, 20, seed=4)
    assert (again["one"] == played["one"]).all()


def test_the_kept_trainings_can_be_read_and_are_of_the_space(nights: ModuleType) -> None:
    from _replay.collect import DEFAULTS, ITERATIONS, SPACE, configurations, read

    rows = read(BENCH / "replay-runs.jsonl")
    made = configurations()
    assert made[0] == DEFAULTS and all(set(params) == set(SPACE) for params in made)
    assert rows and all(row["params"] == made[row["config"]] for row in rows)
    assert all(len(nights.run_of(row, len(ITERATIONS)).values) == len(ITERATIONS) for row in rows)
    assert len({(row["config"], row["seed"]) for row in rows}) == len(rows)
    assert len(json.dumps(rows)) < 200_000, "the kept file stays small"
