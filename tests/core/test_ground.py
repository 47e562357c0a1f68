"""The first stage as if it were the whole campaign: given stages and trials, when skills that search look, this."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vbotd.domain.campaign import Budget, Campaign, Stage, TrainSettings
from vbotd.domain.ground import ground_of, placed
from vbotd.domain.history import CampaignRecord, History
from vbotd.domain.trial import Proposal, Run, Trial, WarmStart

NEAR = Stage(name="near", task="walk", params={"env.radius_m": (1.0, 2.0)}, env_steps=300)
FAR = Stage(name="far", task="walk", params={"env.radius_m": (8.0, 9.0)})


def trial(number: int, *, stage: str = "near", proposer: str = "hp-search", **more: Any) -> Trial:
    proposal = Proposal(params={"ppo.learning_rate": number}, proposer=proposer, stage=stage)
    return Trial(id=f"n/t{number:03d}", campaign="n", number=number, proposal=proposal, params={}, admitted_at=0.0,
                 stage=stage, **more)


def night(*trials: Trial, stages: tuple[Stage, ...] = (NEAR, FAR), task: str = "walk") -> History:
    content = Campaign(version=1, name="n", task=task, budget=Budget(trials=9), stages=stages,
                       train=TrainSettings(env_steps=1000), params={"env.radius_m": (0.0, 9.0), "env.slope": 0.1})
    record = CampaignRecord(id="n", content=content, sha256="0", file="n.yaml", status="open", accepted_at=0.0)
    runs = tuple(Run(id=f"{one.id}/a1", campaign="n", trial=one.id, kind="train", seed=1, attempt=1, status="queued",
                     queued_at=0.0) for one in trials)
    audit = Run(id="n/audit-a1", campaign="n", trial="", kind="audit", seed=1, attempt=1, status="ended", queued_at=0.0)
    return History(record=record, task=None, trials=trials, runs=(audit, *runs))


def test_the_first_stage_is_all_there_is():
    seen = ground_of(night(trial(1), trial(2, stage="far"), trial(3, stage="")))
    assert seen.campaign.stages == () and seen.campaign.train.env_steps == 300
    assert seen.campaign.params == {"env.radius_m": (1.0, 2.0), "env.slope": 0.1}
    assert [one.id for one in seen.trials] == ["n/t001"]
    assert seen.trials[0].stage == seen.trials[0].proposal.stage == ""
    assert [run.id for run in seen.runs] == ["n/audit-a1", "n/t001/a1"]


def test_the_climb_is_no_part_of_the_search():
    warm = trial(2, proposer="agent", warm_start=WarmStart(trial="n/t001"))
    assert [one.number for one in ground_of(night(trial(1), warm, trial(3, proposer="curriculum"))).trials] == [1]


def test_without_stages_or_with_a_first_one_of_another_task_nothing_is_placed():
    plain = night(trial(1, stage=""), stages=())
    assert ground_of(plain) is plain
    proposal = Proposal(params={}, proposer="hp-search")
    assert placed([proposal], plain.campaign) == [proposal]
    other = night(trial(1), trial(2, stage=""), stages=(replace(NEAR, task="hop"), FAR))
    assert placed([proposal], other.campaign) == [proposal]
    assert [one.number for one in ground_of(other).trials] == [2]
    assert ground_of(other).campaign.params == other.campaign.params


def test_what_is_proposed_is_placed_on_the_first_stage():
    proposal = Proposal(params={"ppo.learning_rate": 1}, proposer="hp-search", env_steps=100)
    assert placed([proposal], night().campaign) == [replace(proposal, stage="near")]
