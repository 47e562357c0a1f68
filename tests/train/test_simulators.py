"""What every simulator must do, asked of each backend; of the GPU's where there is one."""

from collections.abc import Callable

import numpy as np
import pytest

from vbotd.train import backend
from vbotd.train.sim import Simulator
from vbotd.train.tasks.robot import HOME_KEY, PHYSICS_DT_S, hold_targets_rad, load_model

N = 5
MODEL = load_model(PHYSICS_DT_S)
HOME = MODEL.key(HOME_KEY).qpos.copy()
TARGETS = np.tile(hold_targets_rad(MODEL), (N, 1))
EVERYONE = np.arange(N)

Make = Callable[[int], Simulator]


@pytest.fixture(params=["cpu", "gpu"])
def make(request, tmp_path, monkeypatch) -> Make:
    """Return a function that makes simulations on a backend, all in the home pose; logs go to a temporary folder."""
    monkeypatch.chdir(tmp_path)
    if request.param == "gpu":
        request.getfixturevalue("gpu")
    monkeypatch.setenv(backend.SETTING, request.param)

    def at_home(num_sims: int) -> Simulator:
        sim = backend.make_simulator(MODEL, num_sims, 1)
        sim.reset(np.arange(num_sims), np.tile(HOME, (num_sims, 1)), np.zeros((num_sims, 18)))
        return sim

    return at_home


def wave(step: int, num_sims: int = N) -> np.ndarray:
    """Return joint targets that make every robot move, each in its own way."""
    phase = 0.3 * step + np.arange(num_sims)[:, None] + np.arange(12)
    return TARGETS[0] + 0.3 * np.sin(phase)


def everything(sim: Simulator) -> list[np.ndarray]:
    return [array.copy() for array in (sim.qpos, sim.qvel, sim.sensordata, sim.torque_nm)]


def assert_same_bits(a: Simulator, b: Simulator) -> None:
    for mine, other in zip(everything(a), everything(b), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_arrays_have_the_shapes_of_the_protocol(make):
    sim = make(N)
    assert sim.num_sims == N
    assert [array.shape for array in everything(sim)] == [(N, 19), (N, 18), (N, 9), (N, 12)]
    assert {array.dtype for array in everything(sim)} == {np.dtype(np.float64)}


def test_a_standing_robot_stands_on_four_feet_and_holds_itself_up(make):
    sim = make(N)
    for _ in range(50):
        sim.step(TARGETS, 2)
    assert sim.qpos[:, 2] == pytest.approx(0.27, abs=0.01)
    assert np.abs(sim.qvel).max() < 0.05
    assert (sim.sensordata[:, :4] > 0.5).all()
    assert not (sim.sensordata[:, 4:] > 0.5).any()
    assert (sim.torque_nm[:, 2::3] > 4.0).all()  # the knees carry the weight
    assert not sim.diverged().any()


def test_a_robot_without_stance_lies_on_its_trunk(make):
    sim = make(1)
    folded = np.tile([0.0, 2.6, -2.6], 4)[None]
    for _ in range(100):
        sim.step(folded, 2)
    assert (sim.sensordata[:, 4:] > 0.5).any()


def test_in_the_air_no_foot_touches(make):
    sim = make(N)
    qpos = np.tile(HOME, (N, 1))
    qpos[:, 2] = 1.0
    sim.reset(EVERYONE, qpos, np.zeros((N, 18)))
    sim.step(TARGETS, 2)
    assert not (sim.sensordata > 0.5).any()
    assert (sim.qvel[:, 2] < -0.1).all()


def test_the_linear_velocity_is_the_worlds_and_the_angular_one_the_bases(make):
    sim = make(1)
    qpos = HOME[None].copy()
    qpos[:, 2] = 1.0
    qpos[:, 3:7] = np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)  # facing +y
    qvel = np.zeros((1, 18))
    qvel[:, 0] = 1.0
    sim.reset(np.arange(1), qpos, qvel)
    sim.step(TARGETS[:1], 1)
    assert sim.qpos[0, 0] == pytest.approx(0.01, abs=1e-3)
    assert sim.qpos[0, 1] == pytest.approx(0.0, abs=1e-3)


def test_a_reset_forgets_and_leaves_the_others_alone(make):
    touched, untouched = make(N), make(N)
    for step in range(20):
        touched.step(wave(step), 2)
        untouched.step(wave(step), 2)
    ids = np.array([1, 3])
    touched.reset(ids, np.tile(HOME, (2, 1)), np.zeros((2, 18)))
    np.testing.assert_allclose(touched.qpos[ids], np.tile(HOME, (2, 1)), atol=1e-6)
    assert not touched.torque_nm[ids].any()
    fresh = make(N)
    for step in range(20, 30):
        for sim in (touched, untouched, fresh):
            sim.step(wave(step), 2)
    others = np.setdiff1d(EVERYONE, ids)
    np.testing.assert_array_equal(touched.qpos[others], untouched.qpos[others])
    np.testing.assert_array_equal(touched.qpos[ids], fresh.qpos[ids])


def test_a_reset_of_nobody_changes_nothing(make):
    sim, other = make(N), make(N)
    sim.reset(np.array([], dtype=int), np.zeros((0, 19)), np.zeros((0, 18)))
    sim.step(wave(0), 2)
    other.step(wave(0), 2)
    assert_same_bits(sim, other)


