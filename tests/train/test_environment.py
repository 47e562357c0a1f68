"""Many episodes at once: endings, accounts, divergence, threads, save and restore."""

import numpy as np
import pytest

from vbotd.train.tasks import navigation, walk
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.settings import resolve

N = 6


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def walkers(num_envs: int = N, threads: int = 1, **overrides: object) -> Environment:
    return walk.make(resolve(walk.CARD, overrides), num_envs, 5, threads)


def random_actions(steps: int, num_envs: int = N, scale: float = 0.5) -> np.ndarray:
    return scale * np.random.default_rng(1).standard_normal((steps, num_envs, 12)).astype(np.float32)


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("make", [walk, navigation])
def test_the_number_of_threads_changes_no_bit(make, threads):
    settings = resolve(make.CARD, {})
    one, more = make.make(settings, N, 5, 1), make.make(settings, N, 5, threads)
    np.testing.assert_array_equal(one.start(), more.start())
    for actions in random_actions(60):
        a, b = one.step(actions), more.step(actions)
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.rewards, b.rewards)


@pytest.mark.parametrize("make", [walk, navigation])
def test_restored_goes_on_bit_for_bit(make):
    settings = resolve(make.CARD, {"env.action_smoothing": 0.5})
    original, copy = make.make(settings, N, 5, 1), make.make(settings, N, 99, 1)
    original.start(stagger=True)
    copy.start()
    actions = random_actions(80)
    for a in actions[:40]:
        original.step(a)
    copy.restore(original.save())
    copy.rng.bit_generator.state = original.rng.bit_generator.state
    np.testing.assert_array_equal(original.last_obs, copy.last_obs)
    for a in actions[40:]:
        x, y = original.step(a), copy.step(a)
        np.testing.assert_array_equal(x.obs, y.obs)
        np.testing.assert_array_equal(x.rewards, y.rewards)


def test_a_not_a_number_ends_that_episode_as_diverged_and_no_other():
    env = walkers()
    env.start()
    env.step(np.zeros((N, 12)))
    env.sim.qvel[2, 8] = np.nan
    env.sim.qvel[4, 0] = 1e9
    result = env.step(np.zeros((N, 12)))
    assert result.terminated.tolist() == [False, False, True, False, True, False]
    assert result.finished is not None
    assert result.finished.diverged.tolist() == [True, True]
    assert not result.finished.fall.any()
    assert np.isfinite(result.obs).all()
    assert np.isfinite(result.rewards).all()
    for _ in range(5):
        after = env.step(np.zeros((N, 12)))
    assert np.isfinite(after.obs).all()
    assert not after.terminated.any()
    assert all(np.isfinite(rate) for rate in env.task.rewards.take_rates().values())


def test_standing_through_the_episode_is_a_time_out_and_no_success():
    env = walkers(**{"env.episode_s": 0.5})
    env.start()
    finished = None
    for _ in range(25):
        assert finished is None
        result = env.step(np.zeros((N, 12)))
        finished = result.finished
    assert finished is not None
    assert result.timed_out.all()
    assert len(result.terminal_obs) == N
    assert finished.timed_out.all()
    assert finished.metrics["survival_rate"].tolist() == [1.0] * N
    assert not finished.success.any()  # commands begin at 0.3 m/s
    np.testing.assert_allclose(finished.length_s, 0.5)
    assert (env.clock.elapsed == 0).all()
    assert not np.array_equal(result.terminal_obs, result.obs)


def test_commands_change_at_their_time_and_episodes_differ():
    env = walkers(**{"env.command_s": 0.1})
    env.start()
    first = env.task.command.copy()
    for _ in range(4):
        env.step(np.zeros((N, 12)))
    np.testing.assert_array_equal(env.task.command, first)
    env.step(np.zeros((N, 12)))
    assert (env.task.command != first).all()
    assert ((env.task.command[:, 0] >= 0.3) & (env.task.command[:, 0] <= 1.0)).all()


def test_staggered_first_episodes_are_not_counted():
    env = walkers(num_envs=64, **{"env.episode_s": 0.2})
    env.start(stagger=True)
    finished = [env.step(np.zeros((64, 12))).finished for _ in range(9)]
    assert all(f is None for f in finished)


def test_equal_draws_give_equal_episodes_wherever_they_run():
    draws = np.random.default_rng(0).random((N, walkers().num_draws))
    a, b = walkers(), walkers(num_envs=2)
    obs_a, obs_b = a.start(draws), b.start(draws[3:5])
    np.testing.assert_array_equal(obs_a[3:5], obs_b)
    actions = random_actions(20)
    for step_actions in actions:
        obs_a, obs_b = a.step(step_actions).obs, b.step(step_actions[3:5]).obs
    np.testing.assert_array_equal(obs_a[3:5], obs_b)


def test_a_turned_world_looks_the_same_to_the_policy():
    env = navigation.make(resolve(navigation.CARD, {}), 2, 0, 1)
    draws = np.tile(np.random.default_rng(3).random(env.num_draws), (2, 1))
    draws[1, -2:] = (draws[1, -2:] + 0.25) % 1.0  # bearing and yaw a quarter turn further
    obs = env.start(draws)
    still = np.r_[6:50]  # the start velocity is drawn in the world frame
    np.testing.assert_allclose(obs[0, still], obs[1, still], atol=1e-6)
