"""The daemon over real campaigns of a trainer that trains nothing: fairness, refusals, schedules, commands."""

from __future__ import annotations

import json

from tests.daemon.workspace import Workspace, campaign
from tests.waiting import wait_until
from vbotd.domain import event as e
from vbotd.store.inbox import send_command, wait_for_answer

FIVE_MISTAKES = """version: 1
name: Broken Name
task: fake_wolk
budget: {trials: 0}
train: {env_steps: many}
envv: {mode: good}
"""


def test_three_campaigns_dropped_at_once_are_all_run_and_share_the_slots(workspace: Workspace) -> None:
    for name in ("one", "two", "three"):
        workspace.drop(f"{name}.yaml", campaign(name, trials=3))
    workspace.run_until_idle()
    closed = {event.campaign: event for event in workspace.events("CampaignClosed")}
    assert {name.rsplit("-", 1)[0] for name in closed} == {"one", "two", "three"}
    assert {event.outcome for event in closed.values()} == {"finished"}
    first_launches = [event.campaign for event in workspace.events("RunLaunched")][:6]
    assert len(set(first_launches)) == 3, "the slots went round the campaigns"
    assert len([run for run in workspace.runs().values() if run.kind == "train"]) == 9


def test_a_campaign_broken_in_five_places_is_refused_with_five_problems_and_the_daemon_goes_on(
        workspace: Workspace) -> None:
    workspace.drop("broken.yaml", FIVE_MISTAKES)
    workspace.drop("good.yaml", campaign("good", trials=1))
    workspace.run_until_idle()
    refused, = workspace.events("CampaignRefused")
    assert isinstance(refused, e.CampaignRefused)
    assert [problem.line for problem in refused.problems] == [2, 3, 4, 5, 6]
    assert all(problem.column >= 1 and problem.fix for problem in refused.problems)
    why = (workspace.layout.rejected / "broken.yaml.why.md").read_text()
    assert "broken.yaml:3:" in why and "fake_walk" in why
    assert (workspace.layout.rejected / "broken.yaml").read_text() == FIVE_MISTAKES, "nothing is lost"
    assert [event.outcome for event in workspace.events("CampaignClosed")] == ["finished"]


def test_the_same_bytes_are_the_same_campaign(workspace: Workspace) -> None:
    workspace.drop("first.yaml", campaign("same", trials=1))
    workspace.run_until_idle()
    workspace.drop("again.yaml", campaign("same", trials=1))
    workspace.run_until_idle()
    assert len(workspace.events("CampaignAccepted")) == 1
    assert not list(workspace.layout.inbox.iterdir())


def test_a_campaign_whose_trials_all_fail_is_paused_and_resumes_on_command(workspace: Workspace) -> None:
    workspace.drop("bad.yaml", campaign("bad", trials=5, mode="raise"))
    workspace.run_until_idle()
    paused, = workspace.events("CampaignPaused")
    assert "trials all failed" in paused.why and "told to fail" in paused.why
    key = send_command(workspace.layout, "resume", {"id": paused.campaign}, principal="test")
    workspace.run_until_idle()
    assert wait_for_answer(workspace.layout, key, timeout_s=5.0) == (True, f"{paused.campaign} goes on")
    closed, = workspace.events("CampaignClosed")
    assert closed.outcome == "failed"
    assert all(trial.score is None for trial in workspace.read().trials(paused.campaign)), "a crash is not a low number"


def test_a_cancelled_campaign_ends_its_runs_with_a_checkpoint(workspace: Workspace) -> None:
    workspace.drop("long.yaml", campaign("long", trials=2, mode="hang"))
    daemon = workspace.start("--until-idle")
    run = workspace.wait_for_run("running")
    key = send_command(workspace.layout, "cancel", {"id": run.campaign}, principal="test")
    accepted = wait_for_answer(workspace.layout, key, timeout_s=10.0)
    assert accepted is not None and accepted[0]
    assert daemon.wait(30) == 0, workspace.out()
    ended = workspace.runs()[run.id]
    assert (ended.outcome, ended.exit_code) == ("stopped", 0) and ended.checkpoint is not None
    again = send_command(workspace.layout, "cancel", {"id": run.campaign}, principal="test", key=key)
    assert again == key and wait_for_answer(workspace.layout, key, timeout_s=1.0) == accepted, "one effect a key"


def test_a_command_for_something_unknown_is_refused_with_the_known(workspace: Workspace) -> None:
    key = send_command(workspace.layout, "pause", {"id": "nothing"}, principal="test")
    workspace.run_until_idle()
    accepted, answer = wait_for_answer(workspace.layout, key, timeout_s=1.0)  # type: ignore[misc]
    assert not accepted and "'nothing'" in answer and not list(workspace.layout.commands.iterdir())


def test_a_scheduled_campaign_starts_a_child_when_it_comes_due(workspace: Workspace) -> None:
    workspace.drop("nightly.yaml", campaign("nightly", trials=1, extra='skills: []\nschedule: {every: 60s}'))
    daemon = workspace.start()
    parent = wait_until(lambda: workspace.records("scheduled"), 20.0)[0]
    daemon.terminate()
    assert daemon.wait(10) == 0
    # sixty seconds later: the daemon was down when it came due, and starts it once when it is back
    with workspace.read() as reader:
        assert reader.record(parent.id).starts == 0
    _age(workspace, parent.id, by_s=200.0)
    workspace.run_until_idle()
    fired = workspace.events("ScheduleFired")
    assert len(fired) == 1 and fired[0].campaign == parent.id
    closed, = workspace.events("CampaignClosed")
    assert closed.campaign == fired[0].child and closed.outcome == "finished"


def test_the_report_is_there_and_names_the_best_trial(workspace: Workspace) -> None:
    workspace.drop("good.yaml", campaign("good", trials=2))
    workspace.run_until_idle()
    text = workspace.layout.wake_up.read_text()
    assert "t001" in text and len(text.splitlines()) <= 120
    said = json.loads(workspace.layout.wake_up_json.read_text())
    assert said
    campaign_id = workspace.events("CampaignAccepted")[0].campaign
    folder = workspace.layout.campaign(campaign_id)
    assert (folder / "campaign.yaml").read_text() == campaign("good", trials=2)
    assert (folder / "status.yaml").exists() and (folder / "report.md").exists()
    history = workspace.layout.state / "tasks" / "fake_walk" / "REPORT.md"
    assert history.read_text().count(f"**`{campaign_id}`**") == 1
    workspace.drop("better.yaml", campaign("better", trials=1))
    workspace.run_until_idle()
    assert history.read_text().count("**`") == 2 and history.read_text().count(f"**`{campaign_id}`**") == 1


def _age(workspace: Workspace, campaign_id: str, by_s: float) -> None:
    """Make a campaign older than it is, as if the clock had gone on: the store is closed, so this is allowed."""
    import sqlite3

    db = sqlite3.connect(workspace.layout.store)
    record = json.loads(db.execute("SELECT record FROM campaign WHERE id = ?", (campaign_id,)).fetchone()[0])
    record["accepted_at"] -= by_s
    db.execute("UPDATE campaign SET record = ? WHERE id = ?", (json.dumps(record), campaign_id))
    db.commit()
    db.close()
