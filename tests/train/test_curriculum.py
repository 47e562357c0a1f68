"""Does the level rise by what is measured at the frontier, and by nothing else?"""

from __future__ import annotations

import numpy as np
import pytest

from vbotd.train import worker
from vbotd.train.tasks import navigation
from vbotd.train.tasks.curriculum import STEP, WINDOW, Widening
from vbotd.train.tasks.settings import resolve


def episodes(difficulty: float, successes: int, of: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(of, difficulty), np.arange(of) < successes


def test_success_at_the_frontier_raises_the_level_by_one_step() -> None:
    level = Widening(0.2, enabled=True)
    level.learn(*episodes(0.2, WINDOW, WINDOW))
    assert level.value == pytest.approx(0.2 + STEP)


def test_easy_successes_prove_nothing() -> None:
    level = Widening(0.5, enabled=True)
    for _ in range(5):
        level.learn(*episodes(0.1, WINDOW, WINDOW))
    assert level.value == 0.5


def test_failures_at_the_frontier_keep_the_level_and_are_forgotten() -> None:
    level = Widening(0.2, enabled=True)
    level.learn(*episodes(0.2, WINDOW // 2, WINDOW))
    assert level.value == 0.2
    level.learn(*episodes(0.2, WINDOW, WINDOW))
    assert level.value == pytest.approx(0.2 + STEP)


def test_the_level_ends_at_one_and_is_one_without_a_curriculum() -> None:
    level = Widening(0.9, enabled=True)
    for _ in range(3):
        level.learn(*episodes(1.0, WINDOW, WINDOW))
    assert level.value == 1.0
    assert Widening(0.2, enabled=False).value == 1.0


def test_robots_start_near_at_first_and_in_the_declared_annulus_when_evaluated() -> None:
    overrides = {"env.spawn_radius_m": [8.0, 11.0], "env.spawn_curriculum": True}
    training = navigation.make(resolve(navigation.CARD, overrides), 64, 1, 1)
    training.start()
    spawned = training.task.distance_m
    assert spawned.min() >= 2.0 and spawned.max() <= 2.0 + 0.2 * 9.0
    bare = {p.key: p.evaluated_as for p in navigation.CARD.params if p.evaluated_as is not None}
    evaluated = navigation.make(resolve(navigation.CARD, overrides | bare), 64, 1, 1)
    evaluated.start()
    assert evaluated.task.distance_m.min() >= 8.0


def test_the_level_is_part_of_a_checkpoint() -> None:
    settings = resolve(navigation.CARD, {"env.spawn_curriculum": True})
    one, other = (navigation.make(settings, 4, 1, 1) for _ in range(2))
    one.start()
    other.start()
    one.task.curriculum.learn(*episodes(1.0, WINDOW, WINDOW))
    other.restore(one.save())
    assert other.task.level == one.task.level == pytest.approx(0.3)


def test_checkpoints_are_compared_by_the_tasks_own_metric(run_folder) -> None:
    course = worker.prepare(run_folder("course", task="vbot_navigation_section013", train={"num_envs": 4}))
    walk = worker.prepare(run_folder("walk"))
    assert course.score_account == "waypoint_share"
    assert walk.score_account == "success"
