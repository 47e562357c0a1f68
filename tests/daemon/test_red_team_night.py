"""A red team's find through a whole night: real daemons that are killed, real processes, and a person who decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.workspace import ROOT, Workspace, make_workspace
from tests.waiting import wait_until
from vbotd.domain import event as e

CAMPAIGN = """version: 1
name: watched
task: watched_walk
skills: [reward-engineering]
budget: {trials: 1, hours: 2}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path, "watched.py", "_watched_worker.py")
    yield made
    (made.home / "go").touch()  # no red team is left at work
    made.close()


def vbotd(workspace: Workspace, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "vbotd", *words], capture_output=True, text=True, check=False,
                          cwd=workspace.home, timeout=120, env={
                              **os.environ, "VBOTD_HOME": str(workspace.home), "PYTHONPATH": str(ROOT)})
    assert done.returncode in (0, 3), done.stderr  # 3: it waits, since a busy daemon has not answered yet
    return done.stdout


def status_of(workspace: Workspace) -> str:
    return next((record.status for record in workspace.records()), "")


def wait_for(workspace: Workspace, status: str) -> str:
    """Wait until the one campaign has a status, and return its id."""
    wait_until(lambda: status_of(workspace) == status, 120.0)
    return workspace.records()[0].id


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_find_holds_the_campaign_over_two_deaths_until_a_person_lets_it_pass(workspace: Workspace) -> None:
    # Given a daemon that dies while the red team is at work,
    workspace.drop("watched.yaml", CAMPAIGN)
    first = workspace.start()
    red = workspace.wait_for_run("running", kind="red-team", timeout_s=120.0)
    workspace.kill(first)
    (workspace.home / "go").touch()
    # when the next one comes, the find is heard of, once, and the campaign waits; a third one waits, too.
    second = workspace.start()
    name = wait_for(workspace, "paused")
    workspace.kill(second)
    workspace.start()
    wait_until(lambda: len(workspace.events("DaemonStarted")) == 3, 120.0)
    ended = workspace.runs()[red.id]
    assert (ended.outcome, ended.attempt, ended.purpose) == ("finished", 1, "preflight")
    film = f"runs/{red.id}/red_team.mp4"
    assert (workspace.home / film).exists()
    # Everybody is told what pays, where the film is, and what to do.
    wait_until(lambda: "waits for you" in workspace.layout.wake_up.read_text(), 120.0)
    for said in (workspace.layout.wake_up.read_text(), vbotd(workspace, "status"), vbotd(workspace, "explain", name)):
        assert "alive_reward 150" in said and film in said
        assert "vbotd resume" in said and "vbotd cancel" in said
    assert "alive_reward to 1.5" in workspace.layout.wake_up.read_text(), "the audit's way out"
    assert "reward-budget/red-team" in vbotd(workspace, "log")
    # An agent may only ask; what it asks for, a person lets pass.
    vbotd(workspace, "call", "resume", json.dumps({"key": "r1", "id": name}))
    asked, = wait_until(lambda: workspace.events("CommandAccepted"), 120.0)
    assert (asked.verb, asked.principal) == ("request", "agent:call")
    assert status_of(workspace) == "paused"
    assert [run.kind for run in workspace.runs().values()] == ["audit", "red-team"]
    vbotd(workspace, "approve", "r1")
    wait_for(workspace, "closed")
    # Then it is trained to its end, and who let it pass is remembered.
    resumed, = workspace.events("CampaignResumed")
    assert isinstance(resumed, e.CampaignResumed) and resumed.allowed == ("reward-budget/red-team",)
    assert resumed.by.startswith("cli:") and len(workspace.events("CampaignPaused")) == 1
    record, = workspace.records()
    assert (record.outcome, record.champion) == ("finished", f"{name}/t001")
    passed = f"let pass by {resumed.by}"
    kept = workspace.layout.state / "campaigns" / name / "report.md"
    wait_until(lambda: passed in workspace.layout.wake_up.read_text() and kept.exists(), 120.0)
    assert f"overruled: `reward-budget/red-team`, {passed}" in kept.read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_waiting_campaign_that_is_cancelled_is_over_and_was_never_trained(workspace: Workspace) -> None:
    (workspace.home / "go").touch()
    workspace.drop("watched.yaml", CAMPAIGN)
    workspace.run_until_idle(120.0)
    name = wait_for(workspace, "paused")  # a campaign that waits for a person keeps no daemon awake
    workspace.start()
    vbotd(workspace, "cancel", name)
    wait_for(workspace, "closed")
    record, = workspace.records()
    assert record.outcome == "cancelled"
    assert "train" not in {run.kind for run in workspace.runs().values()}
    wait_until(lambda: "Nothing needs you." in workspace.layout.wake_up.read_text(), 120.0)