def test_restored_goes_on_bit_for_bit(make):
    original, copy = make(N), make(N)
    for step in range(15):
        original.step(wave(step), 2)
        copy.step(wave(3 * step), 2)
    copy.restore(original.save())
    np.testing.assert_array_equal(copy.qpos, original.qpos)
    np.testing.assert_array_equal(copy.qvel, original.qvel)
    for step in range(15, 45):
        original.step(wave(step), 2)
        copy.step(wave(step), 2)
        assert_same_bits(original, copy)


def test_what_was_saved_is_a_copy(make):
    sim = make(N)
    saved = sim.save()
    before = saved.copy()
    sim.step(wave(0), 2)
    np.testing.assert_array_equal(saved, before)


def test_two_steps_are_one_step_twice(make):
    together, apart = make(N), make(N)
    for step in range(10):
        together.step(wave(step), 2)
        apart.step(wave(step), 1)
        apart.step(wave(step), 1)
    assert_same_bits(together, apart)


def test_a_written_array_counts(make):
    sim, other = make(N), make(N)
    sim.qvel[2, 0] += 0.5
    sim.step(TARGETS, 2)
    other.step(TARGETS, 2)
    assert sim.qpos[2, 0] - other.qpos[2, 0] > 0.005
    np.testing.assert_array_equal(sim.qpos[[0, 1, 3, 4]], other.qpos[[0, 1, 3, 4]])


def test_a_varied_robot_is_another_one_and_the_others_are_not(make):
    sim, same = make(N), make(N)
    sim.vary(np.array([1]), friction=np.array([0.05]))
    sim.vary(np.array([2]), payload_kg=np.array([8.0]))
    sim.vary(np.array([3]), motor_strength=np.array([0.5]))
    for _ in range(25):
        sim.step(TARGETS, 2)
        same.step(TARGETS, 2)
    height_m = sim.qpos[:, 2]
    assert height_m[2] < height_m[0] - 0.01  # the load
    assert height_m[3] < height_m[0] - 0.01  # the weak knees
    np.testing.assert_array_equal(sim.qpos[[0, 4]], same.qpos[[0, 4]])
    for simulator in (sim, same):
        simulator.qvel[:, 0] += 1.0
        for _ in range(10):
            simulator.step(TARGETS, 2)
    slid_m = sim.qpos[:, 0] - same.qpos[:, 0]
    assert slid_m[1] > 0.02  # the ice
    assert slid_m[0] == 0.0


def test_a_variation_outlives_the_reset_and_may_be_taken_back(make):
    sim, same = make(N), make(N)
    everything_changed = {"friction": 0.5, "payload_kg": 5.0, "motor_strength": 0.7}
    sim.vary(EVERYONE, **{name: np.full(N, value) for name, value in everything_changed.items()})
    sim.step(TARGETS, 2)
    sim.reset(EVERYONE, np.tile(HOME, (N, 1)), np.zeros((N, 18)))
    for _ in range(5):
        sim.step(TARGETS, 2)
        same.step(TARGETS, 2)
    assert (sim.qpos[:, 2] < same.qpos[:, 2]).all()
    for simulator in (sim, same):
        simulator.vary(EVERYONE, friction=np.ones(N), payload_kg=np.zeros(N), motor_strength=np.ones(N))
        simulator.reset(EVERYONE, np.tile(HOME, (N, 1)), np.zeros((N, 18)))
        for step in range(10):
            simulator.step(wave(step), 2)
    assert_same_bits(sim, same)


def test_varying_nobody_changes_nothing(make):
    sim, other = make(N), make(N)
    sim.vary(np.array([], dtype=int), friction=np.zeros(0), payload_kg=np.zeros(0), motor_strength=np.zeros(0))
    sim.step(wave(0), 2)
    other.step(wave(0), 2)
    assert_same_bits(sim, other)


def test_not_a_number_and_insane_speed_are_divergence_until_the_reset(make):
    sim, calm = make(N), make(N)
    sim.qvel[1, 8] = np.nan
    sim.qvel[3, 0] = 1e9
    sim.step(TARGETS, 2)
    calm.step(TARGETS, 2)
    assert sim.diverged().tolist() == [False, True, False, True, False]
    np.testing.assert_array_equal(sim.qpos[[0, 2, 4]], calm.qpos[[0, 2, 4]])
    sim.reset(np.array([1, 3]), np.tile(HOME, (2, 1)), np.zeros((2, 18)))
    assert not sim.diverged().any()
    for _ in range(10):
        sim.step(TARGETS, 2)
    assert not sim.diverged().any()
    assert np.isfinite(sim.qpos).all()


def test_a_state_of_the_other_backend_is_refused_by_name(make):
    sim = make(N)
    saved = sim.save()
    other, name = (np.float32, "gpu") if saved.dtype == np.float64 else (np.float64, "cpu")
    with pytest.raises(ValueError, match=f"are of the {name} backend.*VBOTD_BACKEND={name}"):
        sim.restore(saved.astype(other))


def test_a_state_of_another_number_of_simulations_is_refused(make):
    sim = make(N)
    with pytest.raises(ValueError, match=r"this robot needs \(5, "):
        sim.restore(sim.save()[:3])
