"""The predecessor's terms of the flat task, and what its mistakes pay when they are put back."""

import numpy as np
import pytest

from tests.train.test_terms import N, robot
from vbotd.train.tasks import navigation, terms
from vbotd.train.tasks import section001_terms as section001
from vbotd.train.tasks.cards import SECTION001
from vbotd.train.tasks.environment import EnvOptions
from vbotd.train.tasks.robot import RobotView
from vbotd.train.tasks.settings import resolve


def navigating(**overrides: object) -> navigation.Navigation:
    settings = resolve(SECTION001, {key.replace("__", "."): value for key, value in overrides.items()})
    nav = navigation.Navigation(settings, N, EnvOptions.of(settings.env))
    nav.begin(np.arange(N), np.full((N, 3), 0.5), np.zeros((N, 19)))
    return nav


def at(x_m: float, y_m: float = 0.0, **changes: np.ndarray) -> RobotView:
    return robot(pos_w_m=np.tile([x_m, y_m, 0.277], (N, 1)), **changes)


def advanced(nav: navigation.Navigation, view: RobotView, elapsed: int = 1) -> RobotView:
    nav.advance(view, np.full(N, elapsed))
    return view


def moving(*velocity_b_mps: float) -> np.ndarray:
    return np.tile(velocity_b_mps, (N, 1))


def test_position_counts_everywhere_and_the_fine_one_only_after_the_first_reach():
    nav = navigating()
    view = advanced(nav, at(1.0))
    np.testing.assert_allclose(section001.position_reward(view, nav), np.exp(-0.2))
    np.testing.assert_allclose(section001.fine_position_reward(view, nav), 0.0)
    advanced(nav, at(0.4))
    view = advanced(nav, at(1.0))
    np.testing.assert_allclose(section001.fine_position_reward(view, nav), np.exp(-2.0))
    view = advanced(nav, at(2.6))
    np.testing.assert_allclose(section001.fine_position_reward(view, nav), 0.0)


def test_ungated_fine_position_pays_the_hoverer_what_the_predecessor_paid():
    nav = navigating(env__fine_after_reach=False)
    view = advanced(nav, at(0.52))
    np.testing.assert_allclose(12.0 * section001.fine_position_reward(view, nav), 4.24, atol=0.005)


def test_heading_falls_with_the_bearing_and_is_silent_in_the_target():
    nav = navigating()
    # The target lies along -x, the robots look along +x: half a turn.
    np.testing.assert_allclose(section001.heading_reward(advanced(nav, at(3.0)), nav), np.exp(-np.pi / 0.5))
    np.testing.assert_allclose(section001.heading_reward(advanced(nav, at(-3.0)), nav), 1.0)
    np.testing.assert_allclose(section001.heading_reward(advanced(nav, at(0.0, -3.0)), nav), np.exp(-np.pi))
    np.testing.assert_allclose(section001.heading_reward(advanced(nav, at(-0.4)), nav), 0.0)


def test_forward_velocity_is_capped_above_and_not_below():
    nav = navigating()
    pays = section001.forward_velocity_reward
    np.testing.assert_allclose(pays(advanced(nav, at(-3.0, lin_vel_b_mps=moving(0.5, 0.2, 0.1))), nav), 0.5)
    np.testing.assert_allclose(pays(advanced(nav, at(-3.0, lin_vel_b_mps=moving(1.5, 0.0, 0.0))), nav), 0.6)
    np.testing.assert_allclose(pays(advanced(nav, at(-3.0, lin_vel_b_mps=moving(-1.5, 0.0, 0.0))), nav), -1.5)
    np.testing.assert_allclose(pays(advanced(nav, at(-0.4, lin_vel_b_mps=moving(0.5, 0.0, 0.0))), nav), 0.0)
    uncapped = navigating(env__forward_cap_mps=0.0)
    np.testing.assert_allclose(pays(advanced(uncapped, at(-3.0, lin_vel_b_mps=moving(1.5, 0.0, 0.0))), uncapped), 1.5)


def test_distance_is_the_share_of_the_way_and_bounded_behind_the_start():
    nav = navigating()
    nav.spawn_m[:] = 4.0
    np.testing.assert_allclose(section001.distance_reward(advanced(nav, at(1.0)), nav), 0.75)
    np.testing.assert_allclose(section001.distance_reward(advanced(nav, at(8.0)), nav), -0.5)


def test_approach_gives_back_on_the_way_out_what_it_paid_on_the_way_in():
    nav = navigating()
    advanced(nav, at(3.0))
    paid = [section001.approach_progress(advanced(nav, at(x)), nav)[0] for x in (1.0, 3.0, 1.0, 3.0)]
    np.testing.assert_allclose(paid, [2.0, -2.0, 2.0, -2.0])


def test_being_alive_pays_on_after_the_reach_unless_the_old_mistake_is_asked_for():
    for nav, pays in ((navigating(), 1.0), (navigating(env__alive_after_reach=False), 0.0)):
        np.testing.assert_allclose(section001.alive_reward(advanced(nav, at(3.0)), nav), 1.0)
        np.testing.assert_allclose(section001.alive_reward(advanced(nav, at(0.4)), nav), pays)
        np.testing.assert_allclose(section001.alive_reward(advanced(nav, at(3.0)), nav), pays)


