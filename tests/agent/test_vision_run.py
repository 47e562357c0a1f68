"""A run that asks a model about a capture: what it leaves, and that it waits for nothing that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.agent.conftest import answer
from vbotd.agent.ask import ModelError
from vbotd.agent.vision_run import capture_folder, look_at_capture
from vbotd.layout import Layout
from vbotd.train.runio import RunFolder

CAPTURE, LOOK = "c/t001/capture-s1-a1", "c/t001/look-s1-a1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a capture of two episodes: one that walks, one that falls."""
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path))
    monkeypatch.setenv("EYES_KEY", "sk-secret")
    folder = tmp_path / "runs" / CAPTURE / "capture"
    folder.mkdir(parents=True)
    files = []
    for k in (1, 2):
        Image.new("RGB", (60, 20), (90 * k, 90, 30)).save(folder / f"look_e{k}.jpg")
        files.append({"file": f"look_e{k}.jpg", "kind": "look sheet", "episode": k})
    (folder / "capture.json").write_text(json.dumps({"files": files, "missing": [], "episodes": [
        {"episode": 1, "kinematics": {"class": "walks"}}, {"episode": 2, "kinematics": {"class": "falls"}}]}))
    return tmp_path


def looked(home: Path, capture: Any = CAPTURE) -> dict[str, Any]:
    """Run a look, and return its result."""
    folder = home / "runs" / LOOK
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"run": LOOK, "look": {"capture": capture}}))
    look_at_capture(RunFolder(folder))
    return json.loads((folder / "result.json").read_text())


def configured(home: Path, chat: Any) -> None:
    (home / "vbotd.yaml").write_text(f"model: {{endpoint: '{chat.url}', name: eyes, key_env: EYES_KEY}}\n")


def always_walks(asked: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    count = sum(part["type"] == "image_url" for part in asked["messages"][1]["content"])
    rows = [{"number": k + 1, "gait": "walks", "confidence": 0.8, "seen": "legs swing"} for k in range(count)]
    return 200, answer(json.dumps({"pictures": rows}))[1], {}


def test_an_opinion_stands_beside_the_gates_word_with_its_error_rate(home, chat):
    configured(home, chat)
    chat.script = always_walks
    result = looked(home)
    assert (result["outcome"], result["reason"], result["env_steps"]) == ("finished", "", 0)
    assert result["metrics"]["look/known_error_rate"]["value"] == 0.75
    assert (result["metrics"]["look/agrees_with_gate"]["value"], result["metrics"]["look/agrees_with_gate"]["n"]) == (
        0.5, 2)  # fmt: skip
    (finding,) = result["findings"]
    assert (finding["rule"], finding["level"]) == ("vlm-opinion", "info")
    assert finding["message"].startswith("opinion of the model 'eyes', not a measurement (wrong in 6 of 8 known clips")
    assert "episode 2 walks (80% sure, the gate says falls): legs swing" in finding["message"]
    told = json.loads((home / "runs" / LOOK / "look.json").read_text())
    assert [one["said"] for one in told["episodes"]] == ["walks", "walks"] and len(told["known"]) == 8


def test_what_failed_is_told_and_the_run_has_finished_all_the_same(home, chat):
    configured(home, chat)
    chat.reply = answer("I see a dog.")
    result = looked(home)
    assert result["outcome"] == "finished"
    assert "does not fit the question" in result["reason"] and "after 2 failures in a row" in result["reason"]
    assert (result["metrics"], result["findings"]) == ({}, [])


def test_without_a_model_a_key_or_a_sheet_the_run_says_what_is_missing(home, chat, monkeypatch):
    assert looked(home)["reason"].startswith("no opinion: no model is configured")
    configured(home, chat)
    monkeypatch.delenv("EYES_KEY")
    (home / "runs" / LOOK).rename(home / "first")
    assert "the environment variable EYES_KEY is not set" in looked(home)["reason"]
    monkeypatch.setenv("EYES_KEY", "sk-secret")
    (home / "runs" / CAPTURE / "capture" / "capture.json").write_text(
        json.dumps({"files": [], "episodes": [], "missing": ["no OpenGL"]}))
    (home / "runs" / LOOK).rename(home / "second")
    assert "no sheet to look at in capture/ (no OpenGL)" in looked(home)["reason"]
    assert chat.asked == []


def test_a_wrong_configuration_is_told(home, chat):
    (home / "vbotd.yaml").write_text("model: {name: eyes}\n")
    assert "model.endpoint: Field required" in looked(home)["reason"]


@pytest.mark.parametrize("named", [None, 5, "../../etc", "/etc"])
def test_only_a_run_of_this_workspace_is_looked_at(home, named):
    with pytest.raises(ModelError, match="must be the id of a capture run"):
        capture_folder(Layout(home), {"look": {"capture": named}})
