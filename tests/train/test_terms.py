"""Terms on hand-made states: each number can be checked in the head."""

from dataclasses import replace

import numpy as np
import pytest

from vbotd.train.tasks import navigation, section001_terms, terms, walk
from vbotd.train.tasks.cards import SECTION001, WALK
from vbotd.train.tasks.environment import EnvOptions
from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.settings import resolve

N = 2


def robot(**changes: np.ndarray) -> RobotView:
    """Two robots that stand still at the origin, upright, all feet on the floor."""
    still = RobotView(
        pos_w_m=np.tile([0.0, 0.0, 0.277], (N, 1)),
        rotation_wb=np.tile(np.eye(3), (N, 1, 1)),
        lin_vel_b_mps=np.zeros((N, 3)),
        ang_vel_b_radps=np.zeros((N, 3)),
        gravity_b=np.tile([0.0, 0.0, -1.0], (N, 1)),
        joint_offset_rad=np.zeros((N, 12)),
        joint_vel_radps=np.zeros((N, 12)),
        joint_accel_radps2=np.zeros((N, 12)),
        torque_nm=np.zeros((N, 12)),
        action=np.zeros((N, 12)),
        action_change=np.zeros((N, 12)),
        foot_contact=np.ones((N, 4), dtype=bool),
        foot_landed=np.zeros((N, 4), dtype=bool),
        swing_s=np.zeros((N, 4)),
        trunk_contact=np.zeros(N, dtype=bool),
        shin_contact=np.zeros((N, 4), dtype=bool),
    )
    return replace(still, **changes)


def walking(**overrides: object) -> walk.Walk:
    settings = resolve(WALK, overrides)
    return walk.Walk(settings, N, EnvOptions.of(settings.env))


def navigating() -> navigation.Navigation:
    settings = resolve(SECTION001, {})
    nav = navigation.Navigation(settings, N, EnvOptions.of(settings.env))
    nav.begin(np.arange(N), np.full((N, 3), 0.5), np.zeros((N, 19)))
    return nav


def test_rates_are_weighed_by_the_control_step_and_events_are_not():
    assert terms.scale("orientation_cost", -2.0, 0.02) == -0.04
    assert terms.scale("fall_event", -2.0, 0.02) == -2.0
    assert terms.scale("goal_progress", 3.0, 0.02) == 3.0


def test_tracking_pays_most_at_the_command():
    task = walking()
    task.command = np.array([[0.5, 0.0, 0.3], [0.5, 0.0, 0.3]])
    view = robot(lin_vel_b_mps=np.array([[0.5, 0, 0], [0.0, 0, 0]]), ang_vel_b_radps=np.array([[0, 0, 0.3], [0, 0, 0]]))
    np.testing.assert_allclose(walk.track_velocity_reward(view, task), [1.0, np.exp(-0.25 / 0.1)])
    np.testing.assert_allclose(walk.track_yaw_rate_reward(view, task), [1.0, np.exp(-0.09 / 0.25)])
    np.testing.assert_allclose(walk.speed_error_cost(view, task), [0.0, 0.5])


def test_costs_are_sums_of_squares():
    view = robot(
        torque_nm=np.full((N, 12), 2.0),
        action_change=np.full((N, 12), 0.5),
        gravity_b=np.array([[0.6, 0.0, -0.8], [0.0, 0.0, -1.0]]),
    )
    np.testing.assert_allclose(terms.torque_cost(view, None), [48.0, 48.0])
    np.testing.assert_allclose(terms.action_rate_cost(view, None), [3.0, 3.0])
    np.testing.assert_allclose(terms.orientation_cost(view, None), [0.36, 0.0])


def test_a_trot_pays_one_and_standing_one_half():
    feet = np.array([[True, False, False, True], [True, True, True, True]])
    np.testing.assert_allclose(terms.trot_reward(robot(foot_contact=feet), None), [1.0, 0.5])


def test_a_shuffle_costs_and_a_swing_pays():
    landed = np.zeros((N, 4), dtype=bool)
    landed[:, 0] = True
    swing_s = np.zeros((N, 4))
    swing_s[:, 0] = [0.05, 0.3]
    np.testing.assert_allclose(terms.swing_event(robot(foot_landed=landed, swing_s=swing_s), None), [-0.15, 0.1])


