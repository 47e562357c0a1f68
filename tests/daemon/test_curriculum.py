"""A campaign with stages through the whole daemon: promoted by its gates, demoted where it forgets, the matrix told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.workspace import Workspace, make_workspace

LADDER = """version: 1
name: climb
task: fake_pupil
skills: [{curriculum: {optimizer: OPTIMIZER}}]
budget: {trials: 9}
gate: {eval/success_rate: ">= 0.9"}
stages:
  - {name: near, env: {radius_m: [1, 2]}, gate: {eval/success_rate: ">= 0.9"}}
  - {name: far, env: {radius_m: [3, 4]}, gate: {eval/success_rate: ">= 0.9"}, warm_start: {from: near}}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path, "pupil.py", "_pupil_worker.py")
    yield made
    made.close()


@pytest.mark.slow
def test_stages_are_passed_by_their_gates_and_a_forgotten_one_is_gone_back_to(workspace: Workspace) -> None:
    workspace.drop("climb.yaml", LADDER.replace("OPTIMIZER", "reset"))
    workspace.run_until_idle(240.0)
    admitted = workspace.events("TrialAdmitted")
    assert [event.proposal.stage for event in admitted] == ["near", "far", "near", "far"], workspace.out()
    assert [event.params["env.radius_m"] for event in admitted] == [(1.0, 2.0), (3.0, 4.0), (1.0, 2.0), (1.0, 4.0)]
    starts = [event.proposal.warm_start for event in admitted]
    assert [start and start.trial[-4:] for start in starts] == [None, "t001", "t002", "t003"]
    assert [start.checkpoint for start in starts if start] == [
        f"{event.trial}/train-s1-a1/checkpoints/ckpt_000000001000.pt" for event in admitted[:3]]
    gates = [run for run in workspace.runs().values() if run.purpose.startswith("curriculum:gate")]
    assert len(gates) == 8 and {tuple(run.spec["params"]["env.radius_m"]) for run in gates} == {(1.0, 2.0), (3.0, 4.0)}
    assert len({run.spec["evaluate"]["instances"] for run in gates}) == 8, "each on fresh episodes"
    judged = {event.trial[-4:]: event for event in workspace.events("TrialJudged")}
    assert judged["t002"].verdict == "discard" and "forgot near: back to near" in judged["t002"].why
    closed, = workspace.events("CampaignClosed")
    assert (closed.outcome, closed.champion[-4:]) == ("reached", "t004")
    confirmed = workspace.runs()[f"{closed.champion}/confirm-s1-a1"]
    assert confirmed.spec["params"]["env.radius_m"] == [3.0, 4.0], "at what was asked for, not at what it practised"
    assert "every stage is passed: near by t003, far by t004" in closed.why
    report = workspace.layout.wake_up.read_text()
    assert "| t002 | 0.550 | **0.970** | 0.00 M | forgot near: back to near |" in report


@pytest.mark.slow
def test_a_poisoned_warm_start_is_a_finding_and_the_stage_is_begun_again_without_the_optimiser(
        workspace: Workspace) -> None:
    workspace.drop("climb.yaml", LADDER.replace("OPTIMIZER", "keep").replace("[3, 4]", "[1, 4]"))
    workspace.run_until_idle(240.0)
    admitted = workspace.events("TrialAdmitted")
    assert [event.proposal.stage for event in admitted] == ["near", "far", "far"], workspace.out()
    assert [event.proposal.warm_start.optimizer for event in admitted[1:]] == ["keep", "reset"]
    found, = workspace.events("FindingMade")
    assert (found.trial[-4:], found.finding.rule, found.finding.level) == ("t002", "poisoned-warm-start", "error")
    assert workspace.runs()[found.run].env_steps <= 0.05 * 1000
    closed, = workspace.events("CampaignClosed")
    assert closed.outcome == "reached"


@pytest.mark.slow
def test_a_stage_that_misses_its_gate_is_trained_on_from_its_last_checkpoint(workspace: Workspace) -> None:
    workspace.drop("climb.yaml", LADDER.replace("OPTIMIZER", "reset").replace("[1, 2]", "[1, 12]").replace(
        "[3, 4]", "[1, 13]"))
    workspace.run_until_idle(240.0)
    extended = workspace.events("TrialExtended")
    assert [(event.trial[-4:], event.env_steps) for event in extended] == [("t001", 2000), ("t002", 2000)], (
        workspace.out())
    rest = workspace.runs()[f"{extended[0].trial}/train-s1-r1-a1"]
    assert rest.spec["resume_from"] == f"{extended[0].trial}/train-s1-a1/checkpoints/ckpt_000000001000.pt"
    closed, = workspace.events("CampaignClosed")
    assert (closed.outcome, len(workspace.events("TrialAdmitted"))) == ("reached", 2)
