"""The rules of the reward skill, on values: what robots do, which weight could heal it, was a change good?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vbotd_plugins.reward_engineering.diagnosis import Diagnosis, diagnose, from_gait
from vbotd_plugins.reward_engineering.hypotheses import MOVES, Ground, ground_of, ideas, untried
from vbotd_plugins.reward_engineering.matrix import Pair, SideEffect, decide, side_effects
from vbotd_plugins.reward_engineering.signals import kendall, read

from tests.plugins.rewarding import GOOD, LAZY, TASK, series
from vbotd.domain.finding import Finding
from vbotd.domain.metric import Measurement
from vbotd.domain.task import ParamCard
from vbotd.domain.trial import Run

# Diagnosis

def diagnosed(curves: Mapping[str, Any], until: float, findings: tuple[Finding, ...] = ()) -> tuple[Diagnosis, ...]:
    told = series(GOOD if curves is GOOD else {**LAZY, **curves}, until)
    run = Run(id="r", campaign="c", trial="t", kind="train", seed=1, attempt=1, status="running", queued_at=0.0,
              spec={"train": {"env_steps": 1000}})
    return diagnose(read(lambda tag: told.get(tag, []), run, TASK, {}), findings)


def seen(curves: Mapping[str, Any], until: float = 1.0, findings: tuple[Finding, ...] = ()) -> list[str]:
    return [found.behaviour for found in diagnosed(curves, until, findings)]


def stops(curves: Mapping[str, Any]) -> set[str]:
    return {found.behaviour for found in diagnosed(curves, 1.0) if found.stops}


FALLS_AFTER = {"task/reach_rate": lambda x: 0.7 * x, "train/success_rate": lambda x: 0.01,
               "train/fall_rate": lambda x: 0.65, "train/timeout_rate": lambda x: 0.3}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "lazy": {},
    "hover": {"task/final_distance_m": lambda x: 3.0 * (0.2 if x > 0.3 else 1.0), "task/reach_rate": lambda x: 0.02,
              "train/success_rate": lambda x: 0.0},
    "farm": {"task/final_distance_m": lambda x: 3.0 * (0.1 if x > 0.3 else 1.0), "task/reach_rate": lambda x: 0.9,
             "train/success_rate": lambda x: 0.05},
    "fly-through": {"task/final_distance_m": lambda x: 3.0, "task/reach_rate": lambda x: 0.9,
                    "train/success_rate": lambda x: 0.05, "train/timeout_rate": lambda x: 0.5},
    "touch-and-die": FALLS_AFTER,
    "sprint-crash": {"train/episode_length_s": lambda x: 9.0 if x < 0.5 else 2.0,
                     "train/fall_rate": lambda x: 0.1 if x < 0.5 else 0.9, "train/timeout_rate": lambda x: 0.1,
                     "reward/goal_progress": lambda x: 0.1 + x, "task/reach_rate": lambda x: 0.0},
    "crash": {"train/episode_length_s": lambda x: 0.4, "train/fall_rate": lambda x: 1.0,
              "train/timeout_rate": lambda x: 0.0, "task/reach_rate": lambda x: 0.0},
    "statue": {"train/episode_return": lambda x: -5.0, "train/success_rate": lambda x: 0.0,
               "reward/alive_reward": lambda x: 0.0, "reward/action_rate_cost": lambda x: -0.5,
               "train/timeout_rate": lambda x: 0.9, "task/reach_rate": lambda x: 0.0},
    "gaming": {"share/trot_reward": lambda x: 0.1 + 0.8 * x, "train/timeout_rate": lambda x: 0.2,
               "train/success_rate": lambda x: 0.1},
    "chatter": {"ppo/chatter": lambda x: 0.5},
}  # fmt: skip


@pytest.mark.parametrize("behaviour", CASES)
def test_each_behaviour_is_named_by_what_it_shows(behaviour: str) -> None:
    assert seen(CASES[behaviour])[0 if behaviour != "chatter" else -1] == behaviour


def test_robots_that_learn_their_task_have_no_diagnosis() -> None:
    assert seen(GOOD) == []
    assert all(seen(GOOD, until) == [] for until in (0.1, 0.25, 0.5, 0.75))


def test_robots_that_fall_on_their_way_are_named_but_not_stopped_while_more_and_more_arrive() -> None:
    falling = CASES["sprint-crash"]
    assert stops(falling) == {"sprint-crash"}
    assert stops(falling | {"task/reach_rate": lambda x: 0.6 * x}) == set()


def test_the_touch_that_pays_most_is_made_cheaper_first() -> None:
    weights = {"inner_fence_event": 1.0, "arrival_event": 50.0, "success_event": 5.0, "fall_event": -8.0}
    cards = {term: ParamCard(key=f"reward.{term}", default=1.0) for term in weights}
    first = ideas("touch-and-die", Ground(weights=weights, cards=cards))[0]
    assert (first.term, first.after) == ("arrival_event", 5.0)


def test_nothing_is_said_too_early() -> None:
    assert seen({}, until=0.15) == []


def test_what_others_found_counts_and_what_an_audit_expects_does_not() -> None:
    health = Finding(rule="touch-and-die", level="warning", message="after the bonus it falls")
    audit = Finding(rule="reward-budget/hover", level="error", message="it would")
    assert seen(GOOD, findings=(health, audit)) == ["touch-and-die"]


def test_how_it_moves_comes_after_what_it_does_not_do() -> None:
    health = Finding(rule="touch-and-die", level="warning", message="after the bonus it falls")
    assert seen(GOOD | {"ppo/chatter": lambda x: 0.5}, findings=(health,)) == ["touch-and-die", "chatter"]


def test_a_film_of_robots_that_drag_themselves_is_a_diagnosis() -> None:
    def share(value: float) -> Measurement:
        return Measurement(value=value, low=value, high=value, n=8)

    assert [found.behaviour for found in from_gait({"gait/drags": share(0.75), "gait/walks": share(0.25)})] == ["drag"]
    assert from_gait({"gait/drags": share(0.25), "gait/walks": share(0.75)}) == ()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
def test_tau_is_bounded_and_turns_round(values: list[float]) -> None:
    assert -1.0 <= kendall(values) <= 1.0
    if len(values) <= 40:
        assert kendall(values[::-1]) == pytest.approx(-kendall(values))


# Hypotheses

def ground(**weights: float) -> Ground:
    return ground_of(TASK, {f"reward.{term}": value for term, value in weights.items()}, {"alive_reward": 150.0})


def test_the_first_idea_against_lazy_robots_is_to_pay_them_less_for_living() -> None:
    first = ideas("lazy", ground(alive_reward=150.0))[0]
    assert (first.strategy, first.key, first.before, first.after) == ("inversion", "reward.alive_reward", 150.0, 15.0)
    assert first.effect and first.risk and "150 → 15" in first.words()


def test_what_the_audit_computed_and_what_helped_before_come_first() -> None:
    base = ground_of(TASK, {"reward.alive_reward": 150.0}, {"alive_reward": 150.0}, remedies=[("alive_reward", 1.5)],
                     adopted=[("success_event", 10.0)])
    assert [(i.strategy, i.term, i.after) for i in ideas("lazy", base)[:2]] == [
        ("library", "success_event", 50.0), ("inversion", "alive_reward", 1.5)]


@given(st.sampled_from(sorted(MOVES)), st.floats(0.0, 1000.0), st.floats(0.0, 5000.0), st.floats(-500.0, 0.0))
def test_every_idea_is_one_change_inside_what_the_task_allows(behaviour: str, living: float, success: float,
                                                              fall: float) -> None:
    base = ground(alive_reward=living, success_event=success, fall_event=fall)
    found = ideas(behaviour, base)
    assert len({(idea.term, idea.after) for idea in found}) == len(found)
    for idea in found:
        card = TASK.param(idea.key)
        assert card is not None and card.low is not None and card.high is not None
        assert card.low <= idea.after <= card.high and idea.after != idea.before == base.weight(idea.term)
    assert untried(found, [(idea.term, idea.before, idea.after) for idea in found]) == []


def test_a_part_of_the_goal_without_a_weight_may_be_switched_on() -> None:
    idea = next(i for i in ideas("lazy", ground()) if i.strategy == "proxy decomposition")
    assert (idea.term, idea.before, idea.after) == ("approach_progress", 0.0, 15.0)


# The decision matrix

def pairs(*gains: float) -> list[Pair]:
    return [Pair(seed=seed, before=0.2, after=0.2 + gain) for seed, gain in enumerate(gains)]


SMALL = SideEffect(tag="eval/fall_rate", before=0.0, after=0.1, is_major=False)
LARGE = SideEffect(tag="eval/fall_rate", before=0.0, after=0.5, is_major=True)


@pytest.mark.parametrize(("gains", "effects", "verdict"), [
    ((0.5, 0.4, 0.6), [], "adopt"),
    ((0.5, 0.4, 0.6), [SMALL], "iterate"),
    ((0.5, 0.4, 0.6), [SMALL, LARGE], "rethink"),
    ((0.5, -0.4, 0.6), [], "inconclusive"),
    ((0.01, 0.02, 0.0), [], "reject"),
    ((-0.3, -0.2, -0.1), [], "reject"),
    ((0.3, -0.2, 0.3, 0.2, 0.1), [], "inconclusive"),  # as many as are allowed, and still at odds
    ((0.02, -0.02, 0.01, 0.0, 0.0), [], "reject"),
])  # fmt: skip
def test_the_decision_matrix(gains: tuple[float, ...], effects: list[SideEffect], verdict: str) -> None:
    decision = decide(pairs(*gains), effects, least_gain=0.05, most_pairs=5)
    assert decision.verdict == verdict and f"of {len(gains)} pairs" in decision.why


def test_an_adoption_says_how_often_nothing_would_look_as_good() -> None:
    assert "12.5%" in decide(pairs(0.5, 0.4, 0.6), [], least_gain=0.05, most_pairs=5).why


def test_side_effects_are_measured_in_the_direction_that_is_worse() -> None:
    before, after = {"eval/fall_rate": 0.1, "eval/time_s": 4.0}, {"eval/fall_rate": 0.3, "eval/time_s": 5.0}
    found = side_effects(before, after, {"eval/fall_rate": 1, "eval/time_s": 1, "eval/unknown_rate": 1})
    assert [(effect.tag, effect.is_major) for effect in found] == [("eval/fall_rate", True), ("eval/time_s", False)]
    assert side_effects(after, before, {"eval/fall_rate": 1, "eval/time_s": 1}) == ()
