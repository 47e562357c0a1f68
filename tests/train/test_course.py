"""Does the course collect, score, celebrate and end episodes by the published rules?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from vbotd.train.tasks import registry, routes
from vbotd.train.tasks.course import Course, standing_quat
from vbotd.train.tasks.environment import Environment, StepResult
from vbotd.train.tasks.robot import rotation_matrix
from vbotd.train.tasks.settings import resolve
from vbotd.train.terrain.ground import LANE_M

COURSES = ("section011", "section012", "section012_stairs", "section013", "long_course")
QUIET = {
    "env.reset_joint_noise_rad": 0.0,
    "env.reset_speed_mps": 0.0,
    "env.terrain_variants": 1,
    "env.spawn_along": 0.0,
}


def make(name: str, num_envs: int = 4, **params: object) -> Environment:
    card = registry.find(f"vbot_navigation_{name}")
    return registry.call_target(card.factory)(resolve(card, QUIET | params), num_envs, 1, 1)


def course_of(env: Environment) -> Course:
    assert isinstance(env.task, Course)
    return env.task


def put(env: Environment, x: float, y: float, *, yaw: float = 0.0, above_m: float = 0.28) -> None:
    """Stand all robots at a place of the course, at rest."""
    course = course_of(env)
    n = env.num_envs
    z = course.ground.height(course.variant, np.full(n, x), np.full(n, y))
    qpos = np.tile(env.home_qpos, (n, 1))
    qpos[:, 0] = x + course.variant * LANE_M
    qpos[:, 1], qpos[:, 2] = y, z + above_m
    qpos[:, 3], qpos[:, 6] = math.cos(yaw / 2.0), math.sin(yaw / 2.0)
    env.sim.reset(np.arange(n), qpos, np.zeros((n, 18)))


def hold(env: Environment) -> StepResult:
    return env.step(np.zeros((env.num_envs, 12), dtype=np.float32))


@pytest.mark.parametrize(
    ("route", "points"),
    [
        (routes.SECTION011, 20.0),
        (routes.SECTION012_ROUTES["bridge"], 35.0),
        (routes.SECTION012_ROUTES["river"], 55.0),
        (routes.SECTION012_ROUTES["both"], 60.0),
        (routes.SECTION013_ROUTES["ball"], 25.0),
        (routes.SECTION013_ROUTES["gap"], 20.0),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_route_is_worth_what_the_rules_say(route: routes.Route, points: float) -> None:
    assert route.points == points


def test_section011_counts_seven_waypoints() -> None:
    assert sum(w.counted for w in routes.SECTION011.waypoints) == 7


@pytest.mark.parametrize("name", COURSES)
def test_robots_begin_standing_on_the_ground_wherever_they_begin(name: str) -> None:
    env = make(name, 128, **{"env.spawn_along": 1.0})
    obs = env.start()
    assert np.isfinite(obs).all()
    assert course_of(env).clearance_m.min() > 0.15
    assert course_of(env).clearance_m.max() < 0.6
    for _ in range(3):
        result = hold(env)
    assert not env.sim.diverged().any()
    assert np.isfinite(result.obs).all()
    assert result.terminated.mean() < 0.1


def test_a_smiley_counts_when_the_footprint_covers_it_and_not_before() -> None:
    env = make("section011", **{"env.roughness": 0.0})
    env.start()
    course = course_of(env)
    put(env, -3.0 + 0.2, 0.0, yaw=math.pi / 2)  # 0.2 m beside: the footprint is 0.15 m wide to the side
    hold(env)
    assert not course.collected.any()
    put(env, -3.0 + 0.2, 0.0, yaw=0.0)  # 0.2 m behind: it is 0.25 m long
    hold(env)
    assert course.collected[:, 0].all()
    assert course.target.tolist() == [1] * 4


def test_smileys_count_in_any_order_and_packets_only_after_all_of_them() -> None:
    env = make("section011", **{"env.roughness": 0.0})
    env.start()
    course = course_of(env)
    for x, y, expected in [(0.0, 4.4, 0), (3.0, 0.0, 1), (0.0, 0.0, 2), (-3.0, 0.0, 3), (0.0, 4.4, 4)]:
        put(env, x, y)
        hold(env)
        assert course.collected.sum(axis=1).tolist() == [expected] * 4, (x, y)


def test_reaching_a_waypoint_pays_no_jump_of_the_distance() -> None:
    env = make("section011", **{"env.roughness": 0.0})
    env.start()
    course = course_of(env)
    put(env, -3.05, 0.0)
    hold(env)
    hold(env)
    assert course.newly.sum() == 0
    assert np.abs(course.closer_m).max() < 0.05  # the next smiley is 3 m off: that is no step back


def test_the_whole_route_and_a_sit_score_every_point_and_end_the_episode() -> None:
    env = make("section011", **{"env.roughness": 0.0})
    env.start()
    course = course_of(env)
    for waypoint in course.route.waypoints:
        put(env, *waypoint.xy)
        hold(env)
    assert course.target.tolist() == [7] * 4
    x, y = course.route.sit_at
    put(env, x, y)
    fold = np.tile([0.0, 1.6, -3.0], (4, 4)).astype(np.float32)  # thighs up, shins folded to 2.5 rad
    results = (env.step(fold) for _ in range(100))
    result = next(r for r in results if r.finished is not None)
    assert result.finished.success.all()
    assert result.finished.metrics["competition_points"].tolist() == [20.0] * 4
    assert result.finished.metrics["waypoints"].tolist() == [7.0] * 4


def test_a_fall_zeroes_the_section_and_keeps_the_count_of_waypoints() -> None:
    env = make("section011", **{"env.roughness": 0.0})
    env.start()
    course = course_of(env)
    put(env, -3.0, 0.0)
    hold(env)
    qpos = np.tile(env.home_qpos, (4, 1))
    qpos[:, :3] = (-3.0, 0.0, 0.3)
    qpos[:, 3:7] = (math.cos(0.9), math.sin(0.9), 0.0, 0.0)  # on its side
    env.sim.reset(np.arange(4), qpos, np.zeros((4, 18)))
    finished = hold(env).finished
    assert finished is not None and finished.fall.all()
    assert finished.metrics["waypoints"].tolist() == [1.0] * 4
    assert finished.metrics["competition_points"].tolist() == [0.0] * 4
    assert course.collected.sum() == 0  # the next episode begins with nothing


def test_leaving_the_course_is_a_fall() -> None:
    env = make("section011")
    env.start()
    put(env, 5.25, 0.0)
    assert hold(env).terminated.all()


def test_standing_about_ends_the_episode_as_a_time_out() -> None:
    env = make("section011", **{"env.stagnation_s": 1.0})
    env.start()
    for _ in range(51):
        result = hold(env)
    assert result.timed_out.all()
    assert not result.terminated.any()


def test_episodes_that_begin_along_the_route_do_not_count() -> None:
    env = make("section011", 64, **{"env.spawn_along": 1.0, "env.stagnation_s": 1.0})
    env.start()
    began_along = course_of(env).target > 0
    assert 0.7 < began_along.mean() < 1.0  # one part in eight is the start itself
    for _ in range(51):
        result = hold(env)
    assert result.finished is not None
    assert not np.isin(result.finished.env_ids, np.flatnonzero(began_along)).any()


def test_a_blind_robot_sees_35_numbers_less() -> None:
    seeing, blind = make("section013", 2), make("section013", 2, **{"env.height_scan": False})
    assert seeing.task.observation.size - blind.task.observation.size == 35


def test_the_scan_sees_the_stairs_ahead_and_turns_with_the_robot() -> None:
    env = make("section012_stairs", **{"env.roughness": 0.0})
    env.start()
    put(env, 2.0, 11.9, yaw=math.pi / 2)  # 0.43 m before the first step of the right stairs
    ahead = hold(env).obs[:, -35:].reshape(4, 7, 5)
    assert np.allclose(ahead[:, :3], ahead[:, :1], atol=0.03)  # flat from behind to 0.1 m ahead
    assert np.all(ahead[:, 6] > ahead[:, 2] + 0.15)  # 0.9 m ahead: three steps up
    put(env, 2.0, 11.9, yaw=-math.pi / 2)
    away = hold(env).obs[:, -35:].reshape(4, 7, 5)
    assert np.all(away[:, 6] < ahead[:, 6] - 0.15)


def test_a_standing_quat_turns_up_along_the_normal_and_keeps_the_heading() -> None:
    up = np.array([[0.0, -math.sin(0.3), math.cos(0.3)]])
    rotation = rotation_matrix(standing_quat(up, np.array([math.pi / 2])))
    assert rotation[0, :, 2] == pytest.approx(up[0])
    assert rotation[0, :, 0] == pytest.approx([0.0, math.cos(0.3), math.sin(0.3)])
