"""Plugins inside a running daemon: a search that proposes, and plugins that misbehave while it goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.workspace import PLUGINS, ROOT, Workspace, campaign
from vbotd.domain import event as e

SEARCH = "search: {space: {ppo.skill: {uniform: [0.2, 0.9]}}}"


def add_plugins(workspace: Workspace, *names: str) -> None:
    for name in names:
        shutil.copy(PLUGINS / f"{name}.py", workspace.layout.plugins)


def test_the_search_plugin_proposes_and_the_best_trial_is_confirmed_on_fresh_episodes(workspace: Workspace) -> None:
    workspace.drop("search.yaml", campaign("search", trials=4, extra=f"skills: [hp-search]\n{SEARCH}"))
    workspace.run_until_idle()
    admitted = workspace.events("TrialAdmitted")
    assert [event.proposal.proposer for event in admitted] == ["hp-search"] * 4
    assert all(event.proposal.why for event in admitted), "every proposal says why"
    assert len({event.params["ppo.skill"] for event in admitted}) == 4
    best = max(admitted, key=lambda event: event.params["ppo.skill"])
    closed, = workspace.events("CampaignClosed")
    assert closed.champion == best.trial
    confirmed = workspace.runs()[f"{best.trial}/confirm-s1-a1"]
    assert confirmed.outcome == "finished"


def test_plugins_that_raise_hang_or_die_are_named_and_the_campaign_goes_on(workspace: Workspace) -> None:
    add_plugins(workspace, "raises", "sleeps", "dies")
    workspace.layout.config.write_text("opinion_s: 0.5\n")
    workspace.drop("a.yaml", campaign("brave", trials=4))
    workspace.run_until_idle(120.0)
    closed, = workspace.events("CampaignClosed")
    assert closed.outcome == "finished"
    failed = {(event.plugin, event.how) for event in workspace.events("PluginFailed")}
    assert {("raises", "raised"), ("sleeps", "timeout"), ("dies", "died")} <= failed
    assert {event.plugin for event in workspace.events("PluginBlocked")} == {"raises", "sleeps", "dies"}
    report = workspace.layout.wake_up.read_text()
    for name in ("raises", "sleeps", "dies"):
        assert name in report
    assert any("I never liked this trial" in event.detail for event in workspace.events("PluginFailed"))


def test_plugins_amend_follow_up_watch_listen_and_write_into_the_report(
        workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    log = workspace.home / "heard.txt"
    monkeypatch.setenv("BUSYBODY_LOG", str(log))
    add_plugins(workspace, "busybody")
    workspace.drop("a.yaml", campaign("helped", trials=1, extra=f"skills: [hp-search, busybody]\n{SEARCH}"))
    workspace.run_until_idle()
    admitted, = workspace.events("TrialAdmitted")
    assert admitted.params["ppo.skill"] == 0.75 and admitted.proposal.amended_by == {"ppo.skill": "busybody"}
    looks = [run for run in workspace.runs().values() if run.kind == "second-look"]
    assert [(run.outcome, run.asked_by) for run in looks] == [("finished", "busybody")]
    assert "I was here." in workspace.layout.wake_up.read_text()
    heard = log.read_text().split()
    assert "TrialAdmitted" in heard and "RunEnded" in heard, "notices come after each commit"
    assert [event.outcome for event in workspace.events("CampaignClosed")] == ["finished"]


def test_a_skill_that_always_fails_is_blocked_and_its_campaign_waits_for_a_person(workspace: Workspace) -> None:
    (workspace.layout.plugins / "broken_search.py").write_text(
        "from vbotd.domain.skill import SkillCard\nfrom vbotd.hookspecs import hookimpl\n\n\n"
        "@hookimpl\ndef vbotd_skills():\n    return [SkillCard(name='broken-search', summary='fails')]\n\n\n"
        "@hookimpl\ndef vbotd_propose(history, count, view):\n    raise ValueError('no idea')\n")
    workspace.drop("a.yaml", campaign("stuck", trials=2, extra=f"skills: [broken-search]\n{SEARCH}"))
    workspace.run_until_idle()
    assert len(workspace.events("PluginFailed")) >= 3
    paused, = workspace.events("CampaignPaused")
    assert isinstance(paused, e.CampaignPaused) and "broken-search" in paused.why
    assert f"vbotd resume {paused.campaign}" in workspace.layout.wake_up.read_text()


def test_the_block_of_a_skill_is_checked_by_its_own_model(workspace: Workspace) -> None:
    workspace.drop("a.yaml", campaign("odd", extra=f"skills: [{{hp-search: {{sampler: tarot}}}}]\n{SEARCH}"))
    workspace.run_until_idle()
    refused, = workspace.events("CampaignRefused")
    assert "sampler" in refused.problems[0].where and "tarot" in refused.problems[0].message


def test_the_daemon_loads_neither_torch_nor_mujoco_nor_openai_nor_a_plugin(workspace: Workspace) -> None:
    workspace.drop("a.yaml", campaign("light", trials=1))
    script = ("import json, sys; from pathlib import Path; from vbotd.daemon.process import run_daemon; "
              "from vbotd.layout import Layout; run_daemon(Layout.find(), until_idle=True, quiet=True); "
              "print(json.dumps(sorted(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True,
                          env={**os.environ, "VBOTD_HOME": str(workspace.home), "PYTHONPATH": str(ROOT)})
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & {"torch", "mujoco", "openai", "optuna", "pluggy", "vbotd_plugins", "fake"}
    assert [event.outcome for event in workspace.events("CampaignClosed")] == ["finished"]


def test_each_plugin_under_test_is_one_that_misbehaves_in_its_own_way() -> None:
    texts = {Path(PLUGINS / f"{name}.py").read_text() for name in ("raises", "sleeps", "dies")}
    assert len(texts) == 3
