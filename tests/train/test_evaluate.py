"""Evaluation: the same episodes for the same seed, whoever runs them; intervals by the book."""

import csv
import json

import numpy as np
import pytest

from vbotd.core import interval
from vbotd.train import worker
from vbotd.train.checkpoint import read_index
from vbotd.train.evaluate import Episodes, instance_draws
from vbotd.train.runio import RunFolder

SHORT = {"env.episode_s": 0.6, "env.command_s": 0.2, "ppo.hidden": [16, 16], "ppo.rollout": 4}


@pytest.fixture
def evaluated(run_folder, tmp_path, monkeypatch):
    """Return a function that evaluates one small checkpoint and returns its folder."""
    monkeypatch.chdir(tmp_path)
    trained = run_folder("trained", params=SHORT)
    worker.train(trained)
    path = str(trained.path / read_index(trained.path)[-1].path)

    def run(name: str, threads: int = 1, **asked: int) -> RunFolder:
        evaluate = {"checkpoint": path, "episodes": 20, "instances": 7} | asked
        folder = run_folder(name, kind="evaluate", threads=threads, params={}, evaluate=evaluate)
        worker.evaluate(folder)
        return folder

    return run


def rows(folder: RunFolder) -> list[dict[str, str]]:
    with (folder.path / "episodes.csv").open() as file:
        return list(csv.DictReader(file))


def test_twice_and_on_two_threads_the_same_episodes(evaluated):
    one, again, threaded = evaluated("one"), evaluated("again"), evaluated("threaded", threads=2)
    assert rows(one) == rows(again) == rows(threaded)
    assert len(rows(one)) == 20


def test_more_episodes_begin_with_the_same_ones(evaluated):
    # 300 are two blocks of 150: whatever runs beside an instance, its episode is the same, bit for bit.
    many = rows(evaluated("many", episodes=300))
    for episodes in (1, 5, 64):
        assert rows(evaluated(f"few{episodes}", episodes=episodes)) == many[:episodes]


def test_other_instances_are_other_episodes(evaluated):
    assert rows(evaluated("one")) != rows(evaluated("other", instances=8))


def test_result_holds_the_tasks_metrics_with_intervals(evaluated):
    result = json.loads((evaluated("one").path / "result.json").read_text())
    assert result["outcome"] == "finished"
    metrics = result["metrics"]
    for name in ("success_rate", "survival_rate", "speed_error_mps", "yaw_error_radps", "fall_rate"):
        tag = f"eval/{name}"
        assert metrics[tag]["n"] == 20
        assert metrics[tag]["low"] <= metrics[tag]["value"] <= metrics[tag]["high"]


def test_draws_do_not_depend_on_how_many():
    np.testing.assert_array_equal(instance_draws(5, 3, 4), instance_draws(5, 30, 4)[:3])


def test_wilson_interval_by_the_book():
    # Wilson score, 95 %, no continuity correction, for 8 of 10: the textbook's 0.4902 to 0.9433.
    measured = interval.of_rate(8, 10)
    assert measured["low"] == pytest.approx(0.4902, abs=1e-4)
    assert measured["high"] == pytest.approx(0.9433, abs=1e-4)
    assert interval.of_rate(10, 10)["high"] == 1.0
    assert interval.of_rate(0, 10)["low"] == 0.0


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (3, 3.182), (10, 2.228), (255, 1.969)])
def test_student_quantiles_by_the_book(freedom, quantile):
    assert interval.student_975(freedom) == pytest.approx(quantile, rel=0.01)


def test_mean_interval_by_hand():
    measured = interval.of_mean([1.0, 2.0, 3.0, 4.0])
    assert measured["value"] == 2.5
    assert measured["high"] - 2.5 == pytest.approx(3.182 * np.std([1, 2, 3, 4], ddof=1) / 2, rel=0.01)


def test_what_is_left_shrinks_as_episodes_end_early():
    episodes = Episodes(10)
    assert episodes.most_env_steps(wanted=6, done_control_steps=0, episode_steps=100) == 1000
    episodes.env_steps = 6 * 40
    episodes.done[:4] = True  # after 40 control steps each
    assert episodes.most_env_steps(wanted=6, done_control_steps=40, episode_steps=100) == 240 + 2 * 60 + 4 * 100
    episodes.env_steps, episodes.done[:] = 500, True
    assert episodes.most_env_steps(wanted=10, done_control_steps=100, episode_steps=100) == 500
