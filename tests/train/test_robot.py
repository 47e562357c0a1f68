"""The MJCF against the published figures of the robot."""

import mujoco
import numpy as np
import pytest

from vbotd.train.tasks.robot import (
    DEFAULT_JOINT_POS_RAD,
    HOME_HEIGHT_M,
    HOME_KEY,
    hold_targets_rad,
    load_model,
    rotation_matrix,
    to_base_frame,
)

LEGS = ("FR", "FL", "RR", "RL")


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return load_model(0.01)


def test_masses_are_the_published_ones(model):
    assert model.body_subtreemass[0] == pytest.approx(16.272362, abs=1e-6)
    assert model.body("base").mass[0] == pytest.approx(9.016326)
    for leg in LEGS:
        assert model.body(f"{leg}_hip").mass[0] == pytest.approx(0.079643)
        assert model.body(f"{leg}_thigh").mass[0] == pytest.approx(1.55038)
        assert model.body(f"{leg}_calf").mass[0] == pytest.approx(0.183986)
        assert model.body(f"{leg}_foot").mass[0] == 0.0


def test_base_inertia_has_the_published_trace(model):
    assert model.body("base").inertia.sum() == pytest.approx(0.060632 + 0.144345 + 0.125819, abs=1e-6)


def test_offsets_put_the_feet_where_they_belong(model):
    np.testing.assert_allclose(model.body("FR_hip").pos, [0.18453, -0.051, 0])
    np.testing.assert_allclose(model.body("RL_thigh").pos, [0, 0.0975, 0])
    np.testing.assert_allclose(model.body("FL_calf").pos, [0, 0, -0.1985])
    np.testing.assert_allclose(model.body("RR_foot").pos, [0, 0, -0.214])
    assert model.geom("FR_sole").size[0] == 0.021


@pytest.mark.parametrize(
    ("joint", "low", "high", "armature", "limit_nm"),
    [
        ("FR_hip", -0.73304, 0.73304, 0.0043, 17),
        ("FL_thigh", -1.559, 3.1298, 0.0043, 17),
        ("RL_thigh", -0.51181, 4.177, 0.0043, 17),
        ("RR_calf", -2.6387, -0.7854, 0.04, 34),
    ],
)
def test_joint_limits_are_the_published_ones(model, joint, low, high, armature, limit_nm):
    joint_id = model.joint(f"{joint}_joint").id
    np.testing.assert_allclose(model.jnt_range[joint_id], [low, high])
    assert model.dof_armature[model.jnt_dofadr[joint_id]] == armature
    np.testing.assert_allclose(model.actuator(joint).forcerange, [-limit_nm, limit_nm])
    assert model.actuator(joint).gainprm[0] == 40.0
    assert model.actuator(joint).biasprm[2] == -1.0


def test_solver_options_are_the_stable_ones(model):
    assert model.opt.cone == mujoco.mjtCone.mjCONE_PYRAMIDAL
    assert model.opt.impratio == 1.0
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_AUTORESET


@pytest.mark.parametrize("physics_dt_s", [0.01, 0.005, 0.002])
def test_action_zero_stands(physics_dt_s):
    model = load_model(physics_dt_s)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(HOME_KEY).id)
    np.testing.assert_array_equal(data.qpos[7:], DEFAULT_JOINT_POS_RAD)
    data.ctrl[:] = hold_targets_rad(model)
    for _ in range(round(2.0 / physics_dt_s)):
        mujoco.mj_step(model, data)
    assert data.qpos[2] == pytest.approx(HOME_HEIGHT_M, abs=0.012)
    assert data.sensordata.tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0]  # four feet, and nothing else


def test_cameras_are_there(model):
    assert {model.camera(i).name for i in range(model.ncam)} == {"track", "side", "top"}


def test_frames_turn_the_right_way():
    half = np.sqrt(0.5)
    yaw_left_quat_wxyz = np.array([[half, 0, 0, half]])  # the robot looks along +y of the world
    rotation_wb = rotation_matrix(yaw_left_quat_wxyz)
    np.testing.assert_allclose(to_base_frame(rotation_wb, np.array([[0.0, 2.0, 0.0]])), [[2.0, 0, 0]], atol=1e-12)
