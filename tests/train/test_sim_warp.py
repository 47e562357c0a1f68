"""The GPU backend against the CPU's, and from end to end; skipped with the reason where there is no GPU."""

import json

import mujoco
import numpy as np
import pytest

from vbotd.train import backend, checkpoint, worker
from vbotd.train.runio import SpecError
from vbotd.train.sim import BatchSimulator
from vbotd.train.tasks.robot import HOME_KEY, PHYSICS_DT_S, hold_targets_rad, load_model

pytestmark = pytest.mark.usefixtures("gpu")

N = 16
MODEL = load_model(PHYSICS_DT_S)


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("varied", [False, True])
def test_it_agrees_with_the_cpu_as_far_as_single_precision_goes(varied):
    # Measured on Warp's CPU device, 64 robots: 1.2e-6 rad after 1 control step, 7e-6 after 10; then contacts part ways.
    rng = np.random.default_rng(0)
    model = load_model(PHYSICS_DT_S)
    model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON  # the solver that both have
    model.opt.iterations = model.opt.ls_iterations = 8
    sims = BatchSimulator(model, N, 1), backend.make_simulator(model, N, 1)
    qpos = np.tile(MODEL.key(HOME_KEY).qpos, (N, 1))
    qpos[:, 7:] += 0.1 * rng.standard_normal((N, 12))
    qpos[:, 2] += 0.01
    different = {
        "friction": rng.uniform(0.5, 1.5, N),
        "payload_kg": rng.uniform(0.0, 5.0, N),
        "motor_strength": rng.uniform(0.8, 1.2, N),
    }
    for sim in sims:
        sim.reset(np.arange(N), qpos, np.zeros((N, 18)))
        if varied:
            sim.vary(np.arange(N), **different)
    for step in range(10):
        targets_rad = hold_targets_rad(MODEL) + 0.25 * rng.standard_normal((N, 12))
        for sim in sims:
            sim.step(targets_rad, 2)
        cpu, gpu = sims
        np.testing.assert_allclose(gpu.qpos, cpu.qpos, atol=2e-5 if step == 0 else 2e-4)
        np.testing.assert_allclose(gpu.torque_nm, cpu.torque_nm, atol=2e-3 if step == 0 else 2e-2)
        np.testing.assert_array_equal(gpu.sensordata > 0.5, cpu.sensordata > 0.5)


def test_lost_contacts_are_divergence(monkeypatch):
    from vbotd.train import sim_warp

    monkeypatch.setattr(sim_warp, "CONTACTS_FLAT", 1)
    sim = backend.make_simulator(MODEL, N, 1)
    sim.reset(np.arange(N), np.tile(MODEL.key(HOME_KEY).qpos, (N, 1)), np.zeros((N, 18)))
    for _ in range(10):
        sim.step(np.tile(hold_targets_rad(MODEL), (N, 1)), 2)
    assert sim.diverged().all()


def test_a_model_that_the_engine_cannot_do_is_a_clear_error():
    model = load_model(PHYSICS_DT_S)
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_FWDINV
    with pytest.raises(ValueError, match=r"lacks what this robot or terrain needs .*FWDINV.* — VBOTD_BACKEND=cpu"):
        backend.make_simulator(model, N, 1)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["vbot_walk_flat", "vbot_navigation_section001"])
def test_a_run_trains_resumes_bit_for_bit_and_its_policy_serves_the_cpu(run_folder, monkeypatch, task):
    whole = run_folder("whole", task=task)
    worker.train(whole)
    index = checkpoint.read_index(whole.path)
    middle = str(whole.path / index[1].path)
    resumed = run_folder("resumed", task=task, resume_from=middle)
    worker.train(resumed)
    one, other = (checkpoint.load(f.path / checkpoint.read_index(f.path)[-1].path) for f in (whole, resumed))
    for part in ("policy", "env"):
        for name, tensor in one[part].items():
            assert tensor.equal(other[part][name]), name

    monkeypatch.setenv(backend.SETTING, "cpu")
    with pytest.raises(SpecError, match=r"are of the gpu backend.* — use warm_start"):
        worker.train(run_folder("refused", task=task, resume_from=middle))
    worker.train(run_folder("warm", task=task, warm_start={"checkpoint": middle}))
    evaluation = run_folder(
        "evaluation", kind="evaluate", task=task, params={"env.episode_s": 0.2},
        evaluate={"checkpoint": middle, "episodes": 4, "instances": 7},
    )  # fmt: skip
    worker.evaluate(evaluation)
    assert json.loads((evaluation.path / "result.json").read_text())["outcome"] == "finished"
