"""The lazy robot with real processes: blocked with the numbers; forced through, seen, stopped, healed, remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.daemon.workspace import Workspace, make_workspace
from vbotd.domain import event as e

LAZY = """version: 1
name: {name}
task: paid_walk
skills: [reward-engineering: {{seeds: 2, good_enough: 0.75}}]
{allow}
budget: {{trials: 4}}
reward: {{alive_reward: 150, arrival_event: 50}}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path, "paid.py", "_paid_worker.py")
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_lazy_weights_are_blocked_and_forced_through_they_are_seen_stopped_and_healed(workspace: Workspace) -> None:
    workspace.drop("blocked.yaml", LAZY.format(name="blocked", allow=""))
    workspace.drop("forced.yaml", LAZY.format(name="forced", allow="allow: [reward-budget]"))
    workspace.run_until_idle(timeout_s=500.0)

    closed = {event.campaign.rpartition("-")[0]: event for event in workspace.events("CampaignClosed")}
    assert closed["blocked"].outcome == "failed" and "1,500" in closed["blocked"].why
    runs = workspace.runs()
    assert [run.kind for run in runs.values() if run.campaign.startswith("blocked")] == ["audit"]

    forced = [event for event in workspace.events("TrialAdmitted") if event.campaign.startswith("forced")]
    assert [dict(event.proposal.params) for event in forced] == [{}, {"reward.alive_reward": 1.5}]
    lazy = [run for run in runs.values() if run.kind == "train" and run.trial == forced[0].trial]
    assert {run.outcome for run in lazy} == {"stopped"} and {run.seed for run in lazy} == {1, 2}
    assert all(any(finding.stop for finding in run.findings) for run in lazy)
    extended = [event for event in workspace.events("TrialExtended") if isinstance(event, e.TrialExtended)]
    assert {(event.trial, event.seeds) for event in extended} == {(event.trial, (2,)) for event in forced}
    assert closed["forced"].champion == forced[1].trial

    library = workspace.layout.state / "reward_library"
    component, = (library / "components").glob("*.yaml")
    kept = yaml.safe_load(component.read_text())
    assert kept["status"] == "adopted" and kept["change"] == {"before": 150.0, "after": 1.5, "factor": 0.01}
    assert kept["category"] == "lazy" and len(kept["experiments"][0]["pairs"]) == 2
    rejected, = (library / "rejected").glob("*.yaml")
    assert yaml.safe_load(rejected.read_text())["reward_scales"]["alive_reward"] == 150.0
    assert (library / "configs").is_dir()
    report = workspace.layout.wake_up.read_text()
    assert "Reward engineering" in report and "**adopt**" in report
    assert forced[1].trial in (workspace.layout.state / "tasks" / "paid_walk" / "REPORT.md").read_text()
