"""A whole small campaign run by a scripted model, and a daemon that wakes it: real processes on the fake task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import ChatServer
from tests.agent.models import reply, scripted, told
from tests.daemon.workspace import ROOT, Workspace, campaign, make_workspace
from tests.waiting import wait_until
from vbotd.core.agent_waking import cause
from vbotd.daemon.agent_waking import environment
from vbotd.domain import event as e
from vbotd.domain.event import Stored
from vbotd.domain.finding import Finding
from vbotd.store.locks import is_locked

KEY = "plain-words-of-a-key"
NIGHT = campaign(name="small", trials=30, extra="search: {space: {ppo.skill: {uniform: [0.1, 0.9]}}}").replace(
    "{trials: 30}", "{trials: 30, hours: 2}")


@pytest.fixture
def workspace(tmp_path: Path):
    made = make_workspace(tmp_path)
    yield made
    made.close()


def configure(workspace: Workspace, chat: ChatServer, agents: str = "{}", timeout_s: float = 60.0) -> None:
    (workspace.home / "vbotd.yaml").write_text(
        f"model: {{endpoint: '{chat.url}', name: mind-1, key_env: MIND_KEY, timeout_s: {timeout_s}}}\n"
        f"agents: {agents}\n")


def agent(workspace: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vbotd", "agent", "--json", *words], capture_output=True, text=True, check=False,
        cwd=workspace.home, timeout=280, env={**os.environ, "VBOTD_HOME": str(workspace.home), "MIND_KEY": KEY,
                                              "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"})


def start(workspace: Workspace) -> None:
    workspace.start()
    wait_until(lambda: workspace.events("CatalogueChanged"), 90)


def from_answer(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_a_model_runs_a_small_campaign_in_six_calls(workspace: Workspace, chat: ChatServer):
    configure(workspace, chat)
    start(workspace)
    names: list[str] = []

    def look(texts: list[str]) -> list[tuple[str, Any]]:
        assert "The sleep z1 is over" in texts[-1]
        return [("list", {"what": "trials", "limit": 5})]

    def propose(texts: list[str]) -> list[tuple[str, Any]]:
        names.append(from_answer(texts[-1])["items"][0]["id"].partition("/")[0])
        return [("propose", {"key": "p1", "campaign": names[0], "settings": ["ppo.skill=0.8"], "why": "more skill"})]

    def wait_for_mine(texts: list[str]) -> list[tuple[str, Any]]:
        names.append(from_answer(texts[-1])["answer"].strip("<>").removeprefix("it is "))
        return [("sleep_until", {"key": "z2", "until": "trial_judged", "id": names[1], "hours": 1})]

    chat.script = scripted(
        [("submit", {"key": "s1", "campaign_yaml": NIGHT})], [("sleep_until", {"key": "z1", "until": "trial_judged"})],
        look, propose, wait_for_mine, lambda texts: [("cancel", {"key": "c1", "id": names[0]})], last="It is decided.")
    done = agent(workspace, "--goal", "find a good skill")
    assert done.returncode == 0, done.stderr
    ending = json.loads(done.stdout)
    print(f"calls {ending['calls']}, tokens of tool text {ending['tool_characters'] / 4:.0f}, turns {ending['turns']}")
    assert (ending["ending"], ending["said"]) == ("done", "It is decided.")
    assert ending["calls"] <= 6
    assert ending["tool_characters"] / 4 <= 6_000

    name, mine = names
    admitted = [event for event in workspace.events("TrialAdmitted") if event.proposal.proposer == "agent:llm"]
    assert [(event.trial, event.params["ppo.skill"]) for event in admitted] == [(mine, 0.8)]
    assert mine in {event.trial for event in workspace.events("TrialJudged")}
    wait_until(lambda: workspace.events("CampaignClosed"), 30)
    assert [(event.campaign, event.outcome) for event in workspace.events("CampaignClosed")] == [(name, "cancelled")]
    # Every call and answer is in the event store, and nothing of the key is.
    turns = wait_until(lambda: len(found := workspace.events("AgentTurn")) == 7 and found, 30)
    assert [turn.turn for turn in turns] == list(range(1, 8))
    assert json.loads(turns[0].asked)[0]["said"].startswith("find a good skill")
    assert sum(turn.tokens for turn in turns) == ending["tokens"]
    assert chat.keys == [f"Bearer {KEY}"] * 7
    assert KEY.encode() not in workspace.layout.store.read_bytes()
    spent = json.loads(agent(workspace, "--spent").stdout)
    assert (spent["calls"], spent["tokens"]) == (7, ending["tokens"])


@pytest.mark.slow
def test_the_daemon_wakes_it_and_an_endpoint_that_hangs_delays_nothing(
        workspace: Workspace, chat: ChatServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIND_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "not-for-agents")
    configure(workspace, chat, "{wake: [campaign_closed], wake_gap_min: 0}")
    chat.hold = True
    start(workspace)
    folder = workspace.layout.state / "agent"
    wait_until((folder / "woken.json").exists, 30)
    workspace.drop("one.yaml", campaign(name="one", trials=1))
    wait_until(lambda: chat.asked, 120)
    first = told(chat.asked[0])[0]
    closed, = (event for event in workspace.events("CampaignClosed"))
    assert "You were woken by event" in first and f"CampaignClosed {closed.campaign}" in first

    # The session hangs at its endpoint; a second campaign goes from its file to its end meanwhile.
    workspace.drop("two.yaml", campaign(name="two", trials=1))
    wait_until(lambda: len(workspace.events("CampaignClosed")) == 2, 120)
    assert is_locked(folder / "session.lock") and len(chat.asked) == 1
    assert not workspace.events("AgentTurn")

    # It answers at last, and sleeps; the daemon wakes it anew, for the second campaign and when the sleep is over.
    def wakes(asked: dict[str, Any]) -> Any:
        texts = told(asked)
        return reply(asked, "Fine." if any("The sleep z" in text for text in texts) or len(texts) > 1 else [
            ("sleep_until", {"key": f"z{len(chat.asked)}", "until": "time", "hours": 0.0001})])

    chat.script, chat.hold = wakes, False
    wait_until(lambda: any("The sleep z" in text for asked in chat.asked for text in told(asked)), 180)
    turns = wait_until(lambda: len(found := workspace.events("AgentTurn")) >= 3 and found, 60)
    assert turns[0].how != "answered" and turns[0].tokens > 0  # the one that hung was given up
    assert "answered" in {turn.how for turn in turns}
    assert KEY not in (folder / "agent.log").read_text() + workspace.out()


def test_a_session_inherits_no_key_but_the_model_s(workspace: Workspace):
    environ = {"PATH": "/bin", "MIND_KEY": KEY, "OTHER_KEY": "x", "HTTPS_PROXY": "http://p"}
    assert environment(workspace.layout, environ, "MIND_KEY") == {
        "PATH": "/bin", "MIND_KEY": KEY, "HTTPS_PROXY": "http://p", "VBOTD_HOME": str(workspace.home),
        "PYTHONUNBUFFERED": "1"}


@pytest.mark.parametrize(("event", "conditions", "wakes"), [
    (e.CampaignClosed(campaign="c", outcome="reached", why="x"), ["campaign_closed"], True),
    (e.CampaignClosed(campaign="c", outcome="reached", why="x"), ["trouble", "trial_judged"], False),
    (e.CampaignPaused(campaign="c", why="x", by="core"), ["trouble"], True),
    (e.CampaignPaused(campaign="c", why="x", by="agent:llm"), ["trouble"], False),
    (e.FindingMade(campaign="c", trial="t", run="r", finding=Finding(rule="r", level="error", message="m")),
     ["finding"], True),
    (e.FindingMade(campaign="c", trial="t", run="r", finding=Finding(rule="r", level="info", message="m")),
     ["finding"], False),
])
def test_what_wakes_it(event: Any, conditions: Any, wakes: bool):
    found = cause([Stored(seq=4, at=1.0, event=e.NoteAdded(campaign="c", text="x")),
                   Stored(seq=5, at=1.0, event=event)], conditions)
    assert (found.seq if found else None) == (5 if wakes else None)


def test_without_a_model_or_its_key_it_says_what_is_missing(workspace: Workspace, chat: ChatServer):
    bare = agent(workspace)
    assert bare.returncode == 1 and "no model is configured" in bare.stderr
    configure(workspace, chat)
    config = workspace.home / "vbotd.yaml"
    config.write_text(config.read_text().replace("MIND_KEY", "NO_KEY"))
    keyless = agent(workspace)
    assert keyless.returncode == 1 and "NO_KEY is not set" in keyless.stderr
    assert chat.asked == []
