"""Twelve secrets in every place that a tool reads: none of them is in any answer, any resource, or any command sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agent.calls import Caller, over_story
from tests.stories import MORNING, flat_night
from vbotd.agent.context import secrets_of
from vbotd.agent.registry import Context
from vbotd.agent.resources import list_resources, read_resource
from vbotd.agent.verbs import verb_environment
from vbotd.core.config import parse_config
from vbotd.domain import event as e
from vbotd.domain.finding import Finding
from vbotd.domain.trial import Proposal
from vbotd.store.events import EventStore
from vbotd.store.read import Reader
from vbotd.store.views import write_views

NIGHT = "flat-night-1123"
# Some are known by their value, as the environment has them; the others look like keys, or are named as such.
BY_VALUE = {"EYES": "canary-one-plain-words", "OTHER_TOKEN": "canary-two-in-environment"}
CANARIES = {
    "note": BY_VALUE["EYES"], "reason": BY_VALUE["OTHER_TOKEN"], "why": "sk-canary3-4bT9xQ2mZp7Lr0Vw",
    "finding": "ghp_canary4C7e42F292c6912E7710c838", "log": "AKIACANARY5FODNN7EXA", "file": "glpat-canary6AbCdEf123456",
    "tag": "hf_canary7AbCdEfGhIjKlMn", "setting": "xoxb-canary8-123456789", "plugin": "canary9-hunter2",
    "library": "eyJcanary10xx.eyJzdWIiOiIxIn0.SflKxwRJSM", "report": "canary11-pa55word",
    "job": "AIzaCanary12abcdefghijklmnopqrstuvw"}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Caller:
    caller = over_story(tmp_path_factory.mktemp("canaries"))
    layout, c = caller.layout, CANARIES
    (layout.home / "vbotd.yaml").write_text("model: {endpoint: 'https://h/v1', name: m, key_env: EYES}\n")
    store, trial, run = EventStore(layout.store), "open-1123/t001", "open-1123/t001/train-s1-a1"
    about = {"campaign": "open-1123", "trial": trial, "run": run}
    store.commit((
        e.CampaignAccepted(campaign="open-1123", content=flat_night(name="open", note=c["file"]), sha256="f" * 64,
                           file=f"{c['file']}.yaml", text="", submitted_by="inbox"),
        e.NoteAdded(campaign="open-1123", text=f"my key is {c['note']}", by="cli:ada"),
        e.TrialAdmitted(campaign="open-1123", trial=trial, number=1, params={"env.mode": c["setting"]},
                        proposal=Proposal(params={"env.mode": c["setting"]}, proposer="x", why=f"use {c['why']}")),
        e.RunQueued(**about, kind="train", seed=1, attempt=1, spec={"task": "t", "params": {"env.mode": c["setting"]}}),
        e.RunLaunched(**about, token="t", threads=1, launch=1),
        e.RunStarted(**about, pid=1, started_at=MORNING),
        e.FindingMade(**about, finding=Finding(rule="r", level="error", message=f"saw {c['finding']}", tag=c["tag"],
                                               fix=f"give it {c['finding']}")),
        e.RunEnded(**about, outcome="failed", reason=f"401 with {c['reason']}"),
        e.TrialJudged(campaign="open-1123", trial=trial, verdict="discard", why=f"401 with {c['reason']}"),
        e.PluginFailed(plugin="p", hook="h", how="raised", detail=f"password={c['plugin']}"),
        e.PluginBlocked(plugin="p", why=f"password={c['plugin']}"),
        e.CampaignPaused(campaign="open-1123", why=f"https://ada:{c['report']}@host/ said no"),
    ), MORNING - 60)
    store.close()
    folder = layout.run(run)
    folder.mkdir(parents=True)
    (folder / "worker.log").write_text(f"export KEY={c['log']}\n")
    (folder / "heartbeat.json").write_text(json.dumps({"phase": c["log"], "env_steps": 1}))
    shelf = layout.state / "reward_library" / "components"
    shelf.mkdir()
    (shelf / "bird.yaml").write_text(f"name: bird\nsummary: {c['library']}\n")
    job = layout.state / "jobs" / "j1"
    job.mkdir(parents=True)
    (job / "request.json").write_text(json.dumps({"tool": "audit", "given": {}, "words": [], "at": 1.0}))
    (job / "out.json").write_text(json.dumps({"findings": [{"message": f"key {c['job']}"}], c["job"]: c["job"]}))
    (job / "exit.json").write_text('{"code": 1, "at": 2.0}')
    with Reader(layout.store) as reader:
        write_views(layout, reader, MORNING)
    config = parse_config((layout.home / "vbotd.yaml").read_bytes())
    return Caller(layout, secrets=secrets_of(config, BY_VALUE))


CALLS: list[tuple[str, dict[str, object]]] = [
    ("status", {}), ("wake_up", {"budget_tokens": 6000}), ("wake_up", {"budget_tokens": 6000, "since": 1}),
    *(("list", {"what": what, "campaign": "open-1123" if what != "campaigns" else ""})
      for what in ("campaigns", "trials", "runs")),
    *((tool, {"id": id_}) for tool in ("inspect", "findings", "explain")
      for id_ in ("open-1123", "open-1123/t001", "open-1123/t001/train-s1-a1")),
    ("explain", {"id": "open-1123/t001/train-s1-a1", "log": True}), ("series", {"run": "open-1123/t001"}),
    ("reward_library", {}), ("reward_library", {"name": "bird"}), ("job", {"handle": "j1"}),
    ("check_claim", {"sentence": "open-1123/t001 failed"}),
    ("sleep_until", {"key": "z1", "until": "campaign_closed", "id": "open-1123"}), ("wait", {"handle": "z1"}),
    ("inspect", {"id": CANARIES["why"]}), ("job", {"handle": CANARIES["setting"]}),
    ("note", {"key": "n1", "id": CANARIES["why"], "text": "x"}),
]


def test_no_secret_is_in_any_answer(full: Caller):
    said = {f"{name} {given}": full.reply(name, **given).text for name, given in CALLS}
    assert {name for name, text in said.items() for canary in CANARIES.values() if canary in text} == set()
    # The places were really read: what stands around each secret is there.
    everything = "\n".join(said.values())
    assert everything.count("[redacted]") > 25
    for words in ("my key is", "401 with", "use [redacted]", "saw [redacted]", "password=[redacted]", "bird"):
        assert words in everything


def test_no_secret_is_in_any_resource(full: Caller):
    cards = list_resources(full.layout)
    assert len(cards) >= 3
    for card in cards:
        text = read_resource(full.context, card.uri)
        assert [canary for canary in CANARIES.values() if canary in text + card.summary] == [], card.uri


def test_a_child_gets_no_secret_in_its_environment(full: Caller, monkeypatch: pytest.MonkeyPatch):
    for name, value in BY_VALUE.items():
        monkeypatch.setenv(name, value)
    environ = verb_environment(full.layout)
    assert set(BY_VALUE.values()) & set(environ.values()) == set()
    assert "PATH" in environ


def test_the_context_does_not_show_its_secrets(full: Caller):
    assert "canary" not in repr(Context(layout=full.layout, principal="agent:t", now=lambda: 0.0,
                                        secrets=tuple(CANARIES.values())))


def test_a_configuration_that_cannot_be_read_answers_nothing(full: Caller, tmp_path: Path):
    from vbotd.agent.context import context_of
    from vbotd.core.config import ConfigError
    from vbotd.layout import Layout
    (tmp_path / "vbotd.yaml").write_text("model: 5\n")
    with pytest.raises(ConfigError):
        context_of(Layout(tmp_path), "agent:t")
