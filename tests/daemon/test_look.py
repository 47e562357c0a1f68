"""From training to capture to a look to the verdict, through the whole daemon, with a server that is a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import answer, chat
from tests.daemon.workspace import Workspace, make_workspace
from vbotd.daemon.launch import worker_environment
from vbotd.domain.trial import Run
from vbotd.layout import Layout

__all__ = ["chat"]  # a fixture

KEY = "sk-never-to-be-seen"
CAMPAIGN = """version: 1
name: show
task: fake_show
budget: {trials: 1}
skills: [hp-search, {vlm-capture: {episodes: 2, OPTIONS}}]
env: {moves: MOVES}
ppo: {skill: 0.9}
gate: {eval/success_rate: ">= 0.5"}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path, "show.py", "_show_worker.py")
    yield made
    made.close()


def says_walks(asked: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    count = sum(part["type"] == "image_url" for part in asked["messages"][1]["content"])
    rows = [{"number": k + 1, "gait": "walks", "confidence": 0.7, "seen": "all legs swing"} for k in range(count)]
    return 200, answer(json.dumps({"pictures": rows}))[1], {}


def run_one(workspace: Workspace, moves: str, options: str) -> dict[str, Run]:
    workspace.drop("show.yaml", CAMPAIGN.replace("MOVES", moves).replace("OPTIONS", options))
    workspace.run_until_idle(120.0)
    return {run.id.partition("/t001/")[2]: run for run in workspace.runs().values()}


@pytest.mark.slow
def test_a_walker_is_captured_looked_at_and_called_a_success(
        workspace: Workspace, chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.script = says_walks
    monkeypatch.setenv("EYES_KEY", KEY)
    workspace.layout.config.write_text(f"model: {{endpoint: '{chat.url}', name: eyes, key_env: EYES_KEY}}\n")
    runs = run_one(workspace, "walks", "capture: champion")
    assert set(runs) == {"train-s1-a1", "score-s1-a1", "confirm-s1-a1", "capture-vlm_capture-confirmed-s1-a1",
                         "look-vlm_capture-confirmed-s1-a1"}, workspace.out()
    assert {run.outcome for run in runs.values()} == {"finished"}
    confirm, captured = runs["confirm-s1-a1"], runs["capture-vlm_capture-confirmed-s1-a1"]
    assert captured.spec["capture"]["instances"] == confirm.spec["evaluate"]["instances"]
    look = runs["look-vlm_capture-confirmed-s1-a1"]
    assert (look.metrics["look/known_error_rate"].value, look.metrics["look/agrees_with_gate"].value) == (0.75, 1.0)
    assert set(chat.keys) == {f"Bearer {KEY}"}
    closed, = workspace.events("CampaignClosed")
    assert closed.outcome == "reached"
    report = workspace.layout.wake_up.read_text()
    assert "How the champions move" in report
    assert "opinion of the model 'eyes', not a measurement (wrong in 6 of 8 known clips" in report
    assert KEY not in report + workspace.out()
    for folder in workspace.layout.runs.rglob("*.json"):
        assert KEY not in folder.read_text()


@pytest.mark.slow
def test_a_statue_is_no_success_whatever_it_scored(workspace: Workspace) -> None:
    runs = run_one(workspace, "stands", "look: false")
    assert {run.kind for run in runs.values()} == {"train", "evaluate", "capture"}, workspace.out()
    judged, = workspace.events("TrialJudged")
    assert judged.verdict == "discard"
    assert judged.why == "vlm_capture: the kinematic gate: stands in 2 of 2 episodes"
    closed, = workspace.events("CampaignClosed")
    assert closed.outcome == "finished"
    assert "no success: kinematic-gate: the kinematic gate: stands in 2 of 2 episodes" in closed.why
    assert "not walking, and so not kept: t001" in workspace.layout.wake_up.read_text()


def test_only_a_run_that_asks_a_model_gets_its_key(tmp_path: Path) -> None:
    environ = {"EYES_KEY": KEY, "OTHER_KEY": "x", "HTTPS_PROXY": "http://proxy:1", "PATH": "/bin"}

    def names(**spec: Any) -> set[str]:
        run = Run(id="c/t001/look-s1-a1", campaign="c", trial="c/t001", kind="look", seed=1, attempt=1, status="queued",
                  queued_at=0.0, spec=spec)
        return set(worker_environment(run, Layout(tmp_path), environ, "EYES_KEY")) & set(environ)

    assert names(asks_model=True) == {"EYES_KEY", "HTTPS_PROXY", "PATH"}
    assert names() == names(asks_model="yes") == {"PATH"}
