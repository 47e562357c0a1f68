"""Noise, delays, pushes and robots that differ: each acts as it says, and none costs a run its reproducibility."""

import csv

import mujoco
import numpy as np
import pytest

from vbotd.train import backend, checkpoint, worker
from vbotd.train.runio import SpecError
from vbotd.train.session import evaluate_here
from vbotd.train.sim import BatchSimulator
from vbotd.train.tasks import navigation, walk
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.robot import HOME_KEY, PHYSICS_DT_S, hold_targets_rad, load_model
from vbotd.train.tasks.robustness import uniform
from vbotd.train.tasks.settings import resolve

N = 6
ALL = {
    "env.obs_noise": 1.0,
    "env.latency_s": (0.0, 0.06),
    "env.push_mps": 1.0,
    "env.push_every_s": 0.2,
    "env.friction": (0.3, 1.5),
    "env.payload_kg": (0.0, 4.0),
    "env.motor_strength": (0.7, 1.2),
}
STILL = {"env.reset_joint_noise_rad": 0.0, "env.reset_speed_mps": 0.0}
MODEL = load_model(PHYSICS_DT_S)
HOME = MODEL.key(HOME_KEY).qpos.copy()
HOLD = hold_targets_rad(MODEL)


@pytest.fixture(autouse=True)
def cpu_backend_with_its_log_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(backend.SETTING, "cpu")  # what both backends must do is in test_simulators.py


def walkers(num_envs: int = N, threads: int = 1, task=walk, **overrides: object) -> Environment:
    return task.make(resolve(task.CARD, overrides), num_envs, 5, threads)


def random_actions(steps: int, num_envs: int = N) -> np.ndarray:
    return 0.5 * np.random.default_rng(1).standard_normal((steps, num_envs, 12)).astype(np.float32)


def robots(num_sims: int, **changes: np.ndarray) -> BatchSimulator:
    """Return robots in the home pose, changed so."""
    sim = BatchSimulator(MODEL, num_sims, 1)
    ids = np.arange(num_sims)
    sim.reset(ids, np.tile(HOME, (num_sims, 1)), np.zeros((num_sims, 18)))
    sim.vary(ids, **changes)
    return sim


def hold(sim: BatchSimulator, steps: int) -> None:
    for _ in range(steps):
        sim.step(np.tile(HOLD, (sim.num_sims, 1)), 2)


def test_the_numbers_of_an_episode_are_uniform_and_its_own():
    keys = np.random.default_rng(0).integers(0, 2**63, 400).astype(np.uint64)[:, None]
    numbers = uniform(keys, np.arange(500))
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    counts = np.histogram(numbers, bins=20, range=(0.0, 1.0))[0]
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(10_000)
    for shifted in (numbers[1:, :-1], numbers[:-1, 1:]):
        assert abs(np.corrcoef(numbers[:-1, :-1].ravel(), shifted.ravel())[0, 1]) < 0.01
    assert uniform(np.zeros(1, dtype=np.uint64), 0)[0] == (0xE220A8397B1DCDAF >> 11) * 2.0**-53  # published


def test_switched_off_nothing_is_kept_and_no_draw_is_taken():
    env = walkers()
    assert not [name for name in env.save() if name.startswith("robustness/")]
    assert env.num_draws == walkers(**ALL).num_draws


@pytest.mark.parametrize("task", [walk, navigation])
def test_the_same_draws_begin_the_same_episode_with_and_without(task):
    draws = np.random.default_rng(0).random((N, walkers(task=task).num_draws))
    plain, disturbed = walkers(task=task), walkers(task=task, **ALL)
    plain.start(draws)
    disturbed.start(draws)
    np.testing.assert_array_equal(plain.sim.qpos, disturbed.sim.qpos)
    np.testing.assert_array_equal(plain.sim.qvel, disturbed.sim.qvel)


def test_noise_is_as_wide_as_the_table_says_and_on_the_observation_alone():
    clean, noisy = walkers(num_envs=64), walkers(num_envs=64, **{"env.obs_noise": 2.0})
    errors = [noisy.start() - clean.start()]
    for actions in random_actions(30, 64):
        a, b = clean.step(actions), noisy.step(actions)
        np.testing.assert_array_equal(a.rewards, b.rewards)
        errors.append(b.obs - a.obs)
    error, half_width = np.array(errors), 2.0 * walk.OBSERVATION.noise
    assert (np.abs(error).max(axis=(0, 1)) <= half_width + 1e-5).all()
    assert (np.abs(error).max(axis=(0, 1)) >= 0.98 * half_width - 1e-5).all()
    assert (np.abs(error.mean(axis=(0, 1))) <= 0.06 * half_width + 1e-7).all()
    assert (error[:, :, half_width == 0.0] == 0.0).all()
    moving = error[:, :, half_width > 0.0]
    assert (moving[0] != moving[1]).mean() > 0.999  # every number anew in every control step
    assert (moving[:, 0] != moving[:, 1]).mean() > 0.999


