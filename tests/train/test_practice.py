"""Do episodes go where there is something to learn, and does the course look back at them correctly?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.train.tasks import registry
from vbotd.train.tasks.course import Course
from vbotd.train.tasks.courses import difficulties
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.practice import Practice
from vbotd.train.tasks.settings import resolve

TRIED = 2000  # episodes, long enough that the beginning is forgotten


def practised(*success_rates: float) -> Practice:
    """Return what is known of the grounds of a single leg after many episodes."""
    practice = Practice(1, len(success_rates), enabled=True)
    for i, rate in enumerate(success_rates):
        for _ in range(TRIED // 20):
            practice.learn(np.zeros(20, dtype=np.int64), np.full(20, i), np.arange(20) < round(20 * rate))
    return practice


def shares(practice: Practice, leg: int = 0) -> np.ndarray:
    """Return which part of the episodes of a leg goes to each ground."""
    draws = np.linspace(0.0, 1.0, 10_000, endpoint=False)
    grounds = practice.grounds(np.full(len(draws), leg), draws)
    return np.bincount(grounds, minlength=practice.won.shape[1]) / len(draws)


def make(name: str, num_envs: int = 64, **params: object) -> Environment:
    card = registry.find(f"vbot_navigation_{name}")
    return registry.call_target(card.factory)(resolve(card, params), num_envs, 1, 1)


def course_of(env: Environment) -> Course:
    assert isinstance(env.task, Course)
    return env.task


def test_all_grounds_are_alike_before_anything_is_known() -> None:
    assert shares(Practice(1, 4, enabled=True)) == pytest.approx(np.full(4, 0.25), abs=1e-3)


def test_what_is_won_half_the_time_is_practised_most() -> None:
    never, half, always = shares(practised(0.0, 0.5, 1.0))
    assert half > 5.0 * never
    assert half > 5.0 * always
    assert min(never, always) > 0.02  # nothing is given up, and nothing forgotten


def test_a_harder_ground_takes_over_once_an_easier_one_is_won() -> None:
    easy, hard = shares(practised(0.95, 0.6))
    assert hard > 3.0 * easy


def test_each_leg_is_practised_on_ground_of_its_own() -> None:
    practice = Practice(2, 2, enabled=True)
    for i in range(TRIED):
        coin = i % 2 == 0
        practice.learn(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([True, coin, coin, False]))
    assert shares(practice, leg=0)[1] > 0.8  # the easy ground is won, the hard one in reach
    assert shares(practice, leg=1)[0] > 0.8  # the hard ground is out of reach


def test_without_practice_the_draws_are_uniform_and_nothing_is_learnt() -> None:
    practice = Practice(4, 5, enabled=False)
    practice.learn(np.zeros(1000, dtype=np.int64), np.zeros(1000, dtype=np.int64), np.ones(1000, dtype=bool))
    draws = np.random.default_rng(1).random(1000)
    assert np.array_equal(practice.legs(draws), (draws * 4).astype(int))
    assert np.array_equal(practice.grounds(practice.legs(draws), draws), (draws * 5).astype(int))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.booleans()), min_size=1, max_size=200))
def test_rates_stay_rates_and_choices_exist_whatever_happens(episodes: list[tuple[int, int, bool]]) -> None:
    practice = Practice(3, 2, enabled=True)
    legs, grounds, success = (np.array(column) for column in zip(*episodes, strict=True))
    practice.learn(legs, grounds, success)
    assert ((practice.won >= 0.0) & (practice.won <= 1.0)).all()
    draws = np.linspace(0.0, 1.0, 50, endpoint=False)
    chosen = practice.legs(draws)
    assert set(chosen) <= {0, 1, 2}
    assert set(practice.grounds(chosen, draws)) <= {0, 1}


def test_half_of_the_grounds_rise_and_the_others_are_as_hard_as_asked() -> None:
    assert difficulties(6, rising=True) == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])
    assert difficulties(1, rising=True).tolist() == [1.0]
    assert difficulties(3, rising=False).tolist() == [1.0] * 3


def test_the_course_counts_an_episode_that_came_one_waypoint_further_as_won() -> None:
    env = make("section011", 4, **{"env.spawn_along": 0.0})
    env.start()
    course = course_of(env)
    env.step(np.zeros((4, 12), dtype=np.float32))
    course.collected[:2, 0] = True
    course.variant[:] = 3
    env._reset(np.arange(4), np.full((4, env.num_draws), 0.5))
    assert course.practice.won[0, 3] == 0.5  # noted, not yet learnt
    course.practice.learn(*course.practice.take())
    rate = course.practice.won[0, 3]
    assert rate == pytest.approx(0.5)  # two of four, on the leg from the start
    env.step(np.zeros((4, 12), dtype=np.float32))
    course.collected[:, 0] = True
    course.variant[:] = 2
    env._reset(np.arange(4), np.full((4, env.num_draws), 0.5))
    course.practice.learn(*course.practice.take())
    assert course.practice.won[0, 2] > 0.5
    assert course.practice.won[0, 4] == 0.5  # nobody was there


def test_an_evaluation_knows_no_practice_and_no_easy_ground() -> None:
    card = registry.find("vbot_navigation_section013")
    bare = {p.key: p.evaluated_as for p in card.params if p.evaluated_as is not None}
    course = course_of(make("section013", 4, **bare))
    assert not course.practice.enabled
    assert course.level == pytest.approx(1.0)


def test_what_was_practised_is_part_of_a_checkpoint() -> None:
    one, other = make("section011", 4), make("section011", 4)
    one.start()
    other.start()
    nowhere = np.zeros(50, dtype=np.int64)
    course_of(one).practice.learn(nowhere, nowhere, np.ones(50, dtype=bool))
    other.restore(one.save())
    assert course_of(other).practice.won[0, 0] == course_of(one).practice.won[0, 0] > 0.5


@pytest.mark.parametrize(("name", "route"), [("section012", "river"), ("section012", "bridge"), ("section013", "ball")])
def test_robots_begin_standing_also_where_steps_are_lower(name: str, route: str) -> None:
    env = make(name, 256, **{"env.spawn_along": 1.0, "env.route": route, "env.terrain_variants": 4})
    env.start()
    clearance_m = course_of(env).clearance_m
    assert clearance_m.min() > 0.15
    assert clearance_m.max() < 0.6


def test_the_gate_of_a_waypoint_is_as_far_above_a_lower_landing() -> None:
    params = {"env.steps": 0.5, "env.terrain_levels": False, "env.spawn_along": 0.0, "env.terrain_variants": 1}
    env = make("section012", 2, **params)
    env.start()
    course = course_of(env)
    course.collected[:, 0] = True  # the waves
    course.target[:] = 1
    standing_z = 1.294 + 0.5 * 1.5 + 0.277
    qpos = np.tile(env.home_qpos, (2, 1))
    qpos[:, :3] = (-3.0, 14.6, standing_z)
    env.sim.reset(np.arange(2), qpos, np.zeros((2, 18)))
    env.step(np.zeros((2, 12), dtype=np.float32))
    assert standing_z < course.route.waypoints[1].z[0]  # at full height it would not do
    assert course.collected[:, 1].all()
