"""Successive halving alone: who goes on, what it costs, and how well a rung ranks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.searching import HORIZON, part


def climbed(halving: ModuleType, plan: Any, value: Callable[[int, int], float | None], workers: int = 1,
            collapsed: Callable[[int], bool] = lambda number: False) -> tuple[Any, ...]:
    """Play a bracket to its end: `workers` trainings at once, the oldest ends first; return the entries."""
    entries: tuple[Any, ...] = ()
    queue: list[str] = []
    for _ in range(10_000):
        move = halving.next_move(entries, plan)
        if move.kind in ("go_on", "begin") and len(queue) < workers:
            entries = halving.after(entries, move)
            queue.append(move.trial or entries[-1].trial)
            continue
        if not queue:
            assert move.kind == "done"
            return entries
        done = queue.pop(0)
        entries = tuple(_known(entry, value, collapsed) if entry.trial == done else entry for entry in entries)
    raise AssertionError("the bracket does not end")


def _known(entry: Any, value: Callable[[int, int], float | None], collapsed: Callable[[int], bool]) -> Any:
    found = value(entry.number, entry.rung)
    values = dict(entry.values) | ({} if found is None else {entry.rung: (found,)})
    return replace(entry, pending=False, values=values, collapsed=collapsed(entry.number))


def test_twenty_seven_trials_cost_seven_whole_ones_and_the_best_three_end() -> None:
    planning, halving = part("planning"), part("halving")
    steps = planning.ladder(HORIZON, 3, 3)
    plan = planning.planned(27, steps, 3)
    assert steps.rungs == (1000, 3000, 9000) and plan.sizes == (27, 9, 3)
    assert planning.cost(plan.sizes, steps) == 7 * HORIZON
    entries = climbed(halving, plan, lambda number, rung: -float(number))
    assert [sum(entry.rung >= rung for entry in entries) for rung in range(3)] == [27, 9, 3]
    assert {entry.number for entry in entries if entry.rung == 2} == {1, 2, 3}


def test_the_last_rung_is_entered_only_when_all_below_is_known() -> None:
    halving = part("halving")
    plan = halving.Plan(sizes=(9, 3, 1))
    three = tuple(halving.Entry(trial=f"t{n}", number=n, rung=1, values={0: (n,), 1: (n,)}) for n in range(3))
    assert halving.next_move(three, plan).kind == "begin"
    rest = tuple(halving.Entry(trial=f"t{n}", number=n, rung=0, values={0: (-n,)}) for n in range(3, 9))
    assert halving.next_move((*three, *rest), plan) == halving.Move(kind="go_on", rung=2, trial="t2")
    waiting = (*three, *rest[:-1], replace(rest[-1], pending=True, values={}))
    assert halving.next_move(waiting, plan).kind == "wait"


def test_nobody_goes_on_early_unless_a_deadline_may_come_and_then_from_eta_results_on() -> None:
    halving = part("halving")
    plan = halving.Plan(sizes=(9, 3, 1), early=True)
    two = tuple(halving.Entry(trial=f"t{n}", number=n, rung=0, values={0: (n,)}) for n in range(2))
    assert halving.next_move(two, plan).kind == "begin"
    three = (*two, halving.Entry(trial="t2", number=2, rung=0, values={0: (-1,)}))
    assert halving.next_move(three, replace(plan, early=False)).kind == "begin"
    assert halving.next_move(three, plan) == halving.Move(kind="go_on", rung=1, trial="t1")


def test_a_rung_that_ranks_nothing_is_passed_over_by_all_who_stand_on_it() -> None:
    planning, halving = part("planning"), part("halving")
    steps = planning.ladder(HORIZON, 3, 3)
    plan = planning.planned(9, steps, 3, first=1)
    assert plan.sizes == (9, 9, 3)
    stood = tuple(halving.Entry(trial=f"t{n}", number=n, rung=0, values={0: (0.0,)}) for n in range(2))
    assert halving.next_move(stood, plan) == halving.Move(kind="go_on", rung=1, trial="t0")
    entries = climbed(halving, plan, lambda number, rung: float(number))
    assert [sum(entry.rung >= rung for entry in entries) for rung in (1, 2)] == [9, 3]


@given(st.integers(1, 30), st.integers(1, 4), st.integers(2, 4), st.integers(2, 4), st.integers(0, 10**6))
def test_every_bracket_ends_inside_its_plan_and_failures_and_the_collapsed_stay(
        trials: int, workers: int, eta: int, rungs: int, seed: int) -> None:
    dice = random.Random(seed)
    planning, halving = part("planning"), part("halving")
    steps = planning.ladder(3**9, eta, rungs)
    plan = planning.planned(trials, steps, eta, early=seed % 2 == 0)
    fate = {(n, rung): dice.choice([None, dice.random(), dice.random()]) for n in range(99) for rung in range(rungs)}
    fallen = {n for n in range(99) if dice.random() < 0.2}
    entries = climbed(halving, plan, lambda number, rung: fate[number, rung], workers, lambda number: number in fallen)
    assert len(entries) == plan.sizes[0] and not any(entry.pending for entry in entries)
    for rung in range(rungs - 1):
        above = [entry for entry in entries if entry.rung > rung]
        assert len(above) <= plan.sizes[rung + 1]
        assert all(fate[entry.number, rung] is not None and entry.number not in fallen for entry in above)
        able = [entry for entry in entries if rung in entry.values and entry.number not in fallen]
        assert len(above) == min(plan.sizes[rung + 1], len(able)), "no place is left empty that somebody could have"


def test_a_budget_that_cannot_pay_for_all_gets_a_smaller_bracket_and_a_large_one_a_wider() -> None:
    planning = part("planning")
    steps = planning.ladder(HORIZON, 3, 3)
    small = planning.planned(27, steps, 3, paid_for=3 * HORIZON)
    assert planning.cost(small.sizes, steps) <= 3 * HORIZON and small.sizes == (13, 4, 1)
    wide = planning.planned(27, steps, 3, paid_for=20 * HORIZON)
    assert wide.sizes[0] == 27 and 7 * HORIZON < planning.cost(wide.sizes, steps) <= 20 * HORIZON
    assert planning.planned(27, steps, 3, paid_for=1).sizes[0] == 2


@given(st.integers(1, 60), st.integers(2, 5), st.integers(2, 5), st.floats(0.0, 50.0))
def test_a_bracket_never_costs_more_than_there_is_unless_it_is_the_smallest(
        trials: int, eta: int, rungs: int, wholes: float) -> None:
    planning = part("planning")
    steps = planning.ladder(10_000, eta, rungs)
    plan = planning.planned(trials, steps, eta, paid_for=wholes * 10_000)
    assert planning.cost(plan.sizes, steps) <= wholes * 10_000 or plan.sizes[0] <= 2
    assert list(plan.sizes) == sorted(plan.sizes, reverse=True) and min(plan.sizes) >= 1


def test_a_rung_is_judged_by_how_it_ranks_what_was_trained_to_the_end() -> None:
    calibration = part("calibration")
    alike = [((float(n),), (n * 2.0,)) for n in range(20)]
    assert calibration.fidelity(alike).correlation == pytest.approx(1.0)
    assert calibration.fidelity(alike).advice == "shorten"
    against = [((float(n),), (-float(n),)) for n in range(20)]
    assert calibration.fidelity(against).advice == "drop"
    assert calibration.fidelity(alike[:7]) == calibration.Fidelity(pairs=7)
    assert calibration.fidelity([((0.0,), (float(n),)) for n in range(20)]).advice == "keep", "no order, no judgement"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=8, max_size=20))
def test_the_correlation_is_spearmans_and_lies_inside_its_bounds(numbers: list[tuple[int, int]]) -> None:
    from scipy.stats import spearmanr

    found = part("calibration").fidelity([((float(a), 0.0), (float(b), 0.0)) for a, b in numbers])
    constant = min(len({a for a, _ in numbers}), len({b for _, b in numbers})) == 1
    assert (found.correlation is None) == constant
    if not constant:
        assert found.correlation == pytest.approx(spearmanr(*zip(*numbers, strict=True)).statistic)
        assert -1.0 <= found.low <= found.high <= 1.0