def test_late_actions_do_what_timely_ones_did_two_control_steps_before():
    late, timely = walkers(**{"env.latency_s": (0.04, 0.04)}), walkers()
    late.start()
    timely.start()
    actions = random_actions(20)
    for t in range(20):
        asked = late.step(actions[t])
        timely.step(actions[t - 2] if t >= 2 else np.zeros((N, 12)))
        np.testing.assert_array_equal(late.sim.qpos, timely.sim.qpos)
        np.testing.assert_array_equal(asked.obs[:, -12:], actions[t])  # what it asked for, not what it got
    late._reset(np.arange(2), late.rng.random((2, late.num_draws)))
    assert (late.robustness.late(np.ones((N, 12)))[:2] == 0.0).all()  # nothing of the last episode is under way
    assert (late.robustness.late(np.ones((N, 12)))[2:] != 0.0).all()


def test_every_latency_of_the_range_is_as_frequent():
    env = walkers(num_envs=2000, **{"env.latency_s": (0.02, 0.06)})
    env.start()
    pulse = [env.robustness.late(np.full((2000, 12), float(t == 0)))[:, 0] for t in range(5)]
    counts = np.array(pulse).sum(axis=1)
    assert counts[0] == counts[4] == 0
    assert np.abs(counts[1:4] - 2000 / 3).max() < 5 * np.sqrt(2000 / 3)


def test_pushes_come_on_time_in_all_directions_and_up_to_their_size():
    num_envs, every = 500, 10
    env = walkers(num_envs=num_envs, **{"env.push_mps": 0.8, "env.push_every_s": 0.2})
    env.start()
    jumps = np.zeros((4 * every, num_envs, 2))
    for t in range(len(jumps)):
        env.sim.qvel[:] = 0.0
        env.robustness.push(env.sim, np.full(num_envs, t))
        jumps[t] = env.sim.qvel[:, :2]
        assert (env.sim.qvel[:, 2:] == 0.0).all()
    size = np.linalg.norm(jumps, axis=2)
    pushed = size > 0.0
    assert (pushed.reshape(4, every, num_envs).sum(axis=1) == 1).all()
    assert (pushed[every:] == pushed[:-every]).all()
    assert np.abs(pushed[:every].sum(axis=1) - num_envs / every).max() < 5 * np.sqrt(num_envs / every)
    assert 0.78 < size.max() <= 0.8
    assert size[pushed].mean() == pytest.approx(0.4, abs=0.02)
    assert np.abs(jumps[pushed].mean(axis=0)).max() < 0.04
    assert len(np.unique(size[pushed])) == 4 * num_envs  # no two alike


def test_a_pushed_robot_is_moved():
    env, calm = walkers(**STILL, **{"env.push_mps": 2.0, "env.push_every_s": 0.2}), walkers(**STILL)
    env.start()
    calm.start()
    speeds = []
    for _ in range(10):
        env.step(np.zeros((N, 12)))
        calm.step(np.zeros((N, 12)))
        speeds.append([np.linalg.norm(e.sim.qvel[:, :2], axis=1).max() for e in (env, calm)])
    pushed, still = np.max(speeds, axis=0)
    assert pushed > 0.5
    assert still < 0.1


def test_on_less_friction_a_moving_robot_slides_farther():
    factor = np.array([1.0, 0.25, 0.1])
    sim = robots(3, friction=factor)
    hold(sim, 25)
    sim.qvel[:, 1] = 0.8
    begin_m = sim.qpos[:, 1].copy()
    hold(sim, 40)
    slid_m = sim.qpos[:, 1] - begin_m
    assert (np.diff(slid_m) > 0.05).all(), slid_m


def test_on_a_slope_friction_decides_who_slides():
    tilted = load_model(PHYSICS_DT_S)
    tilted.opt.gravity[:] = 9.81 * np.array([np.sin(0.15), 0.0, -np.cos(0.15)])  # tan is 0.15: mu 0.8 holds, 0.08 not
    sim = BatchSimulator(tilted, 2, 1)
    sim.reset(np.arange(2), np.tile(HOME, (2, 1)), np.zeros((2, 18)))
    sim.vary(np.arange(2), friction=np.array([1.0, 0.1]))
    hold(sim, 50)
    assert sim.qpos[0, 0] < 0.1, sim.qpos[:, 0]
    assert sim.qpos[1, 0] > 0.2, sim.qpos[:, 0]


