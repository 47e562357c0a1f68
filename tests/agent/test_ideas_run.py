"""A run that asks a model which weight it would change: what it leaves, whatever the model answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import answer
from vbotd.agent.ideas_run import think
from vbotd.train.runio import RunFolder

RUN = "c/t001/ideas-s1-a1"
ASKED = {"task": "reach the goal", "behaviour": "lazy", "evidence": "it stands", "terms": {
    "alive_reward": {"weight": 150.0, "low": 0.0, "high": 1000.0, "summary": "1 while it lives"},
    "fall_event": {"weight": -8.0, "low": -500.0, "high": 0.0, "summary": "1 where it falls"}}}


def thought(home: Path) -> dict[str, Any]:
    folder = home / "runs" / RUN
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"run": RUN, "ideas": ASKED}))
    think(RunFolder(folder))
    return json.loads((folder / "result.json").read_text())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chat) -> Path:
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path))
    (tmp_path / "vbotd.yaml").write_text(f"model: {{endpoint: '{chat.url}', name: thinker}}\n")
    return tmp_path


def said(*ideas: Any) -> str:
    return "Here you are:\n" + json.dumps({"ideas": list(ideas)})


def test_what_the_task_allows_is_an_idea_and_what_it_does_not_is_left_out(home: Path, chat):
    chat.reply = answer(said(
        {"term": "alive_reward", "weight": 0.5, "why": "Standing\u0007 pays."}, {"term": "fall_event", "weight": 5.0},
        {"term": "unknown", "weight": 1.0, "why": "x"}, {"term": "alive_reward", "weight": float("inf")}, "junk"))
    result = thought(home)
    assert (result["outcome"], result["reason"]) == ("finished", "")
    finding, = result["findings"]
    assert (finding["rule"], finding["level"], finding["value"]) == ("idea/alive_reward", "info", 0.5)
    assert finding["message"] == "hypothesis of the model 'thinker': Standing pays."


@pytest.mark.parametrize(("text", "reason"), [
    ("I would pay less.", "no JSON with 'ideas'"), (said({"term": "alive_reward", "weight": True}), "has none that"),
    ('{"ideas": {}}', "no JSON with 'ideas'")])
def test_an_answer_without_an_idea_is_told_and_stops_nothing(home: Path, chat, text: str, reason: str):
    chat.reply = answer(text)
    result = thought(home)
    assert result["outcome"] == "finished" and reason in result["reason"] and result["findings"] == []


def test_without_a_model_it_says_what_is_missing(home: Path):
    (home / "vbotd.yaml").unlink()
    result = thought(home)
    assert result["outcome"] == "finished" and "no model is configured" in result["reason"]