@pytest.mark.parametrize(
    "change",
    [
        {"trunk_contact": np.array([True, False])},
        {"gravity_b": np.array([[0.9, 0.0, -0.436], [0.0, 0.0, -1.0]])},
        {"pos_w_m": np.array([[0, 0, 0.14], [0, 0, 0.277]])},
    ],
)
def test_three_ways_to_fall(change):
    endings = walking().advance(robot(**change), np.ones(N))
    assert endings.fall.tolist() == [True, False]


def test_goal_progress_telescopes_and_may_be_negative():
    nav = navigating()
    total = np.zeros(N)
    for x_m in (3.0, 2.0, 2.5, 1.0):
        nav.advance(robot(pos_w_m=np.tile([x_m, 0, 0.277], (N, 1))), np.ones(N))
        total += section001_terms.goal_progress(robot(), nav)
    radius_m = np.sqrt(2.0**2 + 0.5 * (5.0**2 - 2.0**2))
    np.testing.assert_allclose(total, radius_m - 1.0)


def test_success_needs_half_a_second_at_rest_without_a_break():
    nav = navigating()
    moving = robot(lin_vel_b_mps=np.tile([0.2, 0, 0], (N, 1)))
    for _ in range(24):
        assert not nav.advance(robot(), np.ones(N)).success.any()
    nav.advance(moving, np.ones(N))
    for _ in range(24):
        assert not nav.advance(robot(), np.ones(N)).success.any()
    assert nav.advance(robot(), np.ones(N)).success.all()


def test_arrival_pays_once_an_episode_and_again_in_the_next():
    nav = navigating()
    nav.advance(robot(), np.ones(N))
    assert section001_terms.arrival_event(robot(), nav).tolist() == [1, 1]
    nav.advance(robot(), np.ones(N))
    assert section001_terms.arrival_event(robot(), nav).tolist() == [0, 0]
    nav.begin(np.array([1]), np.full((1, 3), 0.5), np.zeros((1, 19)))
    nav.advance(robot(), np.ones(N))
    assert section001_terms.arrival_event(robot(), nav).tolist() == [0, 1]
    assert section001_terms.inner_fence_event(robot(), nav).tolist() == [0, 1]


def test_leaving_the_disc_is_a_fall():
    nav = navigating()
    endings = nav.advance(robot(pos_w_m=np.array([[12.6, 0, 0.277], [12.4, 0, 0.277]])), np.ones(N))
    assert endings.fall.tolist() == [True, False]


def test_goal_direction_turns_with_the_robot():
    left = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # looks along +y of the world
    view = robot(pos_w_m=np.tile([2.0, 0.0, 0.277], (N, 1)), rotation_wb=np.stack([np.eye(3), left]))
    # The target lies along -x of the world: behind the first robot, to the left of the second.
    np.testing.assert_allclose(section001_terms.goal_direction(view), [[-1, 0], [0, 1]], atol=1e-12)


def test_spawn_is_uniform_by_area():
    nav = navigating()
    draws = np.zeros((N, 3))
    draws[:, 0] = [0.0, 1.0]
    qpos = np.zeros((N, 19))
    nav.begin(np.arange(N), draws, qpos)
    np.testing.assert_allclose(np.hypot(qpos[:, 0], qpos[:, 1]), [2.0, 5.0])


def test_every_weight_has_a_term_and_its_sign():
    tables = {WALK.name: walk.TERMS, SECTION001.name: section001_terms.TERMS}
    for card in (WALK, SECTION001):
        weights = {p.key.removeprefix("reward."): p for p in card.params if p.key.startswith("reward.")}
        assert set(weights) == set(tables[card.name])
        for name, param in weights.items():
            assert name.endswith(("_reward", "_cost", "_progress", "_event")), name
            if name.endswith("_cost"):
                assert param.high == 0.0, name
            if name.endswith("_reward"):
                assert param.low == 0.0, name
