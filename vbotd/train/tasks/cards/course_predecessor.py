"""What do the predecessor's terms on the course publish? Weight 0 by default; `search` is where its AutoML looked.

The ranges are those of section 011; those of section 012 where only that has the term. A rate per control step of 10 ms
is 100 times as much per second; its action rate was per 10 ms squared, ours is per 20 ms squared.
"""

from __future__ import annotations

from dataclasses import replace

from vbotd.domain.task import ParamCard
from vbotd.train.tasks.cards.robot import env, term


def _boost(name: str, summary: str, search: tuple[float, float] | None) -> ParamCard:
    return replace(env(name, 1.0, 1.0, 100.0, "", summary, "linear"), search=search)


COURSE_SHAPING_CARDS = (
    env("forward_cap_mps", 0.8, 0.0, 5.0, "m/s", "forward_velocity_reward pays no more for more speed; 0: no cap"),
    replace(
        env("alive_decay_s", 0.0, 0.0, 300.0, "s", "alive_reward fades away in this time; 0: it stays", "linear"),
        search=(15.0, 50.0),
    ),
    env("time_decay", 0.0, 0.0, 1.0, "", "share of every *_reward that is gone by the end of an episode"),
    env("close_floor", 1.0, 0.0, 1.0, "", "what is left of every *_reward at the waypoint, from 2 m on; 1: all"),
    _boost("bump_boost", "factor of foot_clearance_reward on the bumps", (5.0, 25.0)),
    _boost("wave_boost", "same, on the waves", None),
    _boost("stair_boost", "same, on stairs", (5.0, 80.0)),
    _boost("valley_boost", "same, in the river bed and on the bridge", (3.0, 30.0)),
    replace(env("boost_pre_m", 0.7, 0.0, 3.0, "m", "a share of a boost so long before its zone", "linear"),
            search=(0.5, 2.0)),
    replace(env("boost_post_m", 0.0, 0.0, 3.0, "m", "same, behind it", "linear"), search=(0.0, 0.8)),
    replace(env("boost_share", 0.5, 0.0, 1.0, "", "that share", "linear"), search=(0.3, 0.8)),
    replace(env("bump_contact_scale", 1.0, 0.0, 2.0, "", "factor of swing_contact_cost on the bumps", "linear"),
            search=(0.15, 0.8)),
)  # fmt: skip

COURSE_PREDECESSOR_CARDS = (
    term("position_reward", 0.0, 1000.0, "exp(-distance / 5 m) of the waypoint", (50.0, 250.0)),
    term("heading_reward", 0.0, 1000.0, "exp(-bearing / 0.5 rad) of the waypoint", (20.0, 150.0)),
    term("forward_velocity_reward", 0.0, 2000.0, "speed towards the waypoint up to the cap, m/s", (200.0, 1000.0)),
    term("approach_progress", 0.0, 10000.0, "metres nearer the waypoint; was clipped", (200.0, 800.0)),
    term("zone_progress", 0.0, 10000.0, "metres nearer every missing waypoint of the group", (800.0, 3500.0)),
    term("alive_reward", 0.0, 1000.0, "every second upright", (100.0, 400.0)),
    term("phase_event", 0.0, 1000.0, "all waypoints of a group are reached", (40.0, 180.0)),
    term("traversal_event", 0.0, 1000.0, "a line along the course is passed"),
    term("spot_progress", 0.0, 10000.0, "metres nearer the celebration's spot", (50.0, 400.0)),
    term("spot_event", 0.0, 1000.0, "the celebration's spot is reached", (10.0, 80.0)),
    term("sit_reward", 0.0, 10000.0, "metres below standing at the celebration's spot", (100.0, 1500.0)),
    term("height_progress", 0.0, 1000.0, "metres higher than ever before"),
    term("height_approach_progress", 0.0, 1000.0, "metres nearer the waypoint's height than ever before"),
    term("slope_orientation_reward", 0.0, 1000.0, "the trunk is parallel to a slope"),
    term("foot_clearance_reward", 0.0, 1000.0, "calf speed of swinging legs, boosted by zone", (15.0, 70.0)),
    term("stance_reward", 0.0, 1000.0, "two feet on the ground", (0.0, 1.0)),
    term("impact_cost", 0.0, -1000.0, "squared acceleration beyond 15 m/s^2, / 100", (-12.0, -1.5)),
    term("torque_saturation_cost", 0.0, -1000.0, "squared share of the torque limit beyond 0.9", (-12.0, -2.0)),
    term("swing_contact_cost", 0.0, -1000.0, "squared speed of touching calves, / 10", (-2.0, -0.1)),
    term("height_oscillation_cost", 0.0, -1000.0, "vertical speed beyond 1.5 m/s"),
    term("drag_foot_cost", 0.0, -1000.0, "legs that touch the ground and do not move", (-50.0, -8.0)),
    term("stagnation_cost", 0.0, -1000.0, "0-1, rising before a stuck episode is ended", (-250.0, -40.0)),
    term("crouch_cost", 0.0, -1000.0, "the base is less than 0.2 m above the ground", (-250.0, -30.0)),
    term("forfeit_event", 0.0, -1.0, "share of the one-time rewards that a fall takes back"),
    term("ball_gap_reward", 0.0, 1000.0, "0-1, in the middle between two balls"),
    term("ball_contact_reward", 0.0, 1000.0, "0-1, steady on a ball"),
    term("ball_unstable_cost", 0.0, -2000.0, "0-1, unsteady on a ball"),
)
# Of terms that our own set has too.
COURSE_SEARCH = {
    "waypoint_event": (10.0, 60.0),
    "celebration_event": (20.0, 150.0),
    "fall_event": (-100.0, -25.0),
    "orientation_cost": (-3.0, -0.3),
    "vertical_velocity_cost": (-8.0, -0.8),
    "roll_pitch_rate_cost": (-15.0, -3.0),
    "action_rate_cost": (-2.0, -0.375),
    "pose_cost": (-6.0, -0.5),
}
