"""train, evaluate, play: one policy, here and now."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.cli.calling import ROOT
from tests.waiting import wait_until
from vbotd.cli.checkpoint_of import checkpoint_in
from vbotd.cli.play import clip_path, has_display, parse_speeds
from vbotd.cli.progress import ProgressPrinter, clock, progress_line
from vbotd.cli.scores import score_lines
from vbotd.cli.train import checked_params
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.layout import Layout

CARD = TaskCard(name="walk", summary="", factory="x:y", params=(
    ParamCard(key="ppo.gamma", default=0.99, low=0.9, high=0.9999),
    ParamCard(key="ppo.schedule", default="fixed", choices=("fixed", "adaptive"))))
QUICK = ("--env-steps", "2000", "--num-envs", "32", "--threads", "1")


@pytest.mark.parametrize(("params", "says"), [
    ({"ppo.gama": 0.95}, "did you mean 'ppo.gamma'"), ({"ppo.gamma": 2.0}, "ppo.gamma is 2.0"),
    ({"ppo.schedule": "fast"}, "ppo.schedule is 'fast'"),
])
def test_a_setting_that_the_task_has_not_is_refused_at_once(params, says: str):
    with pytest.raises(click.UsageError, match=says):
        checked_params(CARD, params)


def test_settings_that_fit_pass():
    assert checked_params(CARD, {"ppo.gamma": 0.95, "ppo.schedule": "adaptive"}) == {
        "ppo.gamma": 0.95, "ppo.schedule": "adaptive"}


def test_progress_is_one_line():
    beat = {"env_steps": 500_000, "total_env_steps": 1_000_000, "env_steps_per_s": 10_000.0, "success_rate": 0.41}
    assert progress_line(beat, 0).split() == ["500", "k", "of", "1", "M", "env", "steps", "50%", "10,000/s", "success",
                                              "41%", "0:50", "left"]
    assert "starting" in progress_line({"env_steps": 0, "success_rate": None}, 1000)
    assert clock(3723) == "1:02:03"


def test_a_log_gets_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]):
    now = [0.0]
    printer = ProgressPrinter(now=lambda: now[0])
    for now[0] in (0.0, 5.0, 9.9, 10.0, 11.0):
        printer.show(f"at {now[0]:g}")
    assert capsys.readouterr().err == "at 0\nat 10\n"


def test_the_score_comes_first_with_its_interval():
    lines = score_lines({"a": {"value": 1, "low": 0, "high": 2, "n": 3},
                         "z": {"value": 0.5, "low": 0.25, "high": 1, "n": 8}}, first="z")
    assert lines == ["z  0.5 [0.25, 1] n=8", "a  1 [0, 2] n=3"]


@pytest.mark.parametrize(("text", "speeds"), [("1", (1, 0, 0)), ("1.5,0,-0.5", (1.5, 0, -0.5))])
def test_a_command_is_one_to_three_numbers(text: str, speeds: tuple[float, ...]):
    assert parse_speeds(text) == speeds
    with pytest.raises(click.UsageError):
        parse_speeds("fast")


def test_a_clip_lies_with_its_run(layout: Layout, home: Path):
    assert not has_display()
    ours = layout.run("a/t001/train-s1-a1") / "checkpoints" / "ckpt_1.pt"
    assert clip_path(layout, ours).parent == layout.run("a/t001/train-s1-a1") / "capture"
    assert clip_path(layout, home / "other.pt").parent == layout.adhoc_runs / "clips"


@pytest.mark.parametrize("words", [("train", "vbot_walk_flt"), ("train", "vbot_walk_flat", "--from", "nothing"),
                                   ("evaluate", "nothing"), ("play",), ("play", "nothing")])
def test_what_is_not_there_is_five(call, words: tuple[str, ...]):
    assert call(*words).code == 5


def test_a_run_needs_a_folder_of_its_own(call, home: Path):
    (home / "taken").mkdir()
    called = call("train", "vbot_walk_flat", *QUICK, "--out", "taken")
    assert called.code == 1
    assert "there already" in called.err


@pytest.mark.slow
def test_train_then_evaluate_its_copy_then_go_on_from_it(spawn, home: Path):
    trained = spawn("train", "vbot_walk_flat", *QUICK, "--set", "ppo.gamma=0.98", "--out", "mine", "--no-evaluate")
    assert trained.code == 0, trained.err
    spec = json.loads((home / "mine" / "spec.json").read_text())
    assert (spec["params"], spec["seed"], spec["threads"]) == ({"ppo.gamma": 0.98}, 1, 1)
    checkpoint = checkpoint_in(home / "mine")
    assert checkpoint is not None
    assert f"checkpoint: {checkpoint}" in trained.out

    copy = home / "copy.pt"
    shutil.copy(checkpoint, copy)
    evaluated = spawn("evaluate", "mine", str(copy), "--episodes", "8", "--threads", "1", "--json")
    assert evaluated.code == 0, evaluated.err
    first, second = evaluated.json()["checkpoints"]
    assert first["same_as"] is None
    assert second["same_as"] == "mine"
    assert first["metrics"]["eval/success_rate"]["n"] == 8

    further = spawn("train", "vbot_walk_flat", *QUICK, "--from", "mine", "--no-evaluate")
    assert further.code == 0, further.err
    (run_dir,) = (home / "runs" / "by-hand").iterdir()
    assert json.loads((run_dir / "spec.json").read_text())["warm_start"] == {"checkpoint": str(checkpoint)}


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "kill"])
def test_asked_to_end_it_saves_a_checkpoint(home: Path, asked: signal.Signals):
    training = subprocess.Popen(
        [sys.executable, "-m", "vbotd", "train", "vbot_walk_flat", "--env-steps", "1e9", *QUICK[2:], "--out", "mine"],
        cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    try:
        beat = home / "mine" / "heartbeat.json"
        wait_until(lambda: beat.exists() and json.loads(beat.read_text())["env_steps"] > 0, 120)
        training.send_signal(asked)
        out, err = training.communicate(timeout=120)
    finally:
        training.kill()
        training.wait()
    assert training.returncode == 0, err
    assert "stopped early; checkpoint:" in out
    assert list((home / "mine" / "checkpoints").glob("ckpt_*.pt"))
