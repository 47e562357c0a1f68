"""The predecessor's terms of the course on hand-made states, and that nothing outlives an episode."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.test_terms import N, robot
from vbotd.train.tasks import course_predecessor_terms as terms
from vbotd.train.tasks import registry
from vbotd.train.tasks.course import Course
from vbotd.train.tasks.course_traces import REMEMBERED, CourseShaping
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.settings import resolve

NORTH = np.tile([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], (N, 1, 1))  # looks along +y of the world


def make(name: str = "section011", **params: object) -> Environment:
    card = registry.find(f"vbot_navigation_{name}")
    quiet = {"env.terrain_variants": 1, "env.roughness": 0.0, "env.spawn_along": 0.0, "reward.zone_progress": 1.0}
    settings = resolve(card, quiet | {key.replace("__", "."): value for key, value in params.items()})
    return registry.call_target(card.factory)(settings, N, 1, 1)


def course_of(**params: object) -> Course:
    env = make(**params)
    env.start(np.full((N, env.num_draws), 0.5))  # in the middle of the start box (0, -2.5)
    assert isinstance(env.task, Course)
    return env.task


def at(x_m: float, y_m: float, z_m: float = 0.277, **changes: np.ndarray) -> RobotView:
    return robot(pos_w_m=np.tile([x_m, y_m, z_m], (N, 1)), **changes)


def advanced(course: Course, view: RobotView, elapsed: int = 1) -> RobotView:
    course.advance(view, np.full(N, elapsed))
    return view


def joints(**by_index: float) -> np.ndarray:
    out = np.zeros((N, 12))
    for index, value in by_index.items():
        out[:, int(index[1:])] = value
    return out


def test_position_and_heading_are_those_of_the_waypoint():
    course = course_of()  # the first smiley is at (-3, 0)
    view = advanced(course, at(-3.0, -2.0, rotation_wb=NORTH))
    np.testing.assert_allclose(terms.position_reward(view, course), np.exp(-0.4))
    np.testing.assert_allclose(terms.heading_reward(view, course), 1.0)
    view = advanced(course, at(-3.0, -2.0))
    np.testing.assert_allclose(terms.heading_reward(view, course), np.exp(-np.pi))


def test_forward_velocity_is_capped_above_and_not_below():
    course = course_of()
    for speed, paid in ((0.5, 0.5), (1.5, 0.8), (-1.5, -1.5)):
        view = advanced(course, at(-3.0, -2.0, rotation_wb=NORTH, lin_vel_b_mps=np.tile([speed, 0.3, 0.0], (N, 1))))
        np.testing.assert_allclose(terms.forward_velocity_reward(view, course), paid, atol=1e-12)


def test_zones_pull_from_five_metres_on_and_give_back_what_they_paid():
    course = course_of()
    advanced(course, at(0.0, -2.5))
    there = terms.zone_progress(advanced(course, at(0.0, -1.5)), course)
    side = np.hypot(3.0, 2.5) - np.hypot(3.0, 1.5)
    np.testing.assert_allclose(there, 1.0 + 2.0 * side)  # three smileys, at x -3, 0 and 3
    np.testing.assert_allclose(terms.zone_progress(advanced(course, at(0.0, -2.5)), course), -there)
    advanced(course, at(0.0, -5.0))
    np.testing.assert_allclose(terms.zone_progress(advanced(course, at(0.0, -6.0)), course), 0.0)


def test_a_new_episode_knows_nothing_of_the_last():
    course = course_of()
    advanced(course, at(0.0, 1.0, 1.0))
    qpos = np.zeros((1, 19))
    course.begin(np.array([0]), np.full((1, course.num_draws), 0.5), qpos)
    view = robot(pos_w_m=np.array([[0.0, -2.5, 0.277], [0.0, 1.0, 1.0]]))
    advanced(course, view)
    np.testing.assert_allclose(terms.zone_progress(view, course), 0.0, atol=1e-12)
    np.testing.assert_allclose(terms.height_progress(view, course), 0.0)
    np.testing.assert_allclose(course.traces.acceleration_mps2, 9.81)


def test_being_alive_needs_an_upright_trunk_and_may_fade():
    course = course_of()
    tilted = np.array([[0.5, 0.0, -0.8], [0.8, 0.0, -0.6]])
    np.testing.assert_allclose(terms.alive_reward(robot(gravity_b=tilted), course), [0.5, 0.0])
    fading = course_of(env__alive_decay_s=20.0)
    view = advanced(fading, at(0.0, -2.5), elapsed=250)  # 5 s
    np.testing.assert_allclose(terms.alive_reward(view, fading), 0.75)


def test_a_phase_ends_with_the_last_waypoint_of_its_group():
    course = course_of()
    for x, done in ((-3.0, 0.0), (0.0, 0.0), (3.0, 1.0), (3.0, 0.0)):
        view = advanced(course, at(x, 0.0))
        np.testing.assert_allclose(terms.phase_event(view, course), done)


def test_milestones_count_once_and_not_where_the_episode_starts():
    course = course_of()
    advanced(course, at(0.0, -2.5))
    np.testing.assert_allclose(terms.traversal_event(advanced(course, at(0.0, 5.0, 0.9)), course), 1.0)
    np.testing.assert_allclose(terms.traversal_event(advanced(course, at(0.0, 5.0, 0.9)), course), 0.0)
    ahead = course_of(name="section012")
    np.testing.assert_allclose(terms.traversal_event(advanced(ahead, at(0.0, 9.2, 1.6)), ahead), 0.0)
    np.testing.assert_allclose(terms.traversal_event(advanced(ahead, at(0.0, 12.1, 1.6)), ahead), 1.0)


def test_the_way_to_the_spot_counts_once_all_is_collected():
    course = course_of()
    course.collected[:] = True
    course.target[:] = 7
    course.distance_m[:] = 4.0  # from the platform's middle to the spot (4, 7.83)
    view = advanced(course, at(1.0, 7.83, 1.57))
    np.testing.assert_allclose(terms.spot_progress(view, course), 1.0)
    np.testing.assert_allclose(terms.spot_event(view, course), 0.0)
    view = advanced(course, at(3.5, 7.83, 1.45))
    np.testing.assert_allclose(terms.spot_event(view, course), 1.0)
    np.testing.assert_allclose(terms.sit_reward(view, course), 1.55 - 1.45, atol=1e-3)
    np.testing.assert_allclose(terms.spot_event(advanced(course, at(3.5, 7.83, 1.45)), course), 0.0)


def test_bouncing_pays_for_height_once():
    course = course_of()
    paid = [terms.height_progress(advanced(course, at(0.0, -2.5, z)), course)[0] for z in (0.3, 0.4, 0.3, 0.4, 0.5)]
    np.testing.assert_allclose(paid, [0.0, 0.1, 0.0, 0.0, 0.1], atol=1e-12)


def test_the_height_of_the_waypoint_is_that_of_a_robot_that_stands_there():
    course = course_of()
    advanced(course, at(0.0, -2.5, 0.377))
    gain = terms.height_approach_progress(advanced(course, at(0.0, -2.5, 0.327)), course)
    np.testing.assert_allclose(gain, 0.05, atol=1e-6)
    np.testing.assert_allclose(terms.height_approach_progress(advanced(course, at(0.0, -2.5, 0.2)), course), 0.0)


def test_a_trunk_along_the_slope_is_paid_whatever_way_it_looks():
    course = course_of()
    sine, cosine = np.sin(np.radians(15.0)), np.cos(np.radians(15.0))
    along = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])  # up leans back down the ramp
    straight = along @ NORTH[0]
    view = advanced(course, at(0.0, 4.4, 1.0, rotation_wb=np.stack([along, straight])))
    np.testing.assert_allclose(terms.slope_orientation_reward(view, course), 1.0, atol=0.01)
    level = advanced(course, at(0.0, 4.4, 1.0))
    np.testing.assert_allclose(terms.slope_orientation_reward(level, course), np.exp(-(sine**2) / 0.05), atol=0.03)
    np.testing.assert_allclose(terms.slope_orientation_reward(advanced(course, at(0.0, -2.5)), course), 0.0)


def test_lifting_feet_is_boosted_on_the_bumps_and_by_a_share_before_them():
    course = course_of(env__bump_boost=8.0, env__boost_pre_m=0.5)
    feet = np.tile([False, True, True, True], (N, 1))
    view = advanced(course, at(0.0, 0.0, foot_contact=feet, joint_vel_radps=joints(j2=7.0, j5=4.0)))
    np.testing.assert_allclose(terms.foot_clearance_reward(view, course), 8.0 * 0.2 * 5.0)
    for y, boost in ((-2.0, 4.0), (-2.5, 1.0), (1.9, 1.0)):
        advanced(course, at(0.0, y))
        np.testing.assert_allclose(terms.clearance_boost(course), boost)


def test_legs_cost_where_they_touch_too_fast_or_do_not_move():
    course = course_of(env__bump_contact_scale=0.5)
    view = advanced(course, at(0.0, -2.5, joint_vel_radps=joints(j2=4.0, j5=1.5)))
    np.testing.assert_allclose(terms.swing_contact_cost(view, course), 1.6)
    np.testing.assert_allclose(terms.drag_foot_cost(view, course), 2.0)
    advanced(course, at(0.0, 0.0))
    np.testing.assert_allclose(terms.swing_contact_cost(view, course), 0.8)


def test_the_gait_and_the_motors():
    feet = np.array([[True, False, False, True], [True, True, True, True]])
    np.testing.assert_allclose(terms.stance_reward(robot(foot_contact=feet), None), [1.0, 0.34])
    saturated = terms.torque_saturation_cost(robot(torque_nm=joints(j0=17.0, j2=34.0, j5=17.0)), None)
    np.testing.assert_allclose(saturated, 0.02)
    bouncing = robot(lin_vel_b_mps=np.tile([0.0, 0.0, -1.7], (N, 1)))
    np.testing.assert_allclose(terms.height_oscillation_cost(bouncing, None), 0.2)


def test_an_impact_is_what_an_accelerometer_reads_beyond_15():
    course = course_of()
    advanced(course, at(0.0, -2.5))
    view = advanced(course, at(0.0, -2.5, lin_vel_b_mps=np.tile([0.0, 0.0, 0.3038], (N, 1))))
    np.testing.assert_allclose(terms.impact_cost(view, course), (9.81 + 15.19 - 15.0) ** 2 / 100.0)  # 25 m/s^2


def test_standing_about_costs_more_and_more_and_crouching_at_once():
    course = course_of(env__stagnation_s=2.0)
    course.still[:] = [74, 99]  # of 100 control steps, and one more
    view = advanced(course, at(0.0, -2.5))
    np.testing.assert_allclose(terms.stagnation_cost(view, course), [0.5, 1.0])
    np.testing.assert_allclose(terms.crouch_cost(view, course), 0.0)
    np.testing.assert_allclose(terms.crouch_cost(advanced(course, at(0.0, -2.5, 0.19)), course), 1.0)


def test_a_fall_forfeits_what_the_episode_was_paid_up_to_a_bound():
    course = course_of(reward__waypoint_event=50.0, reward__phase_event=300.0)
    down = {"gravity_b": np.tile([0.0, 1.0, 0.0], (N, 1))}
    advanced(course, at(-3.0, 0.0))
    view = advanced(course, at(0.0, 0.0))
    np.testing.assert_allclose(terms.forfeit_event(view, course), 0.0)
    np.testing.assert_allclose(terms.forfeit_event(advanced(course, at(0.0, 0.0, **down)), course), 100.0)
    advanced(course, at(3.0, 0.0))  # the third smiley and with it the phase: 150 + 300
    np.testing.assert_allclose(0.3 * terms.forfeit_event(advanced(course, at(3.0, 0.0, **down)), course), 100.0)


def test_balls_pay_steady_robots_and_charge_others():
    course = course_of(name="section013")
    shaky = robot(gravity_b=np.array([[0.0, 0.0, -1.0], [0.6, 0.0, -0.8]]))
    advanced(course, at(0.5, 31.23, 1.8))
    np.testing.assert_allclose(terms.ball_contact_reward(shaky, course), [0.5, 0.15])
    np.testing.assert_allclose(terms.ball_unstable_cost(shaky, course), [0.0, 0.35])
    np.testing.assert_allclose(terms.ball_gap_reward(shaky, course), 1.0 / 3.0)
    advanced(course, at(1.5, 30.0, 1.8))
    np.testing.assert_allclose(terms.ball_gap_reward(shaky, course), 0.0)


def test_rewards_fade_only_when_asked_to():
    done, distance_m = np.array([0.0, 1.0]), np.array([2.5, 1.0])
    assert CourseShaping().fade(done, distance_m) is None
    np.testing.assert_allclose(CourseShaping(time_decay=0.5).fade(done, distance_m), [1.0, 0.5])
    np.testing.assert_allclose(CourseShaping(close_floor=0.2).fade(done, distance_m), [1.0, 0.6])


@pytest.mark.parametrize("name", ["section011", "section012", "section012_stairs", "section013", "long_course"])
def test_every_term_runs_on_every_section_and_a_checkpoint_holds_its_memory(name: str):
    weights = {f"reward__{term}": -0.1 if term.endswith("_cost") or term == "forfeit_event" else 0.1
               for term in terms.PREDECESSOR_TERMS}  # fmt: skip
    env = make(name, env__time_decay=0.5, env__close_floor=0.2, **weights)
    env.start()
    for _ in range(5):
        result = env.step(np.ones((N, 12), dtype=np.float32))
        assert np.isfinite(result.rewards).all()
    saved, after = env.save(), [env.step(np.zeros((N, 12), dtype=np.float32)).rewards for _ in range(3)]
    again = make(name, env__time_decay=0.5, env__close_floor=0.2, **weights)
    again.start()
    again.restore(saved)
    for rewards in after:
        np.testing.assert_array_equal(again.step(np.zeros((N, 12), dtype=np.float32)).rewards, rewards)


def test_without_a_weight_nothing_is_remembered():
    assert set(terms.PREDECESSOR_TERMS) >= REMEMBERED
    assert not course_of(reward__zone_progress=0.0).traces.used


def test_the_terms_are_off_by_default_and_their_range_is_inside_the_allowed_one():
    card = registry.find("vbot_navigation_section011")
    for name in terms.PREDECESSOR_TERMS:
        param = card.param(f"reward.{name}")
        assert param is not None and param.default == 0.0, name
        if param.search:
            assert param.low <= param.search[0] < param.search[1] <= param.high, name
