"""cancel, pause, resume, note, propose, amend: what they send, and what they say of the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.daemon.workspace import Workspace, campaign
from tests.waiting import wait_until
from vbotd.layout import Layout


def waiting_commands(layout: Layout) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(layout.commands.glob("*.json"))]


@pytest.mark.parametrize(("words", "args"), [
    (("cancel", "a-1", "--yes"), {"id": "a-1"}),
    (("cancel", "a-1/t001/train-s1-a1", "--yes"), {"id": "a-1/t001/train-s1-a1"}),
    (("pause", "a-1", "--why", "the fan"), {"id": "a-1", "why": "the fan"}),
    (("resume", "a-1"), {"id": "a-1"}),
    (("note", "a-1", "after", "the friction change"), {"id": "a-1", "text": "after the friction change"}),
    (("propose", "a-1", "ppo.learning_rate=5e-4", "env.spawn_radius_m=[2, 5]", "--why", "a hunch"),
     {"id": "a-1", "params": {"ppo.learning_rate": 5e-4, "env.spawn_radius_m": [2, 5]}, "why": "a hunch"}),
    (("amend", "a-1", "--trials", "9", "--env-steps", "4e6"), {"id": "a-1", "trials": 9, "env_steps": 4_000_000}),
])
def test_without_a_daemon_a_command_waits_and_the_exit_code_says_so(call, layout, words, args):
    called = call(*words)
    assert called.code == 3
    assert "daemon not running" in called.err
    (said,) = waiting_commands(layout)
    assert (said["verb"], said["args"]) == (words[0], args)
    assert said["principal"].startswith("cli")


def test_json_says_what_was_queued(call, layout):
    called = call("pause", "a-1", "--json")
    assert called.code == 3
    said = called.json()
    assert (said["verb"], said["status"], said["answer"]) == ("pause", "queued", "")
    assert (layout.commands / f"{said['key']}.json").exists()


def test_the_same_key_twice_is_one_command(call, layout):
    call("note", "a-1", "once", "--key", "k1")
    call("note", "a-1", "once", "--key", "k1")
    assert len(waiting_commands(layout)) == 1


@pytest.mark.parametrize("words", [
    ("amend", "a-1"), ("amend", "a-1", "--trials", "0"), ("propose", "a-1"), ("propose", "a-1", "no-equals"),
    ("propose", "a-1", "k=1", "k=2"), ("note", "a-1"), ("pause", "a-1", "--key", "../x"),
])
def test_wrong_usage_is_two_and_sends_nothing(call, layout, words):
    assert call(*words).code == 2
    assert waiting_commands(layout) == []


def test_a_daemon_carries_commands_out_and_answers(workspace: Workspace, call, spawn):
    workspace.drop("short.yaml", campaign(trials=4, train_s=30.0))
    workspace.start()
    wait_until(lambda: workspace.records("open"), 60)
    (record,) = workspace.records()

    paused = spawn("pause", record.id, "--why", "the fan")
    assert (paused.code, paused.out.strip()) == (0, f"{record.id} is paused; what runs goes on, nothing new starts")
    again = spawn("pause", record.id)
    assert again.code == 1
    assert "refused" in again.err

    noted = spawn("note", record.id, "hello", "--json", "--key", "k1").json()
    assert (noted["status"], noted["key"]) == ("accepted", "k1")
    assert spawn("note", record.id, "hello", "--key", "k1").code == 0

    unknown = spawn("resume", "short-0000")
    assert unknown.code == 5
    assert f"did you mean '{record.id}'?" in unknown.err

    begun = spawn("cancel", record.id[:5], "--yes")
    assert begun.code == 0, begun.err
    (closed,) = workspace.records("closed")
    assert closed.outcome == "cancelled"
    assert len(closed.notes) == 1
