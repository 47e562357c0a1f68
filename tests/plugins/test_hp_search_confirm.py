"""Confirming a winner: a few fresh seeds, then further ones while they can settle the verdict and are paid for."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

from tests.plugins.searching import HORIZON, NIGHT, Score, climbing, history_of, night, rate, search_skill
from vbotd.core.state import State
from vbotd.domain.campaign import Budget
from vbotd.domain.trial import Run, Trial

FIRST = 10_001


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return search_skill()


def scattered(spread: float, *, real: bool) -> Score:
    """The scores of `rate`, scattered over seeds; not `real`: with a fresh seed all settings are worth the same."""
    def score(run: Run, until: int) -> float:
        luck = random.Random(f"{run.trial} {run.seed}").gauss(0.0, spread) if run.seed >= FIRST else 0.0
        return min(max((rate(run, until) if real or run.seed < FIRST else 0.5) + luck, 0.0), 1.0)
    return score


def confirmed(state: State) -> tuple[Trial, Trial]:
    """Return the baseline and the winner: those with fresh seeds."""
    plain, best = (trial for trial in state.trials_of(NIGHT) if len(trial.seeds) > 1)
    return plain, best


def test_further_seeds_are_asked_for_until_the_winner_is_proved(skill: ModuleType) -> None:
    state, said, _ = night(skill, climbing(), scattered(0.03, real=True))
    plain, best = confirmed(state)
    assert best.verdict == "promote" and best.seeds == plain.seeds
    assert 5 <= len(best.seeds) - 1 <= 6 and best.seeds[1:3] == (FIRST, FIRST + 1)
    first, then = [one.why for one in said if one.why.startswith("the winner, with ")][:2]
    assert first == "the winner, with 2 fresh seeds that chose nothing"
    assert then.startswith("the winner, with 3 fresh seeds that chose nothing, since 5 pairs would confirm it with a ")
    assert "the baseline, against the winner, with 3 fresh seeds that chose nothing" in [one.why for one in said]


def test_no_further_seeds_are_asked_for_a_winner_that_they_show_to_be_no_better(skill: ModuleType) -> None:
    state, _, _ = night(skill, climbing(confirm_seeds=5), scattered(0.05, real=False))
    plain, best = confirmed(state)
    assert best.verdict in ("keep", "inconclusive", "discard") and len(best.seeds) == len(plain.seeds) == 1 + 5


@pytest.mark.parametrize("options", [
    {"confirm_most": 2}, {"confirm_most": 4},  # three pairs more would do, and they are not allowed
    {"budget": Budget(trials=12, env_steps=14 * HORIZON)}])  # two of them are not paid for
def test_further_seeds_end_at_the_cap_and_at_the_budget(skill: ModuleType, options: dict[str, object]) -> None:
    state, said, _ = night(skill, climbing(**options), scattered(0.03, real=True))
    _, best = confirmed(state)
    assert best.seeds[1:] == (FIRST, FIRST + 1) and best.verdict == "inconclusive"
    assert not [one for one in said if "would confirm it" in one.why]


def test_one_fresh_seed_says_nothing_of_the_noise_and_asks_for_no_more(skill: ModuleType) -> None:
    state, _, _ = night(skill, climbing(confirm_seeds=1), scattered(0.03, real=True))
    assert [len(trial.seeds) for trial in confirmed(state)] == [2, 2]


def test_an_estimate_has_the_bracket_the_first_seeds_and_what_may_come_on_top(skill: ModuleType) -> None:
    told = skill.vbotd_estimate(history_of(climbing(trials=27)))
    assert told.env_steps == (7 + 5) * HORIZON
    assert told.why == (
        "27 trials to 1 k env steps, 9 of them on to 3 k, 3 of them on to 9 k: 63 k; winner and baseline again with 2 "
        "fresh seeds: 45 k, and with up to 4 more (72 k beside) if they can settle it")
    whole = skill.vbotd_estimate(history_of(climbing(trials=8)))
    assert (whole.env_steps, whole.why) == (8 * HORIZON, "8 trials to 9 k env steps: 72 k")
    small = Budget(trials=27, env_steps=6 * HORIZON)
    assert skill.vbotd_estimate(history_of(climbing(budget=small))).env_steps <= 6 * HORIZON
