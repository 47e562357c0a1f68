"""The curriculum skill: promoted by gates alone, demoted where a stage is forgotten, halved where it is stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugins.climbing import FAR, MID, NEAR, TAG, Night, Params, rate, stage
from vbotd.domain.skill import Exhausted
from vbotd.domain.trial import Proposal, Trial
from vbotd.host.discovery import Candidate
from vbotd.host.loading import load
from vbotd.testing import check_plugin

FILE = Path(__file__).parents[2] / "plugins" / "curriculum" / "__init__.py"


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return load(Candidate(name="curriculum", module="vbotd_workspace.curriculum", source="plugins/curriculum",
                          path=FILE))


def able(trial: Trial, params: Params) -> float:
    """A learner that masters whatever it is trained on, and forgets nothing."""
    return 0.95


def radius(params: Params) -> tuple[float, ...]:
    value = params["env.radius_m"]
    assert isinstance(value, tuple)
    return value


def test_it_keeps_to_the_contract(skill: ModuleType) -> None:
    assert check_plugin(skill) == []


def test_every_stage_is_passed_by_its_gate_and_the_next_begins_from_its_checkpoint(skill: ModuleType) -> None:
    night = Night(skill, able)
    why = night.to_the_end()
    assert why == "every stage is passed: near by t001, mid by t002, far by t003"
    assert [(one.stage, one.env_steps) for one in night.proposals] == [("near", 1000), ("mid", 1000), ("far", 1000)]
    assert [one.warm_start and one.warm_start.trial for one in night.proposals] == [None, "climb/t001", "climb/t002"]
    assert night.verdicts == ["promote"] * 3


def test_a_gate_takes_two_evaluations_in_a_row_on_fresh_instances(skill: ModuleType) -> None:
    night = Night(skill, able, stages=(NEAR,))
    night.to_the_end()
    first, second = night.evaluations("t001", "gate")
    assert (first.purpose, second.purpose) == ("curriculum:gate-1-t001-r0", "curriculum:gate-2-t001-r0")


@pytest.mark.parametrize(("success", "passed"), [(0.83, False), (0.85, True)])
def test_it_is_the_lower_bound_that_passes(skill: ModuleType, success: float, passed: bool) -> None:
    night = Night(skill, lambda trial, params: success, stages=(NEAR,), options={"extensions": 0})
    assert night.to_the_end().startswith("every stage is passed" if passed else "stage 'near' is stuck")


def test_a_stage_that_misses_its_gate_is_trained_on(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.95 if (trial.env_steps or 0) >= 3000 else 0.5, stages=(NEAR,))
    assert night.to_the_end() == "every stage is passed: near by t001"
    assert [(one.extends, one.env_steps) for one in night.proposals] == [
        ("", 1000), ("climb/t001", 2000), ("climb/t001", 3000)]
    assert night.verdicts == ["keep", "keep", "promote"]
    assert "eval/success_rate 0.500 for >= 0.8" in night.proposals[1].why


def test_the_gate_is_measured_at_the_stages_own_difficulty_and_memory_at_the_earlier_ones(skill: ModuleType) -> None:
    steep = stage("steep", 1, 2, source="near", **{"env.slope": 0.5})
    night = Night(skill, able, stages=(NEAR, steep))
    night.to_the_end()
    (memory,) = night.evaluations("t002", "memory")
    assert memory.spec["params"] == {"env.radius_m": (1, 2), "env.slope": 0.0}  # the task's own, not the later stage's
    assert night.evaluations("t002", "gate")[0].spec["params"]["env.slope"] == 0.5


def test_a_score_that_is_out_of_the_question_spares_the_evaluations_at_the_gate(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.5, stages=(NEAR,))
    night.to_the_end()
    assert night.evaluations("t001", "gate") == []
    close = Night(skill, lambda trial, params: 0.78, stages=(NEAR,))
    close.to_the_end()
    assert [run.purpose[-2:] for run in close.evaluations("t001", "gate-1")] == ["r0", "r1", "r2"]
    assert close.evaluations("t001", "gate-2") == []


def forgetful(trial: Trial, params: Params) -> float:
    """A learner that is good at the radii that it is trained on, and at nothing else."""
    low, high = radius(trial.params)
    return 0.95 if low <= radius(params)[0] and radius(params)[1] <= high else 0.6


def test_a_forgotten_stage_is_gone_back_to_and_then_rehearsed(skill: ModuleType) -> None:
    night = Night(skill, forgetful, stages=(NEAR, MID))
    assert night.to_the_end() == "every stage is passed: near by t003, mid by t004"
    _, mid, back, again = night.proposals
    assert (mid.stage, back.stage, again.stage) == ("mid", "near", "mid")
    assert back.why.startswith("back to near, which t002 forgot")
    assert back.warm_start is not None and back.warm_start.trial == "climb/t002"
    assert again.params == {"env.radius_m": (1, 4)}  # takes in near, while the gate stays at mid's own radii
    assert radius(night.evaluations("t004", "gate")[0].spec["params"]) == (3, 4)
    assert night.verdicts == ["promote", "discard", "promote", "promote"]
    assert len(night.evaluations("t002", "memory")) == 2  # one bad evaluation proves nothing


def test_a_learner_that_cannot_hold_both_stages_ends_the_climb_with_the_reason(skill: ModuleType) -> None:
    own = {"near": (1, 2), "mid": (3, 4)}
    night = Night(skill, lambda trial, params: 0.95 if radius(params) == own[trial.stage] else 0.6, stages=(NEAR, MID))
    assert "forgot near again, after 2 demotions" in night.to_the_end()


def test_a_stage_of_another_task_is_a_stepping_stone_that_may_be_forgotten(skill: ModuleType) -> None:
    night = Night(skill, forgetful, stages=(replace(NEAR, task="skip"), MID))
    assert night.to_the_end() == "every stage is passed: near by t001, mid by t002"
    assert night.evaluations("t002", "memory") == []


def test_a_small_drop_or_a_noisy_one_is_no_forgetting(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.95 if trial.stage == "near" or radius(params) == (3, 4) else 0.91,
                  stages=(NEAR, MID))
    assert night.to_the_end() == "every stage is passed: near by t001, mid by t002"


def only_small_steps(trial: Trial, params: Params) -> float:
    """A learner that gets 2 m further with every trial, and no more."""
    return 0.95 if radius(trial.params)[1] <= 2 * trial.number else 0.3


def test_a_stuck_stage_is_halved_towards_the_last_one_that_was_passed(skill: ModuleType) -> None:
    far = stage("far", 7, 8, source="near")
    night = Night(skill, only_small_steps, stages=(NEAR, far), options={"extensions": 0})
    assert night.to_the_end().startswith("every stage is passed: near by t001")
    asked = [radius(trial.params) for trial in night.trials]
    assert asked == [(1, 2), (7, 8), (4.0, 5.0), (7, 8)]
    assert night.proposals[2].params == {"env.radius_m": (4.0, 5.0)} and night.proposals[2].stage == "far"
    assert radius(night.evaluations("t003", "gate")[0].spec["params"]) == (4.0, 5.0)  # the half-way's own gate
    assert night.proposals[3].warm_start is not None and night.proposals[3].warm_start.trial == "climb/t003"


def test_halving_ends_after_three_times(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.95 if trial.stage == "near" else 0.3,
                  stages=(NEAR, stage("far", 9, 17, source="near")), options={"extensions": 0})
    assert night.to_the_end().startswith("stage 'far' is stuck after 3 halvings")
    assert [radius(trial.params) for trial in night.trials[1:]] == [(9, 17), (5.0, 9.5), (3.0, 5.75), (2.0, 3.875)]


def test_a_first_stage_that_is_stuck_has_nothing_below_it(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.3, options={"extensions": 1})
    assert night.to_the_end().startswith("stage 'near' is stuck, and it is the first")
    assert [bool(one.extends) for one in night.proposals] == [False, True]


def test_a_poisoned_warm_start_is_begun_again_without_the_optimiser_and_slower(skill: ModuleType) -> None:
    night = Night(skill, able, stages=(NEAR, MID), options={"optimizer": "keep", "learning_rate": 1.0},
                  ruined=lambda trial: trial.warm_start is not None and trial.warm_start.optimizer == "keep")
    assert night.to_the_end() == "every stage is passed: near by t001, mid by t003"
    first, second = night.proposals[1].warm_start, night.proposals[2].warm_start
    assert first is not None and second is not None
    assert (first.optimizer, first.learning_rate) == ("keep", 1.0)
    assert (second.optimizer, second.learning_rate, second.trial) == ("reset", 0.3, "climb/t001")
    assert "begun in another way, since t002 ended: poisoned-warm-start" in night.proposals[2].why
    assert night.verdicts[1] == "-"  # no score, so the core discards it


def test_a_stage_that_is_poisoned_whatever_is_tried_ends_the_climb(skill: ModuleType) -> None:
    night = Night(skill, able, stages=(NEAR, MID), ruined=lambda trial: trial.stage == "mid")
    assert night.to_the_end().startswith("the training of stage 'mid' failed 3 times, last: poisoned-warm-start")


def test_a_stage_with_a_rate_of_its_own_is_begun_with_it(skill: ModuleType) -> None:
    slow = stage("slow", 3, 4, source="near", **{"ppo.learning_rate": 3e-4})
    told = replace(MID, warm_start={"from": "near", "learning_rate": 0.5})
    for second, factor in ((MID, 0.4), (told, 0.5), (slow, 0.0)):
        night = Night(skill, able, stages=(NEAR, second))
        night.to_the_end()
        assert night.proposals[1].warm_start is not None
        assert night.proposals[1].warm_start.learning_rate == factor


def test_the_same_history_gives_the_same_answer_and_other_peoples_trials_do_not_count(skill: ModuleType) -> None:
    night = Night(skill, able)
    night.take(skill.vbotd_propose(night.history, 1)[0])
    before = skill.vbotd_propose(night.history, 1)
    alien = replace(night.trials[0], id="climb/t009", number=9, proposal=replace(
        night.trials[0].proposal, proposer="a person"))
    with_alien = replace(night.history, trials=(*night.history.trials, alien))
    assert skill.vbotd_propose(with_alien, 1) == before == skill.vbotd_propose(night.history, 1)


def test_report_seeds_that_somebody_adds_change_nothing(skill: ModuleType) -> None:
    night = Night(skill, able, stages=(NEAR, MID))
    first = night.take(skill.vbotd_propose(night.history, 1)[0])
    before = skill.vbotd_propose(night.history, 1)
    night.trials[0] = replace(first, seeds=(1, 2), rung=1)
    other = replace(night.runs[-1], id="climb/t001/other", seed=2, purpose="score", metrics={TAG: rate(0.1)},
                    spec={"evaluate": {"checkpoint": "climb/t001/of-another-seed.pt"}})
    night.runs.append(other)
    assert skill.vbotd_follow_up(other, night.history) == []
    assert skill.vbotd_propose(night.history, 1) == before


def test_the_report_shows_the_ladder_and_the_forgetting_matrix(skill: ModuleType) -> None:
    night = Night(skill, forgetful, stages=(NEAR, MID))
    night.to_the_end()
    section = skill.vbotd_wake_up([night.history])
    assert section.title == "Curriculum"
    assert section.lines == (
        "- **climb**: 2 of 2 stages passed, 1 demoted, at the top.",
        "",
        "| eval/success_rate of | near | mid | env steps | what became of it |",
        "|---|---|---|---|---|",
        "| t001 | **0.950** |  | 0.00 M | passed near |",
        "| t002 | 0.600 | **0.950** | 0.00 M | forgot near: back to near |",
        "| t003 | **0.950** |  | 0.00 M | passed near |",
        "| t004 | 0.950 | **0.950** | 0.00 M | passed mid |",
    )


def test_many_campaigns_fit_into_fifteen_lines(skill: ModuleType) -> None:
    night = Night(skill, forgetful, stages=(NEAR, MID))
    night.to_the_end()
    for count in (2, 5, 30):
        lines = skill.vbotd_wake_up([night.history] * count).lines
        assert len(lines) <= 15
    assert lines[-1] == "- and 16 more campaigns with stages"


@given(st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6), st.integers(0, 2), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_any_learner_comes_to_an_end(skill: ModuleType, levels: Sequence[float], extensions: int, splits: int) -> None:
    """Whatever the policies are worth, the climb ends, and at the top only with every gate passed."""
    night = Night(skill, lambda trial, params: levels[(3 * trial.number + int(10 * sum(radius(params)))) % 6],
                  options={"extensions": extensions, "splits": splits})
    why = night.to_the_end(most=60)
    if why.startswith("every stage is passed"):
        last = {trial.stage: trial for trial, verdict in zip(night.trials, night.verdicts, strict=False)}
        assert set(last) == {"near", "mid", "far"}
        assert rate(0.8).low < 0.8 <= max(levels)
    assert isinstance(skill.vbotd_propose(night.history, 1), Exhausted)
    assert FAR.gates[0].tag == TAG


def test_the_climb_takes_over_the_best_that_was_found_before_it(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.99)
    for number, (rate_, worth) in enumerate([(1e-3, 0.2), (3e-3, 0.9), (9e-3, 0.5)], start=1):
        night.found(Proposal(params={"ppo.learning_rate": rate_, "env.radius_m": (1.0, 2.0)}, proposer="hp-search",
                             stage="near"), worth)
        assert len(night.trials) == number
    assert night.to_the_end().startswith("every stage is passed")
    near, mid, _ = night.proposals
    assert near.params == {"ppo.learning_rate": 3e-3}  # the difficulty stays the stage's own
    assert near.warm_start is not None and near.warm_start.trial == "climb/t002" and "settings of t002" in near.why
    assert mid.params == near.params and mid.warm_start is not None and mid.warm_start.trial == "climb/t004"


def test_what_is_found_while_it_climbs_changes_nothing(skill: ModuleType) -> None:
    night = Night(skill, lambda trial, params: 0.99)
    night.found(Proposal(params={"ppo.learning_rate": 2e-3}, proposer="hp-search", stage="near"), 0.5)
    night.take(night.skill.vbotd_propose(night.history, 1)[0])
    night.found(Proposal(params={"ppo.learning_rate": 5e-3}, proposer="agent", stage="near"), 0.9)
    assert night.skill.vbotd_propose(night.history, 1)[0].params == {"ppo.learning_rate": 2e-3}


def test_a_stage_that_sets_a_rate_keeps_it(skill: ModuleType) -> None:
    slow = stage("slow", 3, 4, source="near", **{"ppo.learning_rate": 1e-4})
    night = Night(skill, lambda trial, params: 0.99, stages=(NEAR, slow))
    night.found(Proposal(params={"ppo.learning_rate": 2e-3}, proposer="hp-search", stage="near"), 0.5)
    night.to_the_end()
    assert [one.params for one in night.proposals] == [{}, {}]
