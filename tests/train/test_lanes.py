"""A run in several lanes: where they run makes no difference, and what happens to one of them is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.test_checkpoint import STATE, assert_same
from tests.waiting import wait_until
from vbotd.train import checkpoint, lanes, loop, worker
from vbotd.train.lanes import LaneLost, Lanes, bounds, how_many
from vbotd.train.loop import Training
from vbotd.train.runio import RunFolder

Make = Callable[..., RunFolder]
SMALL = {"ppo.rollout": 4, "ppo.epochs": 2, "ppo.minibatches": 3, "ppo.hidden": [16, 16]}
COURSE = SMALL | {"env.terrain_variants": 2, "env.episode_s": 1.0}
TWO = {"num_envs": 128, "env_steps": 5 * 4 * 128}  # enough robots for two lanes; a save every iteration
LONG = TWO | {"env_steps": 100_000_000}


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def last(folder: RunFolder) -> dict:
    return checkpoint.load(folder.path / checkpoint.read_index(folder.path)[-1].path)


def assert_alike(one: dict, other: dict) -> None:
    for key in STATE:
        assert_same(one[key], other[key], key)


@pytest.mark.parametrize(("num_envs", "threads", "count"), [(512, 1, 1), (512, 2, 2), (512, 16, 8), (8, 4, 1)])
def test_there_is_a_lane_for_each_thread_that_has_robots_enough(num_envs: int, threads: int, count: int) -> None:
    assert how_many(num_envs, threads) == count


@pytest.mark.parametrize(("num_envs", "count"), [(8, 1), (130, 2), (131, 4)])
def test_lanes_share_the_robots_out(num_envs: int, count: int) -> None:
    shares = bounds(num_envs, count)
    assert [robot for first, last in shares for robot in range(first, last)] == list(range(num_envs))
    assert max(b - a for a, b in shares) - min(b - a for a, b in shares) <= 1


@pytest.mark.parametrize(("task", "params"), [
    ("vbot_walk_flat", SMALL),
    ("vbot_navigation_section001", SMALL | {"env.spawn_curriculum": True}),
    ("vbot_navigation_section011", COURSE),
])
def test_what_is_learnt_does_not_depend_on_where_the_lanes_run(
    run_folder: Make, monkeypatch: pytest.MonkeyPatch, task: str, params: dict
) -> None:
    apart = run_folder("apart", task=task, params=params, threads=2, train=TWO)
    worker.train(apart)
    monkeypatch.setattr(Lanes, "spread", lambda self, processes, alive: None)
    together = run_folder("together", task=task, params=params, threads=2, train=TWO)
    worker.train(together)
    one, other = last(apart), last(together)
    assert len(one["lanes"]) == 2
    assert not torch.equal(*(lane["env"]["sim"] for lane in one["lanes"]))
    assert_alike(one, other)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_run_goes_on_with_the_lanes_that_it_began_with_whatever_its_threads(run_folder: Make, threads: int) -> None:
    whole = run_folder("whole", params=SMALL, threads=2, train=TWO)
    worker.train(whole)
    middle = checkpoint.read_index(whole.path)[1]
    resumed = run_folder("resumed", params=SMALL, threads=threads, train=TWO,
                         resume_from=str(whole.path / middle.path))  # fmt: skip
    worker.train(resumed)
    assert middle.env_steps < TWO["env_steps"]
    assert_alike(last(whole), last(resumed))


def test_a_checkpoint_from_before_there_were_lanes_is_gone_on_from(run_folder: Make) -> None:
    first = run_folder("first")
    worker.train(first)
    path = first.path / checkpoint.read_index(first.path)[-1].path
    saved = checkpoint.load(path)
    (lane,) = saved.pop("lanes")
    (first.path / "checkpoints" / "index.json").unlink()
    torch.save(saved | {"env": lane["env"], "rng_numpy": lane["rng_numpy"]}, path)
    training = worker.prepare(run_folder("second", threads=2, resume_from=str(path)))
    assert len(training.lanes) == 1
    assert training.env_steps == saved["env_steps"]
    assert_same(checkpoint.tensors(training.env.save()), lane["env"])


def test_the_curricula_of_all_lanes_stay_alike_and_learn_from_each_other(run_folder: Make) -> None:
    folder = run_folder(task="vbot_navigation_section001", params=SMALL | {"env.spawn_curriculum": True}, threads=2,
                        train=TWO)  # fmt: skip
    training = worker.prepare(folder)
    first, second = (lane.env.task for lane in training.lanes.local)
    for task, won in ((first, True), (second, True)):
        task.curriculum.note(np.full(150, 1.0), np.full(150, won))  # 300 episodes: neither alone would be enough
    loop.collect(training)
    assert first.level == second.level > 0.2
    for name in ("curriculum_level", "curriculum_counts"):
        np.testing.assert_array_equal(first.state()[name], second.state()[name])


def test_rates_and_shares_of_terms_are_those_of_all_robots(run_folder: Make) -> None:
    training = worker.prepare(run_folder(params=SMALL, threads=2, train=TWO))
    before = [lane.env.task.reward for lane in training.lanes.local]
    sums = []
    for lane, reward in zip(training.lanes.local, before, strict=True):
        lane.env.task.reward = lambda robot, reward=reward: sums.append(reward(robot)) or sums[-1]
    loop.collect(training)
    seconds = training.ppo.rollout.num_samples * training.env.options.control_dt_s
    rates = {tag: value for tag, value in training.term_scalars.items() if tag.startswith("reward/")}
    assert sum(rates.values()) == pytest.approx(sum(rewards.sum() for rewards in sums) / seconds)
    shares = [value for tag, value in training.term_scalars.items() if tag.startswith("share/")]
    assert sum(shares) == pytest.approx(1.0)


def test_a_lane_that_fails_ends_the_run_with_its_own_words(run_folder: Make) -> None:
    training = worker.prepare(run_folder(params=SMALL, threads=2, train=TWO))

    def broken(robot: object) -> np.ndarray:
        raise ZeroDivisionError("no reward today")

    training.lanes.local[1].env.task.reward = broken
    with pytest.raises(LaneLost, match=r"(?s)lane 1 failed:.*ZeroDivisionError: no reward today"):
        loop.run(training)


def test_a_lane_that_is_killed_ends_the_run_and_it_goes_on_from_its_checkpoint(run_folder: Make) -> None:
    folder = run_folder("killed", params=SMALL, threads=2, train=LONG)
    process = start(folder)
    pid = lane_of(process)
    wait_until(lambda: (folder.path / "heartbeat.json").exists(), 60.0)
    os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.strip().splitlines()[-1].endswith(
        "the process of lane 1 was ended by signal 9 — out of memory? 'vbotd doctor' tells what is free"
    )


def test_no_lane_outlives_a_killed_run(run_folder: Make) -> None:
    process = start(run_folder(params=SMALL, threads=2, train=LONG))
    pid = lane_of(process)
    process.kill()
    process.wait()
    wait_until(lambda: not alive(pid), 60.0)


def test_a_run_that_is_asked_to_stop_keeps_what_all_lanes_have_come_to(run_folder: Make) -> None:
    folder = run_folder(params=SMALL, threads=2, train=LONG)
    process = start(folder)
    pid = lane_of(process)
    wait_until(lambda: b"env_steps" in heartbeat(folder) and b'"env_steps": 0,' not in heartbeat(folder), 60.0)
    os.killpg(process.pid, signal.SIGTERM)  # as the shim does: every process of the run gets it
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert len(last(folder)["lanes"]) == 2
    assert not alive(pid)


def test_each_process_has_a_core_of_its_own_where_the_run_has_them_all(
    run_folder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("there is one core only")
    two = frozenset(sorted(before)[:2])
    os.sched_setaffinity(0, two)
    try:
        training = worker.prepare(run_folder(params=SMALL, threads=2, train=TWO))
        training.lanes.spread(2, lambda: None)
        (other,) = (remote._pid for remote in training.lanes._remote)
        assert os.sched_getaffinity(0) | os.sched_getaffinity(other) == two
        assert not os.sched_getaffinity(0) & os.sched_getaffinity(other)
        training.lanes.close()
        assert os.sched_getaffinity(0) == two
    finally:
        os.sched_setaffinity(0, before)
    assert lanes._cores(len(before) + 1) == [frozenset(before)] * (len(before) + 1)


def start(folder: RunFolder) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "vbotd.train", str(folder.path)], cwd=Path(__file__).parents[2],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def lane_of(process: subprocess.Popen[str]) -> int:
    """Wait for the process of the second lane, and return its pid."""
    found: list[int] = []

    def look() -> bool:
        assert process.poll() is None, process.communicate()[1]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        found[:] = [int(pid) for pid in children if name_of(int(pid)) == "vbotd-lane-1"]
        return bool(found)

    wait_until(look, 60.0)
    return found[0]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def heartbeat(folder: RunFolder) -> bytes:
    file = folder.path / "heartbeat.json"
    return file.read_bytes() if file.exists() else b""


def test_training_tells_of_its_lanes(run_folder: Make) -> None:
    training: Training = worker.prepare(run_folder(params=SMALL, threads=2, train=TWO))
    assert (len(training.lanes), training.num_envs, training.env.num_envs) == (2, 128, 64)
    assert [lane.actor.rollout.num_envs for lane in training.lanes.local] == [64, 64]