def test_friction_of_a_contact_is_the_factor_times_what_decides_it():
    for priority in (0, 1):
        model = load_model(PHYSICS_DT_S)
        floor, sole = model.geom("floor").id, model.geom("FR_sole").id
        model.geom_friction[floor, 0], model.geom_friction[sole, 0] = 1.2, 0.4
        model.geom_priority[sole] = priority
        sim = BatchSimulator(model, 2, 1)
        sim.reset(np.arange(2), np.tile(HOME, (2, 1)), np.zeros((2, 18)))
        sim.vary(np.array([1]), friction=np.array([0.5]))
        hold(sim, 10)
        found = []
        for i in range(2):
            data, own = sim._batch.get_data(i), sim._batch.get_model(i)
            mujoco.mj_forward(own, data)
            found.append(next(c.friction[0] for c in data.contact if sole in c.geom))
        assert found == pytest.approx([0.4, 0.2] if priority else [1.2, 0.6])


def test_payload_is_weight_and_inertia():
    payload_kg = np.array([0.0, 2.0, 5.0])
    sim = robots(3, payload_kg=payload_kg)
    hold(sim, 100)
    assert (np.diff(sim.qpos[:, 2]) < -0.005).all(), sim.qpos[:, 2]  # it sags under the load
    for i, kg in enumerate(payload_kg):
        model, data = sim._batch.get_model(i), sim._batch.get_data(i)
        mujoco.mj_forward(model, data)
        load_n = sum(_normal_force(model, data, c) for c in range(data.ncon))
        assert load_n == pytest.approx(9.81 * (MODEL.body_mass.sum() + kg), rel=0.02)
        np.testing.assert_allclose(model.body_inertia[1] / MODEL.body_inertia[1], 1.0 + kg / MODEL.body_mass[1])
        assert model.body_subtreemass[0] == pytest.approx(MODEL.body_mass.sum() + kg)


def _normal_force(model: mujoco.MjModel, data: mujoco.MjData, contact: int) -> float:
    force = np.zeros(6)
    mujoco.mj_contactForce(model, data, contact, force)
    return float(force[0])


def test_motor_strength_multiplies_torque_and_limits():
    strength = np.array([1.0, 0.5, 1.2])
    sim = robots(3, motor_strength=strength)
    sim.qvel[:, 6:] = 0.7  # damping counts, too
    sim.step(np.tile(HOLD + 0.1, (3, 1)), 1)
    np.testing.assert_allclose(sim.torque_nm / sim.torque_nm[0], np.tile(strength[:, None], 12))
    sim = robots(3, motor_strength=strength)
    sim.step(np.tile(HOLD + 3.0, (3, 1)), 1)
    np.testing.assert_allclose(sim.torque_nm, strength[:, None] * np.tile([17.0, 17.0, 34.0], 4))


def test_neutral_values_change_no_bit():
    plain = robots(N)
    neutral = robots(N, friction=np.ones(N), payload_kg=np.zeros(N), motor_strength=np.ones(N))
    for t in range(60):
        targets = HOLD + 0.3 * np.sin(0.3 * t + np.arange(N)[:, None] + np.arange(12))
        plain.step(targets, 2)
        neutral.step(targets, 2)
        np.testing.assert_array_equal(plain.qpos, neutral.qpos)


def test_a_change_is_of_the_named_robots_and_replaces_the_last():
    sim = robots(3, payload_kg=np.full(3, 5.0), friction=np.full(3, 0.5))
    sim.vary(np.array([1]), payload_kg=np.array([0.0]), friction=np.array([1.0]))
    assert [sim._batch.get_model(i).body_mass[1] - MODEL.body_mass[1] for i in range(3)] == pytest.approx([5, 0, 5])
    assert [sim._batch.get_model(i).geom_friction[0, 0] for i in range(3)] == pytest.approx([0.4, 0.8, 0.4])


def test_robots_differ_within_the_ranges_and_anew_in_every_episode():
    env = walkers(num_envs=200, **ALL)
    env.start()

    def trunk_kg() -> np.ndarray:
        return env.sim._batch.expanded("body_mass")[:, 1] - MODEL.body_mass[1]

    first = trunk_kg().copy()
    assert 0.0 <= first.min() < 0.2
    assert 3.8 < first.max() <= 4.0
    env._reset(np.arange(100), env.rng.random((100, env.num_draws)))
    assert (trunk_kg()[:100] != first[:100]).all()
    assert (trunk_kg()[100:] == first[100:]).all()


