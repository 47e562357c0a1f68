"""`vbotd capture` and `vbotd view` as a person calls them."""

from __future__ import annotations

import json

import pytest

from tests.agent.conftest import chat

__all__ = ["chat"]  # a fixture


@pytest.fixture
def trained(home, monkeypatch):
    """A run by hand in the workspace, just long enough to leave a checkpoint."""
    from vbotd.train.session import train_here

    monkeypatch.setenv("MUJOCO_GL", "egl")
    params = {"ppo.rollout": 4, "ppo.epochs": 1, "ppo.minibatches": 1, "ppo.hidden": [8]}
    train_here("vbot_walk_flat", home / "runs" / "by-hand" / "walk", params, 64, 8, 1, 1)
    return "by-hand/walk"


@pytest.mark.slow
def test_a_question_goes_to_the_configured_model_with_the_sheet(home, spawn, trained, chat, monkeypatch):
    (home / "vbotd.yaml").write_text(f"model: {{endpoint: '{chat.url}', name: eyes, key_env: EYES_KEY}}\n")
    monkeypatch.setenv("EYES_KEY", "sk-secret")
    called = spawn("capture", trained, "--seconds", "0.2", "--frames", "1", "--cameras", "side", "--no-film", "--ask",
                   "Does it limp?", "--look")
    if "OpenGL" in called.err:
        pytest.skip(called.err)
    assert called.code == 1 and "does not fit the question" in called.err, "it trots, whatever it is asked"
    assert "opinion of the model 'eyes', not a measurement:\n  It trots." in called.out
    assert "opinion of the model 'eyes', not a measurement (never measured)" in called.out
    assert "the kinematic gate: unclear in 1 of 1 episodes" in called.out
    text, image = chat.asked[0]["messages"][1]["content"]
    assert text["text"].endswith("Does it limp?") and "vbot_walk_flat" in text["text"]
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")
    index = (home / "runs/by-hand/walk/capture/capture.json").read_text()
    assert json.loads(index)["opinion"]["text"] == "It trots."
    assert "sk-secret" not in index + called.out + called.err


@pytest.mark.slow
def test_without_a_model_all_but_the_answer_is_there(home, spawn, trained):
    called = spawn("capture", trained, "--seconds", "0.2", "--frames", "1", "--cameras", "side", "--no-film",
                   "--ask", "?", "--json")
    assert called.code == 1
    assert "the question was not answered: no model is configured" in called.err
    index = called.json()
    assert index["episodes"][0]["length_s"] == pytest.approx(0.2)
    assert (home / "runs/by-hand/walk/capture/gait_e1.png").is_file()


def test_what_cannot_be_captured_is_said(call, trained):
    from vbotd.errors import NotFound

    assert "vbotd: camera 'drone' is not in the MJCF" in call("capture", trained, "--cameras", "drone").err
    assert call("capture", trained, "--episodes", "99").code == 2
    assert call("capture", "nowhere").code == NotFound.exit_code


@pytest.mark.parametrize(("words", "message"), [
    (["vbot_walk_flt"], "did you mean 'vbot_walk_flat'"),
    (["vbot_walk_flat", "--camera", "drone", "--seconds", "0.1"], "there are track, side, top, overview, free"),
    (["vbot_walk_flat", "--set", "env.episode=1"], "setting of vbot_walk_flat 'env.episode'"),
    (["vbot_walk_flat", "--actions", "dance"], "'dance' is not one of 'zero', 'random'")])
def test_what_cannot_be_viewed_is_said(call, monkeypatch, words, message):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    called = call("view", *words)
    assert called.code != 0
    assert message in called.err


@pytest.mark.slow
def test_a_view_is_a_clip_whose_place_is_printed(home, spawn):
    called = spawn("view", "vbot_navigation_section001", "--envs", "2", "--seconds", "0.2", "--actions", "random",
                   "--camera", "overview", "--out", str(home / "clip.gif"))
    if "OpenGL" in called.err:
        pytest.skip(called.err)
    assert called.code == 0, called.err
    assert called.out.strip() == str(home / "clip.gif")
    from PIL import Image
    with Image.open(home / "clip.gif") as clip:
        assert getattr(clip, "n_frames", 1) == 5  # 0.4 s at half of 25 frames a second
