"""Changing things through tools: the way of a command and of a file, one effect a key, and what waits for a person."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.agent.calls import Caller, over_story
from tests.daemon.workspace import ROOT, Workspace, campaign, make_workspace
from tests.stories import EVENING, flat_night
from tests.waiting import wait_until
from vbotd.agent.changes import MOST_AN_HOUR
from vbotd.domain import event as e
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.trial import Proposal
from vbotd.layout import Layout
from vbotd.store.events import EventStore

NIGHT = "slope-night-1123"


def vbotd(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vbotd", *words], capture_output=True, text=True, check=False,
                          env={**os.environ, "VBOTD_HOME": str(home), "PYTHONPATH": str(ROOT)}, cwd=home)


def waiting(layout: Layout) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(layout.commands.glob("*.json"))]


@pytest.fixture
def crash(tmp_path: Path) -> Caller:
    return over_story(tmp_path, "crash")


@pytest.mark.parametrize(("tool", "given", "args"), [
    ("note", {"id": "slope", "text": "look at the slope"}, {"id": NIGHT, "text": "look at the slope"}),
    ("pause", {"id": NIGHT, "why": "it hops"}, {"id": NIGHT, "why": "it hops"}),
    ("resume", {"id": NIGHT}, {"id": NIGHT}), ("cancel", {"id": "flat/t002"}, {"id": "flat-night-1123/t002"}),
    ("amend", {"id": NIGHT, "hours": 3}, {"id": NIGHT, "hours": 3.0}),
    ("propose", {"campaign": "slope", "settings": ["ppo.learning_rate=5e-4", "env.spawn_radius_m=[2, 5]"],
                 "why": "a hunch"},
     {"id": NIGHT, "params": {"ppo.learning_rate": 5e-4, "env.spawn_radius_m": [2, 5]}, "why": "a hunch"}),
])
def test_without_a_daemon_a_change_waits_as_a_command_under_its_key(crash: Caller, tool, given, args):
    said = crash.value(tool, key="q1", **given)
    assert (said["status"], said["key"]) == ("queued", "q1")
    command, = waiting(crash.layout)
    assert (command["verb"], command["args"], command["principal"]) == (tool, args, "agent:test")
    assert crash.value(tool, key="q1", **given)["status"] == "queued"
    assert len(waiting(crash.layout)) == 1


def test_one_key_for_two_wishes_is_refused_whatever_they_are(crash: Caller):
    crash.value("note", key="q1", id=NIGHT, text="one")
    assert "was used before, for another note" in crash.error("note", key="q1", id=NIGHT, text="two")
    assert "for another note" in crash.error("cancel", key="q1", id=NIGHT)
    assert "for another note" in crash.error("sleep_until", key="q1", until="time")
    crash.value("sleep_until", key="q2", until="time", hours=1)
    assert "for another sleep_until" in crash.error("note", key="q2", id=NIGHT, text="x")
    assert [command["args"]["text"] for command in waiting(crash.layout)] == ["one"]


def test_a_proposal_of_a_part_of_the_space_is_told_what_is_missing_or_keeps_what_a_trial_had(tmp_path: Path):
    layout = Layout(tmp_path)
    layout.make()
    store = EventStore(layout.store)
    space = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-3),
                                    Dimension(key="ppo.gamma", kind="uniform", low=0.97, high=0.995)))
    params = {"ppo.learning_rate": 3e-4, "ppo.gamma": 0.98}
    store.commit((
        e.CampaignAccepted(campaign="two-1123", sha256="0" * 64, text="", submitted_by="inbox", file="two.yaml",
                           content=flat_night(name="two", space=space)),
        e.TrialAdmitted(campaign="two-1123", trial="two-1123/t001", number=1, params={**params, "env.mode": "fixed"},
                        proposal=Proposal(params=params, proposer="hp-search", why="a start"))), EVENING)
    store.close()
    agent = Caller(layout)
    wish = {"key": "q1", "campaign": "two", "settings": ["ppo.learning_rate=5e-4"], "why": "a hunch"}
    assert agent.error("propose", **wish) == (
        "a proposal names all that two-1123 searches, these are missing: ppo.gamma (uniform in [0.97, 0.995]) — give "
        "them, or `like` a trial to keep its settings")
    assert "no trial of two-1123" in agent.error("propose", **wish, like="two-1123")
    assert "two-1123/t009" in agent.error("propose", **wish, like="t009")
    assert waiting(layout) == []
    for like in ("t001", "two-1123/t001"):
        assert agent.value("propose", **wish, like=like)["status"] == "queued"
    command, = waiting(layout)
    assert command["args"]["params"] == {"ppo.learning_rate": 5e-4, "ppo.gamma": 0.98}


def test_wrong_ids_and_settings_change_nothing(crash: Caller):
    assert "a campaign is wanted here: flat-night-1123" in crash.error("pause", key="q1", id="flat/t002")
    assert "did you mean" in crash.error("cancel", key="q1", id="flat-nihgt-1123")
    assert "write KEY=VALUE" in crash.error("propose", key="q1", campaign=NIGHT, settings=["5e-4"], why="why not")
    assert "nothing to change" in crash.error("amend", key="q1", id=NIGHT)
    assert waiting(crash.layout) == []


def test_a_hundred_retries_at_once_leave_one_command(crash: Caller):
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: crash.value("note", key="q1", id=NIGHT, text="once")["status"], range(100)))
    assert set(said) == {"queued"}
    assert len(waiting(crash.layout)) == 1


def test_an_agent_that_floods_is_held_back_and_a_repeat_is_not(crash: Caller):
    for number in range(MOST_AN_HOUR):
        crash.value("note", key=f"f{number}", id=NIGHT, text=f"note {number}")
    held_back = crash.error("note", key="more", id=NIGHT, text="one more")
    assert f"{MOST_AN_HOUR} wait, {MOST_AN_HOUR} are allowed" in held_back
    assert crash.value("note", key="f0", id=NIGHT, text="note 0")["status"] == "queued"
    assert len(waiting(crash.layout)) == MOST_AN_HOUR


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Caller, str]]:
    """A daemon over a workspace in which an agent has submitted a campaign, a hundred times under one key."""
    workspace = make_workspace(tmp_path_factory.mktemp("night"))
    agent = Caller(workspace.layout, now=None)
    text = campaign(trials=3, train_s=90.0, extra="search: {space: {ppo.skill: {uniform: [0.1, 0.9]}}}").replace(
        "{trials: 3}", "{trials: 3, hours: 2}")
    # A third of the requests before the daemon is there, the rest while it comes up: lost, late and doubled ones.
    said = [agent.reply("submit", key="s1", campaign_yaml=text)]
    workspace.start()
    with ThreadPoolExecutor(8) as pool:
        said += list(pool.map(lambda _: agent.reply("submit", key="s1", campaign_yaml=text), range(20)))
    assert {reply.error for reply in said} == {""}
    wait_until(lambda: len(workspace.runs()) >= 2, 90)
    record, = workspace.records()
    said += [agent.reply("submit", key="s1", campaign_yaml=text) for _ in range(79)]
    assert said[-1].value == {"key": "s1", "status": "accepted", "campaign": record.id,
                              "answer": f"<<it is campaign {record.id}>>"}
    yield workspace, agent, record.id
    workspace.close()


def test_a_hundred_submissions_are_one_campaign(night: tuple[Workspace, Caller, str]):
    workspace, agent, name = night
    assert len(workspace.events("CampaignAccepted")) == 1
    assert workspace.records()[0].file == "agent--s1.yaml"
    assert "for another submit" in agent.error("submit", key="s1", campaign_yaml=campaign(name="other"))
    assert name.startswith("short-")


def test_a_hundred_proposals_are_one_trial_and_the_next_one_waits_for_a_person(night: tuple[Workspace, Caller, str]):
    workspace, agent, name = night
    wish = {"campaign": name, "settings": ["ppo.skill=0.25"], "why": "a quarter"}
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: agent.value("propose", key="p1", **wish), range(100)))
    assert {(each["status"], each["answer"]) for each in said} == {("accepted", f"<<it is {name}/t003>>")}
    assert [event.proposal.proposer for event in workspace.events("TrialAdmitted")].count("agent:test") == 1

    over = agent.value("propose", key="p2", campaign=name, settings=["ppo.skill=0.5"], why="a half")
    assert over["status"] == "waits_for_person"
    assert "all 3 trials" in over["answer"]
    wide = agent.value("propose", key="p3", campaign=name, settings=["ppo.skill=0.95"], why="nearly all")
    assert "outside the declared space" in wide["answer"]
    assert [need["command"] for need in json.loads(vbotd(workspace.home, "report", "--json").stdout)["needs"]] == [
        "vbotd approve p2", "vbotd approve p3"]
    assert "vbotd approve p2" in agent.value("wake_up")["text"]

    slept = agent.value("sleep_until", key="z1", until="answer", id="p3", hours=1)
    assert slept["awake"] is False
    for _ in range(2):  # a repeat changes nothing
        assert vbotd(workspace.home, "approve", "p3").returncode == 0
        assert vbotd(workspace.home, "approve", "p2", "--no").returncode == 0
    for key, flags, said in (("p2", (), "was turned down already"), ("p3", ("--no",), "was let pass already")):
        other_way = vbotd(workspace.home, "approve", key, *flags)
        assert other_way.returncode == 1
        assert said in other_way.stderr
    # Who asks again hears what came of it, and not that it still waits.
    assert "a person turned down request p2" in agent.error(
        "propose", key="p2", campaign=name, settings=["ppo.skill=0.5"], why="a half")
    again = agent.value("propose", key="p3", campaign=name, settings=["ppo.skill=0.95"], why="nearly all")
    assert (again["status"], again["answer"]) == ("accepted", f"<<a person let it pass: it is {name}/t004>>")
    assert vbotd(workspace.home, "approve").stdout.strip() == "no agent asks for anything"
    trial = workspace.events("TrialAdmitted")[-1]
    assert trial.params["ppo.skill"] == 0.95
    assert trial.proposal.proposer.startswith("cli:")
    wait_until((workspace.layout.state / "sleeps" / "z1.awake.json").exists, 30)  # the daemon saw it, nobody asked
    awake = agent.value("wait", handle="z1")
    assert awake["awake"] is True
    assert "propose" in awake["why"]
    assert f"{name}/t004" in awake["brief"]


def test_beyond_the_limits_a_campaign_waits_and_approval_starts_the_very_same_bytes(
        night: tuple[Workspace, Caller, str]):
    workspace, agent, _ = night
    text = campaign(name="long", trials=2, train_s=0.05)  # no limit of hours
    said = [agent.value("submit", key="s2", campaign_yaml=text) for _ in range(3)]
    assert {each["status"] for each in said} == {"waits_for_person"}
    assert "no limit of hours" in said[0]["answer"]
    listed, = json.loads(vbotd(workspace.home, "approve", "--json").stdout)["requests"]
    assert (listed["key"], listed["verb"], listed["by"]) == ("s2", "submit", "agent:test")
    assert vbotd(workspace.home, "approve", "s2").returncode == 0
    accepted = wait_until(lambda: [event for event in workspace.events("CampaignAccepted")
                                   if event.file == "agent--s2.yaml"], 30)
    assert [event.text for event in accepted] == [text]
    again = agent.value("submit", key="s2", campaign_yaml=text)
    assert (again["status"], again["campaign"]) == ("accepted", accepted[0].campaign)


def test_an_agent_pauses_its_own_campaign_and_asks_about_a_person_s(night: tuple[Workspace, Caller, str]):
    workspace, agent, name = night
    workspace.drop("hers.yaml", campaign(name="hers", trials=1, train_s=90.0))
    wait_until(lambda: len(workspace.events("CampaignAccepted")) == 3, 30)
    hers = next(record.id for record in workspace.records() if record.file == "hers.yaml")
    asked = agent.value("cancel", key="c1", id=hers)
    assert asked["status"] == "waits_for_person"
    assert agent.value("pause", key="c2", id=name)["status"] == "accepted"
    assert agent.value("cancel", key="c3", id=name)["status"] == "accepted"
    assert [event.outcome for event in workspace.events("CampaignClosed") if event.campaign == name] == ["cancelled"]
    assert not [event for event in workspace.events("CampaignPaused", "CampaignClosed", "RunStopAsked")
                if event.campaign == hers]
