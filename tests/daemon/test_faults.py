"""Real daemons that are killed or hindered at a named place: nothing is lost, and what is wrong is said."""

from __future__ import annotations

import signal

import pytest

from tests.daemon.workspace import Workspace, campaign
from tests.waiting import wait_until
from vbotd import failpoint


@pytest.fixture
def chaotic(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which failpoints work; `monkeypatch.setenv(failpoint.VARIABLE, ...)` arms them."""
    (workspace.home / failpoint.MARK).touch()
    return workspace


def test_a_file_over_which_the_daemon_dies_again_and_again_is_put_aside(
        chaotic: Workspace, monkeypatch: pytest.MonkeyPatch):
    chaotic.drop("poison.yaml", campaign("poison", trials=1))
    monkeypatch.setenv(failpoint.VARIABLE, "intake.after_read=kill")
    for _ in range(3):
        assert chaotic.start().wait(60) == -signal.SIGKILL
    daemon = chaotic.start()
    why = chaotic.layout.rejected / "poison.yaml.why.md"
    wait_until(why.exists, 60.0)
    assert "died 3 times" in why.read_text()
    assert daemon.poll() is None, "this one lives, though the failpoint is armed"


def test_a_commit_without_room_is_tried_again_and_nothing_is_lost_or_doubled(
        chaotic: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(failpoint.VARIABLE, "commit.after_events=ENOSPC@3")
    chaotic.drop("night.yaml", campaign("night", trials=1))
    chaotic.run_until_idle()
    assert [record.outcome for record in chaotic.records()] == ["finished"]
    assert "it is tried again until there is room" in chaotic.layout.log.read_text()


def test_a_commit_that_fails_for_another_reason_ends_the_daemon_loudly_and_the_next_one_goes_on(
        chaotic: Workspace, monkeypatch: pytest.MonkeyPatch):
    chaotic.drop("night.yaml", campaign("night", trials=1))
    monkeypatch.setenv(failpoint.VARIABLE, "commit.after_events=EIO@3")
    assert chaotic.start("--until-idle").wait(60) == 1
    assert "a commit failed" in chaotic.out()
    monkeypatch.delenv(failpoint.VARIABLE)
    chaotic.run_until_idle()
    assert [record.outcome for record in chaotic.records()] == ["finished"]


def test_after_a_crash_loop_a_daemon_looks_on_and_says_why(chaotic: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(failpoint.VARIABLE, "tick.end=kill")
    for _ in range(5):
        assert chaotic.start().wait(60) == -signal.SIGKILL
    monkeypatch.delenv(failpoint.VARIABLE)
    chaotic.drop("night.yaml", campaign("night", trials=1))
    chaotic.start()
    wait_until(lambda: chaotic.records("open"), 60.0)
    held = wait_until(lambda: chaotic.events("LaunchesHeld"), 30.0)
    assert "minutes" in held[-1].why
    wait_until(lambda: "nothing new is started" in chaotic.layout.wake_up.read_text(), 30.0)
    assert {run.status for run in chaotic.runs().values()} == {"queued"}