@pytest.mark.parametrize("threads", [2, 4])
def test_the_number_of_threads_changes_no_bit_with_all_options_on(threads):
    one, more = walkers(**ALL), walkers(threads=threads, **ALL)
    np.testing.assert_array_equal(one.start(), more.start())
    for actions in random_actions(60):
        a, b = one.step(actions), more.step(actions)
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.rewards, b.rewards)


@pytest.mark.parametrize("task", [walk, navigation])
def test_restored_goes_on_bit_for_bit_with_all_options_on(task):
    original = walkers(task=task, **ALL, **{"env.episode_s": 1.0})
    copy = walkers(task=task, **ALL, **{"env.episode_s": 1.0})
    original.start(stagger=True)
    copy.start()
    actions = random_actions(80)
    for a in actions[:40]:
        original.step(a)
    for a in actions[:7]:
        copy.step(a)
    copy.restore(original.save())
    copy.rng.bit_generator.state = original.rng.bit_generator.state
    for a in actions[40:]:
        x, y = original.step(a), copy.step(a)
        np.testing.assert_array_equal(x.obs, y.obs)
        np.testing.assert_array_equal(x.rewards, y.rewards)


def test_equal_draws_give_equal_disturbed_episodes_wherever_they_run():
    a, b = walkers(**ALL), walkers(num_envs=2, **ALL)
    draws = np.random.default_rng(0).random((N, a.num_draws))
    obs_a, obs_b = a.start(draws), b.start(draws[3:5])
    np.testing.assert_array_equal(obs_a[3:5], obs_b)
    for actions in random_actions(20):
        obs_a, obs_b = a.step(actions).obs, b.step(actions[3:5]).obs
    np.testing.assert_array_equal(obs_a[3:5], obs_b)


def small(**more: object) -> dict[str, object]:
    params = {"ppo.rollout": 4, "ppo.epochs": 2, "ppo.minibatches": 2, "ppo.hidden": [16, 16], "env.episode_s": 0.4}
    return params | {key: list(v) if isinstance(v, tuple) else v for key, v in ALL.items()} | more


def test_a_resumed_training_equals_an_uninterrupted_one_with_all_options_on(run_folder):
    whole = run_folder("whole", params=small())
    worker.train(whole)
    middle = checkpoint.read_index(whole.path)[1]
    resumed = run_folder("resumed", params=small(), resume_from=str(whole.path / middle.path))
    worker.train(resumed)
    assert middle.env_steps < 160
    one, other = (checkpoint.load(f.path / "checkpoints" / checkpoint.file_name(160)) for f in (whole, resumed))
    for mine, theirs in ((one["policy"], other["policy"]), (one["lanes"][0]["env"], other["lanes"][0]["env"])):
        assert mine.keys() == theirs.keys()
        for name, tensor in mine.items():
            assert tensor.equal(theirs[name]), name


def test_an_evaluation_keeps_the_conditions_of_the_run_unless_told_otherwise(run_folder, tmp_path):
    folder = run_folder(params=small())
    worker.train(folder)
    path = folder.path / checkpoint.read_index(folder.path)[-1].path

    def rows(name: str, **params: object) -> list[list[str]]:
        evaluate_here(path, episodes=20, run_dir=tmp_path / name, params=params)
        return list(csv.reader((tmp_path / name / "episodes.csv").open()))

    own = rows("own")
    assert own == rows("again")
    assert own == rows("said", **{"env.push_mps": 1.0})
    assert own != rows("calm", **{"env.push_mps": 0.0})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("env.friction", (1.5, 0.5), "a range is two numbers, low <= high"),
        ("env.friction", (0.0, 1.0), "allowed: 0.1 to 3.0"),
        ("env.payload_kg", (1.0,), "a range is two numbers"),
        ("env.payload_kg", 2.0, r"env.payload_kg is 2.0 — it must be a list such as \[0.0, 0.0\]"),
        ("env.motor_strength", (0.5, float("nan")), "env.motor_strength"),
        ("env.latency_s", (0.0, 0.5), r"allowed: 0.0 to 0.06"),
        ("env.obs_noise", 3.0, r"allowed: 0.0 to 2.0"),
        ("env.push_mps", -1.0, r"allowed: 0.0 to 2.0"),
        ("env.push_every_s", 0.0, r"allowed: 0.2 to 60.0"),
        ("env.pushes_mps", 1.0, "did you mean 'env.push_mps'"),
    ],
)
def test_ill_formed_options_are_refused(key, value, message):
    with pytest.raises(SpecError, match=message):
        resolve(walk.CARD, {key: value})


def test_a_latency_that_would_round_to_none_is_refused():
    with pytest.raises(ValueError, match=r"env.latency_s is 0.0 to 0.005, less than half a control step .* of 0.02 s"):
        walkers(**{"env.latency_s": (0.0, 0.005)})
