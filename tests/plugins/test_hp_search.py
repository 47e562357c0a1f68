"""The search skill: deterministic from history, inside the space, never twice the same, and honest about failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbotd.core.report_best import ranked
from vbotd.core.report_facts import Facts
from vbotd.domain.campaign import SkillUse, Stage
from vbotd.domain.history import History
from vbotd.domain.metric import MetricCard
from vbotd.domain.skill import Exhausted
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.trial import Proposal
from vbotd.host.discovery import Candidate
from vbotd.host.loading import load
from vbotd.host.view import HostView, Library
from vbotd.testing import SPACE, TASK, check_plugin, make_history

FILE = Path(__file__).parents[2] / "plugins" / "hp_search" / "__init__.py"
DEFAULTS = {"ppo.learning_rate": 3e-4, "reward.forward_velocity": 2.0, "ppo.epochs": 4}
SMALL = SearchSpace(dimensions=(Dimension(key="ppo.epochs", kind="int", low=2, high=4),
                                Dimension(key="env.surface", kind="choice", choices=("flat", True, 1, (2.0, 5.0)))))


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return load(Candidate(name="hp_search", module="vbotd_workspace.hp_search", source="plugins/hp_search", path=FILE))


def part(name: str) -> ModuleType:
    """Return a module of the skill, once it is loaded."""
    return import_module(f"vbotd_workspace.hp_search.{name}")


def view_of(history: History) -> HostView:
    return HostView(Library(Path("nowhere")), history.record.id)


def use(**options: Any) -> list[SkillUse]:
    return [SkillUse(name="hp-search", options={"strategy": "plain", "sampler": "tpe"} | options)]


def propose(skill: ModuleType, history: History, count: int = 1) -> list[Proposal]:
    answer = skill.vbotd_propose(history, count, view_of(history))
    assert isinstance(answer, list), answer
    return answer


def tried(number: int, **options: Any) -> History:
    """Return the baseline and other trials, so many in all: every fourth failed, the last two still running."""
    params: list[Any] = [DEFAULTS]
    params += [{"ppo.learning_rate": 1e-4 * 1.2**index, "reward.forward_velocity": 1 + index % 7 / 3,
               "ppo.epochs": 2 + index % 5} for index in range(1, number)]
    scores = [None if index % 4 == 3 else index / number for index in range(max(0, number - 2))]
    return make_history(params, scores, skills=use(**options))


def test_it_keeps_to_the_contract(skill: ModuleType) -> None:
    assert check_plugin(skill) == []


def test_the_first_proposal_is_the_tasks_defaults(skill: ModuleType) -> None:
    first, second = propose(skill, make_history(skills=use()), 2)
    assert (first.params, first.why) == (DEFAULTS, "the task's defaults, as the baseline")
    assert second.params != DEFAULTS


def test_defaults_outside_the_space_are_no_baseline(skill: ModuleType) -> None:
    space = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-3, high=1e-2),))
    (only,) = propose(skill, make_history(skills=use(), space=space))
    assert only.params["ppo.learning_rate"] >= 1e-3 and "evenly spread point" in only.why


def test_wishes_come_after_the_baseline_and_misfits_are_told(skill: ModuleType) -> None:
    history = make_history(skills=use(first=[{"ppo.epochs": 6}, {"ppo.epochs": 99}]))
    baseline, wish, searched = propose(skill, history, 3)
    assert baseline.params == DEFAULTS
    assert wish.params == {**DEFAULTS, "ppo.epochs": 6}
    assert "number 2" in searched.why


def test_a_refused_baseline_is_not_insisted_on(skill: ModuleType) -> None:
    (only,) = propose(skill, make_history(skills=use(), refused=1))
    assert only.params != DEFAULTS


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "cmaes", "gp"])
def test_the_same_history_gives_the_same_new_points_inside_the_space(skill: ModuleType, sampler: str) -> None:
    number, count = (8, 1) if sampler == "gp" else (16, 3)  # the process takes seconds
    history = tried(number, sampler=sampler)
    once, again = propose(skill, history, count), propose(skill, history, count)
    assert once == again
    assert not [problem for one in once for problem in SPACE.problems(one.params)]
    points = [tuple(one.params.values()) for one in once]
    assert len({*points, *(tuple(trial.params.values()) for trial in history.trials)}) == count + number


def test_the_seed_and_a_refusal_change_the_search(skill: ModuleType) -> None:
    history = tried(14)
    other_seed = tried(14, seed=2)
    refused = replace(history, record=replace(history.record, refused_proposals=1))
    points = {propose(skill, one)[0].params["ppo.learning_rate"] for one in (history, other_seed, refused)}
    assert len(points) == 3


def test_the_why_can_be_read(skill: ModuleType) -> None:
    (only,) = propose(skill, tried(14))
    assert only.why.startswith("TPE expects an improvement here; known: 9 scored, 3 failed, 2 running, best t011 with")
    assert "nearest is t0" in only.why and "→" in only.why


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_finite_space_is_exhausted_without_a_repeat(skill: ModuleType, sampler: str) -> None:
    history = make_history(skills=use(sampler=sampler), space=SMALL)
    seen: list[Any] = []
    while not isinstance(answer := skill.vbotd_propose(history, 5, view_of(history)), Exhausted):
        seen += [one.params for one in answer]
        history = make_history(seen, [0.5] * len(seen), skills=use(sampler=sampler), space=SMALL)
    assert len(seen) == 12 == len({repr(sorted(one.items())) for one in seen})
    assert "was tried (12 trials)" in answer.why


def test_a_grid_of_ranges_ends(skill: ModuleType) -> None:
    space = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-2),))
    history = make_history(skills=use(sampler="grid", grid_points=3), space=space)
    values = [one.params["ppo.learning_rate"] for one in propose(skill, history, 99)]
    assert values[0] == 3e-4 and sorted(values[1:]) == [1e-4, 1e-3, 1e-2]


def test_an_empty_space_has_one_setting(skill: ModuleType) -> None:
    nothing = SearchSpace()
    (only,) = propose(skill, make_history(skills=use(), space=nothing), 3)
    assert only.params == {}
    answer = skill.vbotd_propose(*(made := make_history([{}], skills=use(), space=nothing), 1, view_of(made)))
    assert isinstance(answer, Exhausted)


def test_a_failed_trial_never_wins_and_has_no_number(skill: ModuleType) -> None:
    history = make_history([DEFAULTS, {**DEFAULTS, "ppo.epochs": 5}], [None, 0.0], skills=use())
    assert list(part("score").objectives(history)) == [history.trials[1].id]
    assert part("words").best_result(history)[0].id == history.trials[1].id


def test_the_headline_names_the_trial_that_the_report_calls_the_best(skill: ModuleType) -> None:
    task = replace(TASK, quality=MetricCard(tag="eval/time_to_goal_s", direction="min"))
    points = [{**DEFAULTS, "ppo.epochs": epochs} for epochs in (4, 5, 6)]
    made = make_history(points, [0.9, 0.9, 0.8], quality=[5.0, 4.0, 1.0], skills=use(), task=task)
    made = replace(made, runs=tuple(replace(run, purpose="score") for run in made.runs))  # as the daemon names them
    crowned = replace(made, record=replace(made.record, champion=made.trials[2].id))
    for history, number in ((made, 2), (crowned, 3)):
        facts = Facts(now=0.0, records=(history.record,), trials=history.trials, runs=history.runs,
                      metrics={"toy": task.metric}, qualities={"toy": task.quality})
        assert ranked(facts, history.record)[0].number == number
        assert f"best: t00{number} " in "\n".join(skill.vbotd_wake_up([history]).lines)


def test_a_failure_of_the_settings_is_worse_than_the_worst_for_the_sampler_alone(skill: ModuleType) -> None:
    history = tried(6)  # scores 0, 1/6, 2/6, one failed, two running
    known = part("knowledge").knowledge(history)
    with part("study").quiet_optuna() as optuna:
        trials = part("study").build(optuna, SPACE, known).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4 + ["RUNNING"] * 2
    assert trials[3].value == pytest.approx(-2 / 6) and known.observations[3].value is None
    assert history.trials[3].score is None


def test_a_trial_that_the_machine_lost_says_nothing_of_its_settings(skill: ModuleType) -> None:
    history = tried(6)
    runs = tuple(replace(run, outcome="lost") if run.trial == history.trials[3].id else run for run in history.runs)
    known = part("knowledge").knowledge(replace(history, runs=runs))
    assert [one.state for one in known.observations] == ["scored"] * 3 + ["unknown"] + ["running"] * 2


@given(st.lists(st.tuples(st.integers(0, 256), st.floats(0.1, 100.0)), min_size=2, max_size=12))
@settings(deadline=None, max_examples=60)
def test_quality_never_outweighs_an_episode(skill: ModuleType, results: Sequence[tuple[int, float]]) -> None:
    scores, times = [wins / 256 for wins, _ in results], [time for _, time in results]
    history = make_history([{**DEFAULTS, "ppo.epochs": index} for index in range(len(results))], scores, quality=times)
    found = part("score").objectives(history)
    values = [found[trial.id] for trial in history.trials]
    for one, (wins, time) in zip(values, results, strict=True):
        for other, (other_wins, other_time) in zip(values, results, strict=True):
            if wins > other_wins or (wins == other_wins and time < other_time):  # less time is better
                assert one > other
    assert max(abs(value - score) for value, score in zip(values, scores, strict=True)) < 1 / 256


bounds = st.tuples(st.floats(1e-6, 1e3), st.floats(1.001, 1e4)).map(lambda pair: (pair[0], pair[0] * pair[1]))
dimensions = st.one_of(
    bounds.map(lambda pair: Dimension(key="x", kind="log", low=pair[0], high=pair[1])),
    bounds.map(lambda pair: Dimension(key="x", kind="uniform", low=-pair[1], high=pair[0])),
    st.tuples(st.integers(-50, 50), st.integers(0, 50)).map(
        lambda pair: Dimension(key="x", kind="int", low=pair[0], high=sum(pair))),
    st.lists(st.sampled_from(["a", "b", 1, True, 2.5]), min_size=1, max_size=4, unique_by=repr).map(
        lambda choices: Dimension(key="x", kind="choice", choices=tuple(choices))))


@given(st.lists(dimensions, min_size=1, max_size=4), st.sampled_from(["tpe", "random", "grid"]), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_proposals_lie_inside_any_space_and_differ(skill: ModuleType, dimensions: Sequence[Dimension], sampler: str,
                                                   count: int) -> None:
    space = SearchSpace(dimensions=tuple(replace(one, key=f"env.x{place}") for place, one in enumerate(dimensions)))
    history = make_history(skills=use(sampler=sampler, startup_trials=1, grid_points=3), space=space)
    seen: list[Any] = []
    for _ in range(3):
        answer = skill.vbotd_propose(history, count, view_of(history))
        if isinstance(answer, Exhausted):
            break
        assert not [problem for one in answer for problem in space.problems(one.params)]
        seen += [one.params for one in answer]
        history = make_history(seen, [place / 10 for place in range(len(seen) - 1)],
                               skills=use(sampler=sampler, startup_trials=1, grid_points=3), space=space)
    assert len({repr([(type(value), value) for value in one.values()]) for one in seen}) == len(seen) > 0


def test_the_morning_section_is_short_and_says_what_mattered(skill: ModuleType) -> None:
    section = skill.vbotd_wake_up([tried(14)] * 6)
    assert len(section.lines) <= 15 and section.lines[-1].startswith("- and ")
    assert section.lines[0] == "- **toy-night**: 14 trials, 9 scored, 3 failed, 2 running, best t011 with 71.4%"
    assert section.lines[1].startswith("  - varied: ppo.learning_rate 0.00012 to 0.0006192, ")
    assert "what mattered (of 9 trials" in section.lines[3]
    few = skill.vbotd_wake_up([tried(6)])
    assert not any("mattered" in line for line in few.lines)
    assert skill.vbotd_wake_up([make_history(skills=use())]) is None


def test_no_skill_no_opinion(skill: ModuleType) -> None:
    history = make_history()
    assert skill.vbotd_propose(history, 1, view_of(history)) is None
    assert math.isfinite(view_of(history).seed("x"))


def staged(history: History, *skills: SkillUse) -> History:
    """Return a campaign with two stages, of whose first all trials are."""
    near = Stage(name="near", task="toy", params={"env.surface": "flat"}, env_steps=300)
    content = replace(history.campaign, stages=(near, Stage(name="far", task="toy")), skills=skills)
    trials = tuple(replace(one, stage="near", proposal=replace(one.proposal, stage="near")) for one in history.trials)
    return replace(history, record=replace(history.record, content=content), trials=trials)


def test_before_stages_the_first_one_is_searched_with_a_share_of_the_budget(skill: ModuleType) -> None:
    search, climb = use(share=0.3)[0], SkillUse(name="curriculum")
    begun = propose(skill, staged(make_history(trials=10), search, climb), 9)
    assert [one.stage for one in begun] == ["near"] * 3 and begun[0].params == DEFAULTS
    tried = staged(make_history([one.params for one in begun], [0.1, 0.4, 0.2], trials=10), search, climb)
    end = skill.vbotd_propose(tried, 9, view_of(tried))
    assert isinstance(end, Exhausted) and "3 trials are tried" in end.why
    climbed = replace(tried, trials=(*tried.trials, replace(
        tried.trials[0], id="toy-night/t004", number=4, judged=False,
        proposal=replace(tried.trials[0].proposal, proposer="curriculum"))))
    assert isinstance(skill.vbotd_propose(climbed, 9, view_of(climbed)), Exhausted)  # and stays so while others work
    text = "\n".join(skill.vbotd_wake_up([climbed]).lines)
    assert "3 trials, 3 scored, best t002 with 40.0%" in text


def test_what_another_plugin_has_put_into_every_proposal_is_a_part_of_the_campaign(skill: ModuleType) -> None:
    history = make_history([DEFAULTS | {"env.gravity": 5.0}, DEFAULTS | {"env.gravity": 5.0}], [0.4, 0.5])
    amended = replace(history.trials[0].proposal, amended_by={"env.gravity": "healer"})
    trials = (replace(history.trials[0], proposal=amended), history.trials[1])
    known = part("knowledge").knowledge(replace(history, trials=trials))
    assert [one.trial for one in known.observations] == ["toy-night/t001"]


def test_what_a_closed_campaign_left_is_not_said_to_run(skill: ModuleType) -> None:
    history = make_history([DEFAULTS, DEFAULTS | {"ppo.epochs": 3}], [0.5], skills=use())
    assert "1 scored, 1 running" in "\n".join(skill.vbotd_wake_up([history]).lines)
    closed = replace(history, record=replace(history.record, status="closed"))
    assert "1 scored, 1 unfinished" in "\n".join(skill.vbotd_wake_up([closed]).lines)


def test_the_baseline_is_the_one_that_the_search_went_on_from(skill: ModuleType) -> None:
    healed = {"env.gravity": 5.0}
    history = make_history([DEFAULTS, DEFAULTS | healed, DEFAULTS | healed | {"ppo.epochs": 3}], [0.0, 0.8, 0.9])
    confirm = part("confirm")
    assert confirm.winner(history).id == "toy-night/t003"
    assert confirm.baseline(history, DEFAULTS).id == "toy-night/t002"
    unhealed = make_history([DEFAULTS, DEFAULTS | {"ppo.epochs": 3}], [0.0, 0.9])
    assert confirm.baseline(unhealed, DEFAULTS).id == "toy-night/t001"
