"""The worker as the daemon sees it: a process, a folder, an exit code."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vbotd.store.files import sha256_of
from vbotd.train import checkpoint, worker
from vbotd.train.__main__ import work
from vbotd.train.runio import RunFolder, SpecError

LONG = {"env_steps": 10_000_000, "num_envs": 8}
TAGS = {
    *("train/episode_return", "train/episode_length_s", "train/success_rate", "train/fall_rate"),
    *("train/timeout_rate", "train/diverged_rate", "train/episodes"),
    *("ppo/kl", "ppo/clip_fraction", "ppo/grad_norm", "ppo/explained_variance", "ppo/action_std", "ppo/entropy"),
    *("ppo/learning_rate", "ppo/policy_loss", "ppo/value_loss"),
    *("perf/env_steps_per_s", "perf/simulation_rate", "perf/inference_rate", "perf/environment_rate"),
    *("perf/update_rate", "reward/fall_event", "reward/track_velocity_reward", "task/speed_error_mps"),
}


def start(folder: RunFolder) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vbotd.train", str(folder.path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"GOMP_SPINCOUNT": "1000"},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, errors


def result_of(folder: RunFolder) -> dict:
    return json.loads((folder.path / "result.json").read_text())


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def has_iterated(folder: RunFolder) -> Callable[[], bool]:
    def check() -> bool:
        file = folder.path / "heartbeat.json"
        return file.exists() and json.loads(file.read_text())["env_steps"] > 0

    return check


def has_saved(folder: RunFolder) -> Callable[[], bool]:
    return lambda: bool(checkpoint.read_index(folder.path))


def test_a_run_ends_with_result_checkpoint_and_series(run_folder):
    params = {"ppo.rollout": 8, "ppo.hidden": [16, 16], "env.episode_s": 0.4, "env.command_s": 0.2}
    folder = run_folder(params=params, train={"env_steps": 640, "num_envs": 8})
    code, errors = finish(start(folder))
    assert code == 0, errors
    result = result_of(folder)
    assert result["outcome"] == "finished"
    assert result["env_steps"] == 640
    assert result["simulated_s"] == pytest.approx(12.8)
    file = folder.path / result["checkpoint"]["path"]
    assert sha256_of(file) == result["checkpoint"]["sha256"]
    assert result["metrics"]["train/success_rate"]["n"] > 0
    series = EventAccumulator(str(folder.path), size_guidance={"scalars": 0})
    series.Reload()
    assert set(series.Tags()["scalars"]) >= TAGS
    assert [event.step for event in series.Scalars("ppo/kl")] == list(range(64, 641, 64))
    heartbeat = json.loads((folder.path / "heartbeat.json").read_text())
    assert {"phase", "env_steps", "total_env_steps", "env_steps_per_s", "success_rate", "at"} <= set(heartbeat)


@pytest.mark.parametrize("how", ["stop file", "SIGTERM"])
def test_a_run_that_is_asked_to_stop_saves_and_ends_with_zero(run_folder, how):
    folder = run_folder(train=LONG)
    process = start(folder)
    wait_until(has_iterated(folder), process)
    if how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    else:
        (folder.path / "stop").touch()
    code, errors = finish(process)
    assert code == 0, errors
    result = result_of(folder)
    assert result["outcome"] == "stopped"
    assert 0 < result["env_steps"] < LONG["env_steps"]
    assert (folder.path / result["checkpoint"]["path"]).exists()


def test_a_killed_run_resumed_equals_one_that_was_never_killed(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = {"env_steps": 3200, "num_envs": 8}
    whole, killed = run_folder("whole", train=sizes), run_folder("killed", train=sizes)
    process = start(killed)
    wait_until(has_saved(killed), process)
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    assert not (killed.path / "result.json").exists()
    newest = checkpoint.read_index(killed.path)[-1]
    assert 0 < newest.env_steps < 3200
    resumed = run_folder("resumed", train=sizes, resume_from=str(killed.path / newest.path))
    worker.train(whole)
    worker.train(resumed)
    one, other = (checkpoint.load(f.path / "checkpoints" / checkpoint.file_name(3200)) for f in (whole, resumed))
    for name, tensor in one["policy"].items():
        assert tensor.equal(other["policy"][name]), name
    for name, tensor in one["lanes"][0]["env"].items():
        assert tensor.equal(other["lanes"][0]["env"][name]), name


@pytest.mark.slow
def test_a_run_killed_and_resumed_five_times_has_the_same_weights(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes, moments = {"env_steps": 16_000, "num_envs": 8}, random.Random(5)
    whole = run_folder("whole", train=sizes)
    assert finish(start(whole))[0] == 0
    resume_from, reached = {}, []
    for attempt in range(6):
        folder = run_folder(f"attempt-{attempt}", train=sizes, **resume_from)
        process = start(folder)
        if attempt < 5:
            # After the first save of its own, anywhere: in a rollout, an update, the next save.
            wait_until(has_saved(folder), process)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=moments.uniform(0.0, 0.4))
            process.kill()
        code, errors = finish(process)
        assert code == (-signal.SIGKILL if attempt < 5 else 0), errors
        newest = checkpoint.read_index(folder.path)[-1]
        resume_from = {"resume_from": str(folder.path / newest.path)}
        reached.append(newest.env_steps)
    assert reached == sorted(set(reached))
    assert weights_of(folder) == weights_of(whole)


def weights_of(folder: RunFolder) -> str:
    """Return the SHA-256 of all weights of a run's last checkpoint."""
    saved = checkpoint.load(folder.path / checkpoint.read_index(folder.path)[-1].path)
    digest = hashlib.sha256(str(saved["env_steps"]).encode())
    for part in ("policy", "normaliser"):
        for name, tensor in sorted(saved[part].items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"task": "vbot_walk_flt"}, "did you mean 'vbot_walk_flat'"),
        ({"entry": "vbotd.train.worker:dance"}, "has no dance"),
        ({"resume_from": "/nowhere.pt"}, "is missing"),
        ({"version": 2}, "reads version 1"),
        ({"train": {"env_step": 5}}, "did you mean 'train.env_steps'"),
    ],
)
def test_a_wrong_spec_is_refused_and_says_what_to_change(run_folder, spec, message):
    with pytest.raises(SpecError, match=message):
        work(run_folder(**spec))


def test_a_refused_spec_is_one_line_and_code_four(run_folder):
    folder = run_folder(params={"reward.typo": 1.0})
    code, errors = finish(start(folder))
    assert code == 4
    assert "no setting 'reward.typo'" in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (folder.path / "result.json").exists()


def test_weights_that_are_no_numbers_end_as_diverged_with_code_three(run_folder):
    # Adam at a rate of 1e-2 does not break so small a net; an infinite reward does.
    folder = run_folder(entry="tests.train.breaking:train")
    process = start(folder)
    code, errors = finish(process)
    assert code == 3, errors
    result = result_of(folder)
    assert result["outcome"] == "diverged"
    assert "not finite" in result["reason"]
