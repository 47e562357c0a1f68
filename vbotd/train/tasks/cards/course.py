"""What do the tasks of the obstacle course publish?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vbotd.domain.metric import MetricCard
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.train.tasks.cards.course_predecessor import COURSE_PREDECESSOR_CARDS, COURSE_SEARCH, COURSE_SHAPING_CARDS
from vbotd.train.tasks.cards.robot import (
    COMMON_ENV_CARDS,
    HEIGHT_SCAN_CARD,
    PPO_CARDS,
    ROBOT_TERM_CARDS,
    env,
    own_defaults,
    searched,
    term,
)

# What suits a flat floor, and not this ground.
_OWN_DEFAULTS = {
    "env.max_tilt_deg": 70.0,
    "reward.pose_cost": -0.02,
    "reward.orientation_cost": -0.5,
    "reward.vertical_velocity_cost": -0.2,
    "reward.trot_reward": 0.5,
}


def _adapted(cards: Sequence[ParamCard]) -> tuple[ParamCard, ...]:
    return own_defaults([c for c in cards if c.key != "env.min_height_m"], _OWN_DEFAULTS)


COURSE_CARDS = (
    env("terrain_variants", 6, 1, 16, "", "how many grounds, from as many seeds, the robots of a run walk on"),
    env("roughness", 1.0, 0.0, 2.0, "", "scale of the height maps; 1 is the competition's"),
    env("steps", 1.0, 0.1, 1.0, "", "scale of the height of steps and stairs; 1 is the competition's"),
    ParamCard(
        key="env.terrain_levels",
        default=True,
        scale="fixed",
        summary="half of the variants of the ground rise from a part of roughness and steps to all of them",
        evaluated_as=False,
    ),
    ParamCard(
        key="env.practice",
        default=True,
        scale="fixed",
        summary="grounds and places to begin from are drawn by what needs practice: neither lost nor won yet",
        evaluated_as=False,
    ),
    HEIGHT_SCAN_CARD,
    replace(
        env("spawn_along", 0.8, 0.0, 1.0, "", "share of the episodes that begin near a waypoint of the route"),
        evaluated_as=0.0,
    ),
    env("spawn_yaw_share", 1.0, 0.0, 1.0, "", "share of the full circle that the first heading is drawn from"),
    env("stagnation_s", 6.0, 1.0, 120.0, "s", "an episode ends when the robot has not moved 0.6 m for so long"),
)
COURSE_TERM_CARDS = (
    term("goal_progress", 2.0, 20.0, "metres nearer the waypoint"),
    term("waypoint_event", 2.0, 1000.0, "a waypoint is reached"),
    term("facing_reward", 0.3, 5.0, "the robot looks at the waypoint"),
    term("time_cost", -0.5, -10.0, "every second of the episode"),
    term("sit_progress", 2.0, 20.0, "gain of the share of sitting down where the route ends"),
    term("celebration_event", 5.0, 1000.0, "the celebration is complete"),
    term("fall_event", -5.0, -500.0, "the robot is down, or off the course"),
    term("shin_contact_cost", -0.2, -10.0, "shins that touch the ground"),
)
WAYPOINTS = MetricCard(
    tag="eval/waypoint_share", unit="share", summary="share of the route's waypoints reached, mean over episodes"
)
POINTS = MetricCard(
    tag="eval/competition_points", unit="points", summary="points by the published rules; a fall zeroes them"
)


def _course(name: str, summary: str, factory: str, episode_s: float, extra: tuple[ParamCard, ...] = ()) -> TaskCard:
    return TaskCard(
        name=name,
        summary=summary,
        factory=f"vbotd.train.tasks.courses:{factory}",
        reference="vbotd.train.tasks.reference:obstacle_course",
        metric=WAYPOINTS,
        quality=POINTS,
        env_steps=20_000_000,
        num_envs=512,
        episode_s=episode_s,
        params=(
            *PPO_CARDS,
            *_adapted(COMMON_ENV_CARDS),
            env("episode_s", episode_s, 0.1, 300.0, "s", "length of an episode"),
            *COURSE_CARDS,
            *COURSE_SHAPING_CARDS,
            *extra,
            *searched((*COURSE_TERM_CARDS, *_adapted(ROBOT_TERM_CARDS)), COURSE_SEARCH),
            *COURSE_PREDECESSOR_CARDS,
        ),
    )


def _route(default: str, choices: tuple[str, ...], summary: str) -> tuple[ParamCard, ...]:
    return (ParamCard(key="env.route", default=default, choices=choices, scale="fixed", summary=summary),)


SECTION011 = _course(
    "vbot_navigation_section011",
    "over a bumpy field by three smileys, up a ramp by three red packets, onto the platform, and sit down there",
    "make_section011",
    120.0,
)
SECTION012 = _course(
    "vbot_navigation_section012",
    "over waves and stairs, by the suspension bridge or the river bed, and down to the exit platform",
    "make_section012",
    60.0,
    _route("bridge", ("bridge", "river", "both"), "35, 55 or 60 points: no route collects everything"),
)
SECTION012_STAIRS = _course(
    "vbot_navigation_section012_stairs",
    "up the right stairs of section 012, and to its first stepping stone",
    "make_section012_stairs",
    30.0,
)
SECTION013 = _course(
    "vbot_navigation_section013",
    "over a low step and random terrain, past or over the balls, onto the final platform",
    "make_section013",
    120.0,
    _route("ball", ("ball", "gap"), "over a ball (25 points with the celebration) or between two (20)"),
)
LONG_COURSE = _course(
    "vbot_navigation_long_course", "all three sections of the obstacle course, 34 m", "make_long_course", 180.0
)