def test_a_perfect_stop_pays_two_for_half_a_second_of_every_episode():
    nav = navigating()
    paid = [section001.stop_reward(advanced(nav, at(0.1), elapsed=k), nav)[0] for k in range(101, 151)]
    np.testing.assert_allclose(paid, [2.0] * 25 + [0.0] * 25)  # 25 control steps of 20 ms
    nav.begin(np.arange(N), np.full((N, 3), 0.5), np.zeros((N, 19)))
    np.testing.assert_allclose(section001.stop_reward(advanced(nav, at(0.1), elapsed=3), nav), 2.0)
    np.testing.assert_allclose(section001.still_reward(at(0.1), nav), 1.0)


def test_a_turn_spoils_a_stop_and_speed_voids_it():
    nav = navigating()
    turning = at(0.1, ang_vel_b_radps=moving(0.0, 0.0, 0.1), lin_vel_b_mps=moving(0.2, 0.0, 0.0))
    advanced(nav, turning)
    np.testing.assert_allclose(section001.stop_reward(turning, nav), 2.0 * np.exp(-1.0))
    np.testing.assert_allclose(section001.still_reward(turning, nav), 0.0)
    fast = advanced(nav, at(0.1, lin_vel_b_mps=moving(0.3, 0.0, 0.0)))
    np.testing.assert_allclose(section001.stop_reward(fast, nav), 0.0)
    flying_through = navigating(env__stop_speed_mps=0.0)
    advanced(flying_through, fast)
    assert (section001.stop_reward(fast, flying_through) > 1.2).all()


def test_without_a_budget_standing_in_the_target_pays_for_the_rest_of_the_episode():
    nav = navigating(env__stop_budget_s=0.0)
    advanced(nav, at(0.1), elapsed=1)
    np.testing.assert_allclose(section001.stop_reward(advanced(nav, at(0.1), elapsed=400), nav), 2.0)


def test_speed_near_the_target_is_charged_where_it_does_not_fit_the_distance():
    nav = navigating()
    pays = section001.near_target_speed_cost
    np.testing.assert_allclose(pays(advanced(nav, at(0.4, lin_vel_b_mps=moving(0.5, 0, 0))), nav), 0.09)
    np.testing.assert_allclose(pays(advanced(nav, at(0.4, lin_vel_b_mps=moving(0.1, 0, 0))), nav), 0.0)
    np.testing.assert_allclose(pays(advanced(nav, at(0.6, lin_vel_b_mps=moving(1.0, 0, 0))), nav), 0.0)


def test_the_moat_charges_all_speed_within_two_metres_until_the_reach():
    nav = navigating(env__slowdown_radius_m=2.0, env__slowdown_excess=False)
    view = advanced(nav, at(1.9, lin_vel_b_mps=moving(1.0, 0, 0)))
    np.testing.assert_allclose(section001.near_target_speed_cost(view, nav), 1.0)
    advanced(nav, at(0.4))
    view = advanced(nav, at(1.9, lin_vel_b_mps=moving(1.0, 0, 0)))
    np.testing.assert_allclose(section001.near_target_speed_cost(view, nav), 0.0)


def test_departure_is_charged_in_metres_and_swaying_is_not():
    nav = navigating()
    advanced(nav, at(0.3))
    np.testing.assert_allclose(section001.departure_cost(advanced(nav, at(0.301)), nav), 0.0)
    leaving = section001.departure_cost(advanced(nav, at(0.321)), nav)
    np.testing.assert_allclose(leaving, 1.0)  # m/s
    assert terms.scale("departure_cost", -5.0, 0.02) * leaving[0] == pytest.approx(-5.0 * 0.02)  # 2 cm at 5 per metre
    np.testing.assert_allclose(section001.departure_cost(advanced(nav, at(0.6)), nav), 0.0)


def test_the_boundary_costs_the_metres_beyond_ten():
    nav = navigating()
    np.testing.assert_allclose(section001.boundary_cost(advanced(nav, at(11.5)), nav), 1.5)
    np.testing.assert_allclose(section001.boundary_cost(advanced(nav, at(9.5)), nav), 0.0)


def test_decay_takes_from_rewards_and_from_nothing_else():
    silent = {p.key: 0.0 for p in SECTION001.params if p.key.startswith("reward.")}
    weights = {"reward.alive_reward": 15.0, "reward.time_cost": -1.0, "reward.inner_fence_event": 40.0}
    settings = resolve(SECTION001, silent | weights | {"env.time_decay": 0.5})
    nav = navigation.Navigation(settings, N, EnvOptions.of(settings.env))
    nav.begin(np.arange(N), np.full((N, 3), 0.5), np.zeros((N, 19)))
    view = advanced(nav, at(0.7), elapsed=500)  # the end of an episode of 10 s
    np.testing.assert_allclose(nav.reward(view), 0.02 * (0.5 * 15.0 - 1.0) + 40.0)


def test_two_halves_of_a_decaying_episode_pay_what_the_predecessor_measured():
    nav = navigating(env__time_decay=0.5)
    left = 1.0 - nav.shaping.time_decay * np.arange(1, 1001) / 1000
    assert 2.0 * left[:500].sum() / left.sum() == pytest.approx(1.17, abs=0.005)


def test_joint_velocities_are_summed_squares():
    view = robot(joint_vel_radps=np.full((N, 12), 2.0))
    np.testing.assert_allclose(terms.joint_velocity_cost(view, None), 48.0)


def test_the_predecessors_terms_are_off_by_default_and_their_range_is_inside_the_allowed_one():
    for name in section001.PREDECESSOR_TERMS:
        card = SECTION001.param(f"reward.{name}")
        assert card is not None and card.default == 0.0 and card.search is not None
        assert card.low <= card.search[0] < card.search[1] <= card.high
