"""What a rollout sees, moment by moment: the state before a reset, the ending, what is asked."""

from itertools import islice

import numpy as np
import pytest

from vbotd.train import worker
from vbotd.train.evaluate import instance_draws
from vbotd.train.rollout import drive, without_policy
from vbotd.train.tasks import registry
from vbotd.train.tasks.settings import resolve


def environment(task: str = "vbot_walk_flat", num_envs: int = 3, **params):
    card = registry.find(task)
    return worker.build(card, resolve(card, {key.replace("_", ".", 1): v for key, v in params.items()}), num_envs, 1, 1)


def walk(env, actions, count, std=0.3):
    draws = instance_draws(5, env.num_envs, env.num_draws)
    return list(islice(drive(env, without_policy(actions, std, env.num_envs, 7), draws), count))


def test_with_zero_actions_the_robot_stands_on_four_feet():
    rows = walk(environment(), "zero", 50)
    last = rows[-1][0]
    assert last.foot_contact == (True,) * 4
    assert (last.touching, last.ending) == ("", "")
    assert last.tilt_deg < 5.0
    assert last.time_s == pytest.approx(1.0)
    assert last.total_reward == pytest.approx(sum(row[0].reward for row in rows), abs=1e-4)


def test_a_fall_is_seen_as_it_was_before_the_reset():
    env = environment()
    rows = walk(env, "random", 100, std=5.0)
    fallen = next((k, i) for k, row in enumerate(rows) for i, step in enumerate(row) if step.ending == "fall")
    k, i = fallen
    step, after = rows[k][i], rows[k + 1][i]
    assert step.touching or step.tilt_deg > 30 or step.height_m < 0.2
    assert step.time_s == pytest.approx((k + 1) * 0.02)
    assert after.time_s == pytest.approx(0.02)  # the next episode
    assert not np.allclose(after.qpos[7:], step.qpos[7:], atol=0.05)


def test_a_place_that_is_asked_is_seen_with_its_distance():
    env = environment("vbot_navigation_section001", env_episode_s=0.1)
    rows = walk(env, "zero", 5)
    step = rows[-1][1]
    assert step.place_w_m == (0.0, 0.0)
    assert step.distance_m == pytest.approx(float(np.hypot(*step.qpos[:2])))
    assert step.asked_velocity is None
    assert [row[1].ending for row in rows] == ["", "", "", "", "time-out"]


def test_watching_changes_nothing():
    env, other = environment(), environment()
    rows = walk(env, "random", 20)
    act = without_policy("random", 0.3, 3, 7)
    obs = other.start(instance_draws(5, 3, other.num_draws))
    for _ in range(20):
        obs = other.step(act(obs)).obs
    assert np.array_equal(np.stack([step.qpos for step in rows[-1]]), other.sim.qpos)
    assert env.task.__class__ is other.task.__class__  # put back
