"""The reward skill: it sees what robots do, tests one change on paired seeds, decides, and remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vbotd_plugins.reward_engineering.diagnosis import Diagnosis, diagnose, from_gait
from vbotd_plugins.reward_engineering.hypotheses import MOVES, Ground, ground_of, ideas, untried
from vbotd_plugins.reward_engineering.matrix import Pair, SideEffect, decide, side_effects
from vbotd_plugins.reward_engineering.signals import kendall, read

from tests.plugins.rewarding import GOOD, LAZY, TAG, TASK, Night, series
from vbotd.domain.campaign import Gate, Stage
from vbotd.domain.finding import Finding
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Exhausted
from vbotd.domain.task import ParamCard
from vbotd.domain.trial import Proposal, Run
from vbotd.host.discovery import Candidate
from vbotd.host.loading import load
from vbotd.testing import check_plugin

FILE = Path(__file__).parents[2] / "plugins" / "reward_engineering" / "__init__.py"


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return load(Candidate(name="reward_engineering", module="vbotd_workspace.reward_engineering",
                          source="plugins/reward_engineering", path=FILE))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a store, where the library may be written."""
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "vbotd.db").touch()
    return tmp_path


def alive(params: Mapping[str, Any]) -> float:
    return float(params.get("reward.alive_reward", 0.0))


def healed(params: Mapping[str, Any], seed: int) -> float:
    """Robots that do the task where living pays little; the seeds differ a little."""
    return (0.8 if alive(params) <= 2.0 else 0.1) + 0.01 * seed


