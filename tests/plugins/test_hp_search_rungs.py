"""Whole nights of successive halving under the core's own rules: who climbs, and to where."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from tests.plugins.searching import HORIZON, NIGHT, climbing, history_of, night, part, rate, search_skill, view
from vbotd.domain.campaign import Budget, Stage
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.trial import Run


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return search_skill()


@pytest.mark.parametrize("cores", [1, 2])
def test_a_night_promotes_the_best_from_their_checkpoints_and_confirms_the_winner(skill: ModuleType, cores: int
                                                                                  ) -> None:
    state, said, why = night(skill, climbing(confirm_most=2), rate, cores=cores)
    trials = state.trials_of(NIGHT)
    assert len(trials) == 12 and why == "the rungs are climbed: 12 trials, 2 of them to the end"  # with the baseline
    learnt = [run for run in state.runs.values() if run.kind == "train" and run.seed == 1]
    assert all(run.spec["train"]["env_steps"] == HORIZON for run in learnt), "schedules keep the whole length"
    assert sum(run.spec["train"]["until"] == 1000 for run in learnt) == 12
    resumed = {run.trial for run in learnt if run.spec["resumed_env_steps"] == 1000}
    assert len(resumed - {trials[0].id}) in (3, 4) and all(run.spec["resume_from"] for run in learnt
                                                          if run.spec["resumed_env_steps"])
    best = max(trials, key=lambda trial: rate(next(run for run in learnt if run.trial == trial.id), HORIZON))
    confirmed = [trial for trial in trials if len(trial.seeds) > 1]
    assert {trial.id for trial in confirmed} == {best.id, trials[0].id}, "the winner and the baseline, nobody else"
    assert {trial.seeds for trial in confirmed} == {(1, 10_001, 10_002)} and trials[0].env_steps == HORIZON
    assert sum(one.extends != "" for one in said) >= 4


def test_what_is_refused_or_asked_again_is_the_same(skill: ModuleType) -> None:
    state, _, _ = night(skill, climbing(), rate)
    history = history_of(state)
    assert skill.vbotd_propose(history, 2, view(state)) == skill.vbotd_propose(history, 2, view(state))


def test_a_training_that_diverges_stays_where_it_is_and_the_night_goes_on(skill: ModuleType) -> None:
    def half(run: Run, until: int) -> float | None:
        return None if int(run.trial[-3:]) % 2 else rate(run, until)

    state, _, why = night(skill, climbing(), half)
    gone_on = {trial.number for trial in state.trials_of(NIGHT) if trial.rung}
    assert gone_on and not any(number % 2 for number in gone_on) and "12 trials" in why


def test_a_trial_past_its_peak_is_not_promoted_on(skill: ModuleType) -> None:
    def falls(run: Run, until: int) -> float:
        return 0.1 if run.trial.endswith("t003") and until > 1000 else 0.9 if run.trial.endswith("t003") else 0.5

    state, _, _ = night(skill, climbing(confirm_seeds=0), falls)
    third = state.trials_of(NIGHT)[2]
    assert third.env_steps == 3000 and part("results").is_collapsed(history_of(state), third)


def test_while_all_are_on_the_floor_the_first_rung_is_passed_over(skill: ModuleType) -> None:
    def slow(run: Run, until: int) -> float:
        return 0.0 if until < 3000 else rate(run, until)

    state, _, _ = night(skill, climbing(confirm_seeds=0), slow)
    begun = [trial.proposal.env_steps for trial in state.trials_of(NIGHT)]
    assert begun[:4] == [1000] * 4 and begun[-1] == 3000
    assert all(trial.env_steps >= 3000 for trial in state.trials_of(NIGHT)), "who stood there goes on, too"
    before = history_of(state)
    before = replace(before, record=replace(before.record, id="before-1122"))
    _, said, _ = night(skill, climbing(confirm_seeds=0), slow, before)
    assert {one.env_steps for one in said if not one.extends} == {3000}, "the next campaign knows"


def test_a_small_budget_begins_fewer_and_keeps_back_what_confirming_costs(skill: ModuleType) -> None:
    budget = Budget(trials=27, env_steps=10 * HORIZON)
    state, _, _ = night(skill, climbing(budget=budget), rate)
    spent = sum(run.env_steps - run.spec["resumed_env_steps"] for run in state.runs.values() if run.kind == "train")
    assert 5 * HORIZON < spent <= 10 * HORIZON
    assert any(len(trial.seeds) > 1 for trial in state.trials_of(NIGHT))


def test_an_audit_trains_to_the_end_some_that_were_left_behind(skill: ModuleType) -> None:
    state, said, _ = night(skill, climbing(audit_share=0.5, confirm_seeds=0), rate)
    audited = [one for one in said if "what leaving costs" in one.why]
    assert 1 <= len(audited) <= 11 and all(one.env_steps == HORIZON for one in audited)
    assert sum(trial.env_steps == HORIZON for trial in state.trials_of(NIGHT)) == 1 + len(audited)


@pytest.mark.parametrize("constraints", [[], ["ppo.gamma >= 0.97"]])
def test_a_space_of_few_settings_is_climbed_too(skill: ModuleType, constraints: list[str]) -> None:
    few = SearchSpace(dimensions=(
        Dimension(key="ppo.learning_rate", kind="choice", choices=(3e-4, 1e-3, 3e-3, 5e-3)),
        Dimension(key="ppo.gamma", kind="choice", choices=(0.96, 0.98, 0.99))))
    state, _, why = night(skill, climbing(space=few, trials=27, confirm_seeds=0, constraints=constraints), rate)
    trials = state.trials_of(NIGHT)
    assert len(trials) == (8 if constraints else 12) and f"{len(trials)} trials, 1 of them to the end" in why
    assert next(trial for trial in trials if trial.env_steps == HORIZON).params["ppo.learning_rate"] == 3e-3


@pytest.mark.parametrize(("options", "steps"), [
    ({"trials": 8}, None), ({"strategy": "plain"}, None), ({"sampler": "grid"}, None),
    ({"trials": 8, "strategy": "halving"}, 1000), ({"eta": 2, "rungs": 2}, 4500), ({}, 1000),
    ({"stages": (Stage(name="near", task="walk"),)}, 1000)])
def test_the_strategy_is_halving_where_it_pays(skill: ModuleType, options: dict[str, Any], steps: int | None) -> None:
    state = climbing(**options)
    (first,) = skill.vbotd_propose(history_of(state), 1, view(state))
    assert first.env_steps == steps
