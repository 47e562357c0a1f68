"""Trials that are trained on: rungs, seeds, stages, warm starts, preflights; as given / when / then on values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.given import SPACE, TASK, circumstances, content, ended, kinds, seen_file, step
from vbotd.core.admission import refusal
from vbotd.core.plan import AskOpinions, AskProposals, Done, plan
from vbotd.core.sighting import CommandSeen, FindingsSeen, FollowUpsSeen, ProposalsSeen
from vbotd.core.state import State
from vbotd.domain import event as e
from vbotd.domain.campaign import Campaign, SkillUse, Stage
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Exhausted, FollowUp, SkillCard
from vbotd.domain.task import ParamCard
from vbotd.domain.trial import Proposal, WarmStart

NIGHT, T1 = "night-1123", "night-1123/t001"
RICH = replace(TASK, params=(*TASK.params, ParamCard(key="reward.alive", default=1.0, low=0.0, high=10.0),
                             ParamCard(key="env.radius_m", default=(2.0, 11.0), low=0.0, high=11.0)))
NEAR = Stage(name="near", task="walk", params={"env.radius_m": (2.0, 5.0)}, env_steps=400)
FAR = Stage(name="far", task="walk", params={"env.radius_m": (8.0, 11.0)})


def point(rate: float = 1e-3, **changes: Any) -> Proposal:
    return replace(Proposal(params={"ppo.learning_rate": rate}, proposer="hp-search", why="a try"), **changes)


def proposed(state: State, *proposals: Proposal, **changes: Any) -> tuple[State, tuple[e.Event, ...]]:
    return step(state, ProposalsSeen(campaign=NIGHT, proposals=proposals), **changes)


def searching(**changes: Any) -> State:
    return step(State(), seen_file(content(search=True, **changes)))[0]


def all_ended(state: State, value: float = 0.9, **changes: Any) -> tuple[State, list[e.Event]]:
    """End whatever is at work until nothing is, each run well, checkpoints at the env steps that were asked for."""
    events: list[e.Event] = []
    while live := [run for run in state.runs.values() if run.is_live]:
        for run in live:
            steps = (run.spec.get("train") or {}).get("until", 1000)
            state, new = step(state, ended(run.id, result={
                "outcome": "finished", "env_steps": steps, "simulated_s": 1.0,
                "checkpoint": {"path": f"checkpoints/ckpt_{steps:012d}.pt", "sha256": "ab", "env_steps": steps},
                "metrics": {"eval/success_rate": {"value": value, "low": value - 0.05, "high": value + 0.05, "n": 256}},
            }), **changes)
            events += new
    return state, events


def test_a_short_rung_stops_where_it_is_asked_to_while_its_schedules_keep_the_full_length():
    state, _ = proposed(searching(), point(env_steps=111))
    assert state.runs[f"{T1}/train-s1-a1"].spec["train"] == {"env_steps": 1000, "num_envs": 8, "until": 111}


def test_an_extension_goes_on_from_the_last_checkpoint_and_the_trial_is_judged_again():
    state, _ = proposed(searching(), point(env_steps=111))
    state, _ = all_ended(state, value=0.5)
    assert state.trials[T1].judged and state.trials[T1].score.value == 0.5
    state, events = proposed(state, Proposal(params={}, proposer="hp-search", extends=T1, env_steps=333))
    run = state.runs[f"{T1}/train-s1-r1-a1"]
    assert kinds(events)[0] == "TrialExtended" and not state.trials[T1].judged
    assert run.spec["resume_from"].endswith("train-s1-a1/checkpoints/ckpt_000000000111.pt")
    assert run.spec["train"] == {"env_steps": 1000, "num_envs": 8, "until": 333}
    state, events = all_ended(state, value=0.8)
    judged = [event for event in events if isinstance(event, e.TrialJudged)]
    assert [event.score.value for event in judged] == [0.8]
    assert f"{T1}/score-s1-r1-a1" in state.runs
    assert len(state.trials) == 1, "no further trial was spent"


def test_further_seeds_are_trained_side_by_side_and_each_is_evaluated_on_the_same_instances():
    state, _ = proposed(searching(), point())
    state, _ = all_ended(state)
    state, _ = proposed(state, Proposal(params={}, proposer="hp-search", extends=T1, seeds=(101, 102)))
    assert {run.seed for run in state.runs.values() if run.is_live} == {101, 102}
    state, _ = all_ended(state)
    scores = [run for run in state.runs.values() if run.purpose == "score"]
    assert {run.seed for run in scores} == {1, 101, 102} and state.trials[T1].seeds == (1, 101, 102)
    assert len({run.spec["evaluate"]["instances"] for run in scores}) == 1


def test_env_steps_of_a_resumed_run_count_once_towards_the_budget():
    state = searching(budget=replace(content().budget, trials=2, env_steps=500))
    state, _ = proposed(state, point(env_steps=300))
    state, _ = all_ended(state)
    state, _ = proposed(state, Proposal(params={}, proposer="hp-search", extends=T1, env_steps=450))
    state, events = all_ended(state)
    assert "CampaignClosing" not in kinds(events), "450 were trained, not 300 + 450"


def test_a_retry_of_a_rung_goes_on_where_the_rung_began_if_it_left_nothing():
    state, _ = proposed(searching(), point(env_steps=111))
    state, _ = all_ended(state)
    state, _ = proposed(state, Proposal(params={}, proposer="hp-search", extends=T1, env_steps=333))
    run = state.runs[f"{T1}/train-s1-r1-a1"]
    state, _ = step(state, ended(run.id, exit=None, result=None, swept=True))
    again = state.runs[f"{T1}/train-s1-r1-a2"]
    assert again.spec["resume_from"] == run.spec["resume_from"] and again.spec["resumed_env_steps"] == 111


@pytest.mark.parametrize(("change", "word"), [
    ({"extends": "night-1123/t009", "env_steps": 900}, "no trial of this campaign"),
    ({"extends": T1, "env_steps": 50}, "by nothing"),
    ({"extends": T1}, "by nothing"),
    ({"extends": T1, "seeds": (1,)}, "already"),
    ({"extends": T1, "seeds": (5, 5)}, "each once"),
    ({"extends": T1, "env_steps": 900, "params": {"ppo.learning_rate": 2e-3}}, "another trial"),
    ({"extends": T1, "env_steps": -1}, "above 0"),
    ({"warm_start": WarmStart(trial="night-1123/t007"), "params": {"ppo.learning_rate": 2e-3}}, "no checkpoint"),
    ({"warm_start": WarmStart(trial="", checkpoint="../../x"), "params": {"ppo.learning_rate": 2e-3}}, "below runs/"),
    ({"stage": "near", "params": {"ppo.learning_rate": 2e-3}}, "no stage"),
    ({"task": "swim", "params": {"ppo.learning_rate": 2e-3}}, "its task is"),
])
def test_what_does_not_fit_is_refused_and_says_why(change: dict[str, Any], word: str):
    state, _ = proposed(searching(trials=5), point(env_steps=100))
    state, _ = all_ended(state)
    state, events = proposed(state, replace(Proposal(params={}, proposer="hp-search"), **change))
    assert [word in event.why for event in events if isinstance(event, e.ProposalRefused)] == [True]


def test_a_trial_at_work_is_not_extended():
    state, _ = proposed(searching(), point(env_steps=100))
    why = refusal(Proposal(params={}, proposer="hp-search", extends=T1, env_steps=900), state.campaigns[NIGHT],
                  state.trials_of(NIGHT), circumstances())
    assert "not judged yet" in why


def test_when_the_trials_are_used_up_the_skills_are_asked_for_extensions_before_the_campaign_ends():
    state, _ = proposed(searching(trials=1), point(env_steps=111))
    state, _ = all_ended(state)
    asked = [effect for effect in plan(state, Done(), circumstances()) if isinstance(effect, AskProposals)]
    assert len(asked) == 1 and state.campaigns[NIGHT].status == "open"
    further, events = proposed(state, point(2e-3), Proposal(params={}, proposer="hp-search", extends=T1, env_steps=222))
    assert "TrialExtended" in kinds(events) and len(further.trials) == 1
    over, events = proposed(state, point(2e-3))
    assert over.campaigns[NIGHT].closing_why == "its one trial is done"
    assert over.campaigns[NIGHT].status == "closing"


def test_skills_that_have_nothing_to_say_end_a_campaign_but_one_that_failed_does_not():
    state, _ = proposed(searching(trials=3), point())
    state, _ = all_ended(state)
    same, _ = step(state, ProposalsSeen(campaign=NIGHT, failed=True))
    assert same.campaigns[NIGHT].status == "open"
    over, _ = step(state, ProposalsSeen(campaign=NIGHT))
    assert over.campaigns[NIGHT].closing_why == "no skill proposes anything more"
    spent, _ = step(state, ProposalsSeen(campaign=NIGHT, exhausted=(Exhausted(why="all tried"),)))
    assert "all tried" in spent.campaigns[NIGHT].closing_why


def test_a_campaign_whose_skills_only_watch_repeats_the_settings_of_its_file():
    file = seen_file(content(trials=2, skills=(SkillUse(name="vlm-capture"),)))
    _, events = step(State(), file, mute=frozenset({"vlm-capture"}))
    assert [event.proposal.proposer for event in events if isinstance(event, e.TrialAdmitted)] == ["campaign"] * 2


def staged(**changes: Any) -> Campaign:
    return content(trials=4, stages=(NEAR, FAR), skills=(SkillUse(name="curriculum"),), **changes)


def test_stages_bring_their_own_settings_length_and_weights():
    tasks = {"walk": RICH}
    state, _ = step(State(), seen_file(staged()), tasks=tasks)
    near = Proposal(params={}, proposer="curriculum", stage="near")
    state, _ = proposed(state, near, tasks=tasks)
    spec = state.runs[f"{T1}/train-s1-a1"].spec
    assert spec["params"] == {"env.radius_m": (2.0, 5.0)}
    assert spec["train"]["env_steps"] == 400 and spec["warm_start"] is None
    state, _ = all_ended(state, tasks=tasks)
    far = Proposal(params={"env.radius_m": (5.0, 8.0)}, proposer="curriculum", stage="far",
                   warm_start=WarmStart(trial=T1, learning_rate=0.3))
    state, _ = proposed(state, far, tasks=tasks)
    spec = state.runs[f"{NIGHT}/t002/train-s1-a1"].spec
    assert spec["params"] == {"env.radius_m": (5.0, 8.0)} and spec["train"]["env_steps"] == 1000
    assert spec["warm_start"]["checkpoint"] == f"{T1}/train-s1-a1/checkpoints/ckpt_000000000400.pt"
    assert spec["warm_start"]["learning_rate"] == 0.3


def test_the_champion_of_a_curriculum_is_of_its_furthest_stage_though_an_earlier_one_scores_higher():
    tasks = {"walk": RICH}
    state, _ = step(State(), seen_file(staged(budget=replace(content().budget, trials=2))), tasks=tasks)
    state, _ = proposed(state, Proposal(params={}, proposer="curriculum", stage="near"), tasks=tasks)
    state, _ = all_ended(state, value=0.99, tasks=tasks)
    state, _ = proposed(state, Proposal(params={}, proposer="curriculum", stage="far",
                                        warm_start=WarmStart(trial=T1)), tasks=tasks)
    state, _ = all_ended(state, value=0.6, tasks=tasks)
    state, _ = step(state, ProposalsSeen(campaign=NIGHT, exhausted=(Exhausted(why="the last stage is passed"),)),
                    tasks=tasks)
    state, events = all_ended(state, value=0.6, tasks=tasks)
    assert [event.champion for event in events if isinstance(event, e.CampaignClosed)] == [f"{NIGHT}/t002"]


def test_a_stage_may_take_over_what_was_found_though_it_is_not_its_own_to_change():
    tasks = {"walk": RICH}
    found = Proposal(params={"reward.alive": 0.5}, proposer="healer", stage="near")
    skills = {"healer": SkillCard(name="healer", summary="s", may_change=("reward.",)),
              "curriculum": SkillCard(name="curriculum", summary="s")}
    campaign = replace(staged(), skills=(SkillUse(name="healer"), SkillUse(name="curriculum")))
    state, _ = step(State(), seen_file(campaign), tasks=tasks)
    state, _ = proposed(state, found, tasks=tasks, skills=skills)
    far = Proposal(params={"reward.alive": 0.5}, proposer="curriculum", stage="far")
    assert not refusal(far, state.campaigns[NIGHT], state.trials_of(NIGHT), circumstances(tasks=tasks, skills=skills))
    other = replace(far, params={"reward.alive": 0.6})
    assert "not in the search space" in refusal(other, state.campaigns[NIGHT], state.trials_of(NIGHT),
                                                circumstances(tasks=tasks, skills=skills))


def test_a_stage_is_tried_again_only_from_somewhere_else():
    tasks = {"walk": RICH}
    state, _ = step(State(), seen_file(staged()), tasks=tasks)
    near = Proposal(params={}, proposer="curriculum", stage="near")
    state, _ = proposed(state, near, tasks=tasks)
    state, _ = all_ended(state, tasks=tasks)
    _, events = proposed(state, near, tasks=tasks)
    assert [event.why for event in events if isinstance(event, e.ProposalRefused)] == [f"it repeats {T1}"]
    again, _ = proposed(state, replace(near, warm_start=WarmStart(trial=T1)), tasks=tasks)
    assert f"{NIGHT}/t002" in again.trials


@pytest.mark.parametrize(("proposer", "value", "fits"), [
    ("reward-engineering", 2.0, True), ("reward-engineering", 20.0, False), ("hp-search", 2.0, False)])
def test_a_skill_may_change_what_its_card_says_inside_the_bounds_of_the_task(proposer: str, value: float, fits: bool):
    given = {"tasks": {"walk": RICH}, "skills": {"reward-engineering": SkillCard(
        name="reward-engineering", summary="", may_change=("reward.",))}}
    skills = (SkillUse(name="hp-search"), SkillUse(name="reward_engineering"))
    state, _ = step(State(), seen_file(content(trials=3, skills=skills, space=SPACE)), **given)
    state, events = proposed(state, Proposal(
        params={"ppo.learning_rate": 1e-3, "reward.alive": value}, proposer=proposer), **given)
    assert bool(state.trials) is fits, kinds(events)


def test_without_being_named_in_the_campaign_a_skill_may_change_nothing():
    given = {"tasks": {"walk": RICH}, "skills": {"reward-engineering": SkillCard(
        name="reward-engineering", summary="", may_change=("reward.",))}}
    state, _ = step(State(), seen_file(content(trials=3, skills=(SkillUse(name="hp-search"),))), **given)
    state, events = proposed(state, Proposal(params={"reward.alive": 2.0}, proposer="reward-engineering"), **given)
    assert kinds(events)[0] == "ProposalRefused"


def test_a_trial_is_not_judged_before_those_who_may_ask_for_more_were_heard():
    listening = {"followers": ("capture",), "judges": ("gate",)}
    state, _ = step(State(), seen_file(content(trials=1)), **listening)
    state, _ = step(state, ended(f"{T1}/train-s1-a1"), **listening)
    state, _ = step(state, ended(f"{T1}/score-s1-a1"), **listening)
    heard = frozenset(state.runs)
    assert not [x for x in plan(state, Done(), circumstances(**listening)) if isinstance(x, AskOpinions)]
    assert [x for x in plan(state, Done(), circumstances(**listening, followed=heard)) if isinstance(x, AskOpinions)]


def test_a_follow_up_evaluation_is_pinned_to_what_it_asks_and_has_instances_of_its_own():
    state, _ = step(State(), seen_file(content(trials=1)), followers=("ladder",))
    state, _ = step(state, ended(f"{T1}/train-s1-a1"), followers=("ladder",))
    near = {"env.radius_m": (2.0, 5.0)}
    wishes = tuple(("ladder", FollowUp(kind="evaluate", why="gate", purpose=f"near-{n}", params=near)) for n in (1, 2))
    state, _ = step(state, FollowUpsSeen(run=f"{T1}/train-s1-a1", follow_ups=wishes), followers=("ladder",))
    runs = [state.runs[f"{T1}/evaluate-ladder-near-{n}-s1-a1"] for n in (1, 2)]
    assert [run.purpose for run in runs] == ["ladder:near-1", "ladder:near-2"]
    assert all(run.spec["params"]["env.radius_m"] == (2.0, 5.0) for run in runs)
    assert {run.spec["evaluate"]["checkpoint"] for run in runs} == {
        f"{T1}/train-s1-a1/checkpoints/ckpt_000000001000.pt"}
    score = state.runs[f"{T1}/score-s1-a1"]
    assert len({run.spec["evaluate"]["instances"] for run in (*runs, score)}) == 3
    _, events = step(state, FollowUpsSeen(run=f"{T1}/train-s1-a1", follow_ups=wishes), followers=("ladder",))
    assert "RunQueued" not in kinds(events), "an equal answer has one effect"


def test_a_preflight_of_a_skill_holds_the_campaign_with_what_it_found():
    given = {"entries": {("", "train"): "m:train", ("", "evaluate"): "m:e", ("", "red-team"): "m:red"},
             "preflights": {"reward-engineering": ("red-team",)}, "mute": frozenset({"reward-engineering"})}
    file = seen_file(content(trials=1, skills=(SkillUse(name="reward_engineering"),)))
    state, _ = step(State(), file, **given)
    assert [run.id for run in state.runs.values()] == [f"{T1}/red-team-a1"], "nothing is trained before"
    bad = {"rule": "red-team/exploit", "level": "error", "message": "lying earns 80 % of walking"}
    held, _ = step(state, ended(f"{T1}/red-team-a1", result={
        "outcome": "finished", "env_steps": 9, "findings": [bad]}), **given)
    assert held.campaigns[NIGHT].status == "paused" and "lying earns" in held.campaigns[NIGHT].paused_why
    assert "vbotd resume" in held.campaigns[NIGHT].paused_why and not any(run.is_live for run in held.runs.values())
    resume = CommandSeen(key="k", verb="resume", principal="ada", args={"id": NIGHT})
    passed, events = step(held, resume, **given)
    assert passed.campaigns[NIGHT].allowed == ("red-team/exploit",) and "past red-team/exploit" in str(events)
    assert f"{T1}/train-s1-a1" in passed.runs, "what was seen and let pass holds nothing again"
    good, _ = step(state, ended(f"{T1}/red-team-a1"), **given)
    assert f"{T1}/train-s1-a1" in good.runs
    other, _ = step(State(), seen_file(content(trials=1)), **given)
    assert f"{T1}/train-s1-a1" in other.runs, "a campaign that does not name the skill is not asked"


def test_a_finding_of_a_run_that_was_stopped_does_not_keep_its_trial_from_being_trained_on():
    state, _ = proposed(searching(), point(env_steps=500))
    run = f"{T1}/train-s1-a1"
    state, _ = step(state, replace(ended(run), exit=None, alive=True, result=None))
    state, _ = step(state, FindingsSeen(run=run, findings=(("core", Finding(
        rule="collapse", level="error", message="it fell", stop=True)),)))
    assert state.runs[run].status == "stopping"


@given(st.lists(st.sampled_from([111, 333, 700, 1000, 2000]), min_size=1, max_size=5))
def test_whatever_rungs_are_asked_for_in_whatever_order_every_training_goes_on_and_never_back(rungs: list[int]):
    state, _ = proposed(searching(), point(env_steps=100))
    state, _ = all_ended(state)
    for rung in rungs:
        state, _ = proposed(state, Proposal(params={}, proposer="hp-search", extends=T1, env_steps=rung))
        state, _ = all_ended(state)
    trained = [run.spec["train"]["until"] for run in state.runs.values() if run.kind == "train"]
    assert trained == sorted(set(trained)) and trained[-1] == max(100, *rungs)
    assert state.trials[T1].judged