def lazy_or_good(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return GOOD if alive(params) <= 2.0 else LAZY


def files(home: Path) -> dict[str, dict[str, Any]]:
    folder = home / "state" / "reward_library"
    return {str(path.relative_to(folder)): yaml.safe_load(path.read_text()) for path in sorted(folder.rglob("*.yaml"))}


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


# The whole of it

def test_it_keeps_to_the_contract(skill: ModuleType) -> None:
    assert check_plugin(skill) == []


def test_lazy_robots_are_seen_stopped_healed_by_one_weight_and_both_are_kept(skill: ModuleType, home: Path) -> None:
    night = Night(skill, healed, lazy_or_good, remedies=[("alive_reward", 1.5)], options={"good_enough": 0.75})
    why = night.to_the_end()
    assert why == "t002 has eval/success_rate 0.82"
    baseline, change, *more = night.proposals
    assert baseline.params == {} and baseline.seeds == (1,)
    assert change.params == {"reward.alive_reward": 1.5} and change.seeds == (1,)
    assert change.why.startswith("against t001: it is lazy") and "150 → 1.5" in change.why
    assert [(one.extends, one.seeds) for one in more] == [("night/t002", (2, 3)), ("night/t001", (2, 3))]
    stop, = (finding for finding in night.runs[1].findings if finding.stop)
    assert (stop.rule, stop.level) == ("reward-engineering/lazy", "error") and "1,460" in stop.message
    section = skill.vbotd_wake_up([night.history])
    assert "*lazy*" in section.lines[0] and "**adopt**" in section.lines[1] and "stands now: t002" in section.lines[2]
    kept = files(home)
    assert set(kept) == {"components/toy.alive_reward.150-to-1.5.yaml", "configs/toy.night.yaml",
                         "rejected/toy.night.t001.yaml"}
    component = kept["components/toy.alive_reward.150-to-1.5.yaml"]
    assert (component["status"], component["category"]) == ("adopted", "lazy")
    assert component["experiments"][0]["result"] == "adopt" and len(component["experiments"][0]["pairs"]) == 3
    assert kept["rejected/toy.night.t001.yaml"]["reward_scales"]["alive_reward"] == 150.0
    assert kept["configs/toy.night.yaml"]["reward_scales"]["alive_reward"] == 1.5


def test_the_library_is_the_same_however_often_it_is_written(skill: ModuleType, home: Path) -> None:
    night = Night(skill, healed, lazy_or_good, remedies=[("alive_reward", 1.5)], options={"good_enough": 0.75})
    night.to_the_end()
    skill.vbotd_wake_up([night.history])
    once = files(home)
    skill.vbotd_wake_up([night.history])
    assert files(home) == once
    for path in (home / "state" / "reward_library").rglob("*.yaml"):
        path.unlink()
    skill.vbotd_wake_up([night.history])
    assert files(home) == once, "it can be made again from the store"


def test_what_was_refuted_is_not_tried_again_by_another_campaign(skill: ModuleType, home: Path) -> None:
    options = {"most_changes": 2}
    first = Night(skill, lambda params, seed: 0.1, options=options)
    assert "as many as 'most_changes' allows" in first.to_the_end()
    tried = [one.params for one in first.proposals[1:]]
    assert len(tried) == 2 and tried[0] != tried[1]
    skill.vbotd_wake_up([first.history])
    assert all(name.startswith("rejected/") for name in files(home))
    second = Night(skill, lambda params, seed: 0.1, options=options, name="later")
    second.to_the_end()
    assert not [one.params for one in second.proposals[1:] if one.params in tried]


def test_a_second_campaign_adds_its_experiment_to_the_idea(skill: ModuleType, home: Path) -> None:
    for name in ("one", "two"):
        night = Night(skill, healed, lazy_or_good, remedies=[("alive_reward", 1.5)], name=name,
                      options={"good_enough": 0.75})
        night.to_the_end()
        skill.vbotd_wake_up([night.history])
    found = files(home)["components/toy.alive_reward.150-to-1.5.yaml"]["experiments"]
    assert [experiment["trial"] for experiment in found] == ["one/t002", "two/t002"]


def test_a_change_with_large_side_effects_is_not_built_on(skill: ModuleType) -> None:
    night = Night(skill, healed, lambda params: LAZY, lambda params, seed: 0.5 if alive(params) <= 2.0 else 0.0,
                  remedies=[("alive_reward", 1.5)], options={"most_changes": 2})
    night.to_the_end()
    last = night.proposals[-1]
    assert last.why.startswith("against t001") and "reward.alive_reward" in last.params


def test_seeds_that_contradict_each_other_get_one_more_until_there_are_enough(skill: ModuleType) -> None:
    def score(params: Mapping[str, Any], seed: int) -> float:
        return 0.3 if alive(params) == 150.0 else 0.3 + (0.4 if seed % 2 else -0.2)

    night = Night(skill, score, options={"most_changes": 1, "seeds": 2, "most_seeds": 4},
                  remedies=[("alive_reward", 1.5)])
    night.to_the_end()
    assert night.trials[1].seeds == night.trials[0].seeds == (1, 2, 3, 4)


def test_no_more_seeds_are_asked_for_while_those_that_were_are_at_work(skill: ModuleType) -> None:
    night = Night(skill, healed, lazy_or_good, remedies=[("alive_reward", 1.5)])
    night.round()
    night.round()
    done, night.runs = night.runs, [run for run in night.runs if run.trial != "night/t002"]
    night.trials[1] = replace(night.trials[1], judged=False)
    assert night.ask() == [], "the first seed of the change is at work"
    night.runs, night.trials[1] = done, replace(night.trials[1], judged=True)
    asked = night.ask()
    assert isinstance(asked, list) and [one.seeds for one in asked] == [(2, 3), (2, 3)]
    # Both have got their seeds, and none of the further runs has ended.
    night.trials = [replace(trial, seeds=(1, 2, 3), judged=False) for trial in night.trials]
    assert night.ask() == []
    night.trials[0] = replace(night.trials[0], judged=True)
    assert night.ask() == []


def test_a_seed_that_failed_is_not_waited_for(skill: ModuleType) -> None:
    def score(params: Mapping[str, Any], seed: int) -> float | None:
        return None if seed == 2 and alive(params) <= 2.0 else healed(params, seed)

    night = Night(skill, score, lazy_or_good, remedies=[("alive_reward", 1.5)], options={"good_enough": 0.75})
    assert "t002 has eval/success_rate" in night.to_the_end()


def test_a_change_that_failed_altogether_is_rejected_and_the_next_idea_comes(skill: ModuleType) -> None:
    night = Night(skill, lambda params, seed: 0.1 if alive(params) == 150.0 else None, options={"most_changes": 2},
                  remedies=[("alive_reward", 1.5)])
    night.to_the_end()
    assert len(night.trials) == 3 and night.trials[2].seeds == (1,)


def test_robots_that_do_their_task_are_left_alone(skill: ModuleType) -> None:
    night = Night(skill, lambda params, seed: 0.5, lambda params: GOOD, reward={})
    assert night.to_the_end() == "nothing that a reward could heal is seen in t001"
    gated = Night(skill, lambda params, seed: 0.5, gates=(Gate(tag=TAG, op=">=", value=0.4),))
    assert gated.to_the_end() == "t001 has eval/success_rate 0.5"


def test_without_a_workspace_nothing_is_written(skill: ModuleType, home: Path) -> None:
    (home / "state" / "vbotd.db").unlink()
    night = Night(skill, healed, lazy_or_good, options={"good_enough": 0.75})
    night.to_the_end()
    skill.vbotd_wake_up([night.history])
    assert files(home) == {}


def test_a_library_that_somebody_spoilt_is_read_past(skill: ModuleType, home: Path) -> None:
    folder = home / "state" / "reward_library" / "rejected"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("{: [")
    (folder / "list.yaml").write_text("- 1\n")
    (folder / "odd.yaml").write_text("task: toy\nname: alive_reward\nchange: {before: x, after: 2}\n")
    night = Night(skill, healed, lazy_or_good, remedies=[("alive_reward", 1.5)], options={"good_enough": 0.75})
    assert not isinstance(night.ask(), Exhausted)
    night.to_the_end()


def test_it_offers_the_red_team_and_changes_nothing_but_rewards(skill: ModuleType) -> None:
    card, = skill.vbotd_skills()
    kind, ideas_kind = skill.vbotd_run_kinds()
    assert card.may_change == ("reward.",) and (kind.name, kind.preflight_of) == ("red-team", card.name)
    assert (ideas_kind.name, ideas_kind.preflight_of) == ("ideas", "")


def test_a_baseline_that_somebody_began_is_trained_to_the_length_of_a_test(skill: ModuleType) -> None:
    night = Night(skill, healed, lazy_or_good, options={"env_steps": 1000})
    night.do(Proposal(params={}, proposer="hp-search", seeds=(1,), env_steps=300))
    night.trials[0] = replace(night.trials[0], env_steps=300)
    longer, = cast(list[Proposal], night.ask())
    assert (longer.extends, longer.env_steps) == ("night/t001", 1000)
    night.trials[0] = replace(night.trials[0], env_steps=1000)
    test, = cast(list[Proposal], night.ask())
    assert test.why.startswith("against t001: ")


def test_with_stages_rewards_are_tested_on_the_first_one(skill: ModuleType) -> None:
    night = Night(skill, healed)
    stages = (Stage(name="near", task="toy"), Stage(name="far", task="toy"))
    record = replace(night.history.record, content=replace(night.history.campaign, stages=stages))
    first, = skill.vbotd_propose(replace(night.history, record=record), 1, night)
    assert first.stage == "near"


def test_what_it_has_adopted_is_put_into_what_others_propose(skill: ModuleType) -> None:
    night = Night(skill, healed, lazy_or_good, remedies=[("alive_reward", 1.5)], options={"good_enough": 0.75})
    search = Proposal(params={"ppo.learning_rate": 1e-3}, proposer="hp-search")
    assert skill.vbotd_amend(search, night.history) is None
    night.to_the_end()
    amended = skill.vbotd_amend(search, night.history)
    assert amended.params == {"reward.alive_reward": 1.5, "ppo.learning_rate": 1e-3}
    own_say = replace(search, params={"reward.alive_reward": 7.0})
    assert skill.vbotd_amend(own_say, night.history) is None
    assert skill.vbotd_amend(replace(search, proposer="reward-engineering"), night.history) is None
    assert skill.vbotd_skills()[0].turn == "first"


def test_where_nobody_succeeds_getting_there_counts_half(skill: ModuleType) -> None:
    def reaches(params: Mapping[str, Any], seed: int) -> float:
        return 0.8 if alive(params) <= 2.0 else 0.02

    night = Night(skill, lambda params, seed: 0.0, lazy_or_good, falls=lambda params, seed: 0.4 * reaches(params, seed),
                  reaches=reaches, remedies=[("alive_reward", 1.5)], options={"most_changes": 1})
    night.to_the_end()
    text = "\n".join(skill.vbotd_wake_up([night.history]).lines)
    assert "**iterate**, +0.390 on average, better in 3 of 3 pairs, but eval/fall_rate 0.008 → 0.32" in text
    assert "nobody succeeded before, so getting there counts half" in text and "stands now: t002" in text
    blind = Night(skill, lambda params, seed: 0.0, lazy_or_good, remedies=[("alive_reward", 1.5)],
                  options={"most_changes": 1})
    blind.to_the_end()
    assert "**reject**" in "\n".join(skill.vbotd_wake_up([blind.history]).lines)


def test_a_model_is_asked_once_of_what_stands_and_its_idea_is_tested_like_others(skill: ModuleType) -> None:
    night = Night(skill, healed, lazy_or_good)
    night.round()
    scored = next(run for run in night.runs if run.kind == "evaluate")
    wanted, = skill.vbotd_follow_up(scored, night.history)
    assert (wanted.kind, wanted.spec["asks_model"]) == ("ideas", True)
    asked = wanted.spec["ideas"]
    assert asked["behaviour"] == "lazy" and asked["terms"]["alive_reward"]["weight"] == 150
    idea = Finding(rule="idea/alive_reward", level="info", message="hypothesis of the model 'm': stand less", value=0.7)
    bad = Finding(rule="idea/fall_event", level="info", message="beyond its bounds", value=7.0)
    night.runs.append(replace(scored, id="night/t001/ideas", kind="ideas", purpose="", findings=(bad, idea)))
    assert skill.vbotd_follow_up(scored, night.history) == []
    test, = cast(list[Proposal], night.ask())
    assert test.params["reward.alive_reward"] == 0.7 and "a model's idea" in test.why and "stand less" in test.why
    quiet = Night(skill, healed, lazy_or_good, options={"ask_model": False})
    quiet.round()
    assert skill.vbotd_follow_up(next(run for run in quiet.runs if run.kind == "evaluate"), quiet.history) == []
