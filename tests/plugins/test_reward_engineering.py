"""The reward skill: it sees what robots do, tests one change on paired seeds, decides, and remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import yaml

from tests.plugins.rewarding import GOOD, LAZY, TAG, Night
from vbotd.domain.campaign import Gate, Stage
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Exhausted
from vbotd.domain.trial import Proposal
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


def test_a_model_is_told_the_numbers_where_nobody_has_named_what_the_robots_do(skill: ModuleType) -> None:
    night = Night(skill, healed, lazy_or_good)
    night.round()
    collapse = Finding(rule="collapse", level="error", message="it has declined by 52 %", stop=True)
    night.runs = [replace(run, findings=(collapse,) if run.kind == "train" else ()) for run in night.runs]
    scored = next(run for run in night.runs if run.kind == "evaluate")
    wanted, = skill.vbotd_follow_up(scored, night.history)
    asked = wanted.spec["ideas"]
    assert "not named" in asked["behaviour"] and "eval/success_rate 0." in asked["evidence"]
    assert "declined by 52 %" in asked["evidence"]
    fine = Night(skill, lambda params, seed: 0.95)
    fine.round()
    fine.runs = [replace(run, findings=()) for run in fine.runs]
    assert skill.vbotd_follow_up(next(run for run in fine.runs if run.kind == "evaluate"), fine.history) == []


def test_a_change_without_promise_gets_no_seeds_while_its_verdict_is_on_its_way(skill: ModuleType) -> None:
    night = Night(skill, lambda params, seed: 0.1, lazy_or_good)
    night.round()
    night.round()
    night.trials[-1] = replace(night.trials[-1], judged=False, verdict=None)
    assert night.ask() == []


def test_a_model_that_gave_nothing_is_told_of_once_and_one_that_nobody_has_is_not(skill: ModuleType) -> None:
    night = Night(skill, healed, lazy_or_good)
    night.round()
    scored = next(run for run in night.runs if run.kind == "evaluate")
    for reason, told in (("no idea: no model is configured - write one", False), ("no idea: HTTP 429", True)):
        silent = replace(scored, id="night/t001/ideas", kind="ideas", purpose="", findings=(), reason=reason)
        shown = replace(night.history, runs=(*night.runs, silent, silent))
        text = "\n".join(skill.vbotd_wake_up([shown]).lines)
        assert ("(2 times)" in text and reason in text) == told
