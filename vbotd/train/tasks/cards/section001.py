"""What does the flat navigation task publish?

Our own reward set is small; the terms of the predecessor have weight 0 in it. Their `search` is the range that its
AutoML looked in, converted: a rate per control step of 10 ms is 100 times as much per second, a weight of an event or
of metres stays. Its action rate was per 10 ms squared, ours is per 20 ms squared: the same motion counts fourfold.
"""

from __future__ import annotations

from vbotd.domain.metric import MetricCard
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.train.tasks.cards.robot import (
    COMMON_ENV_CARDS,
    PPO_CARDS,
    ROBOT_TERM_CARDS,
    env,
    own_defaults,
    searched,
    switch,
    term,
)

SHAPING_CARDS = (
    env("forward_cap_mps", 0.6, 0.0, 5.0, "m/s", "forward_velocity_reward pays no more for more speed; 0: no cap"),
    env("slowdown_radius_m", 0.5, 0.0, 12.0, "m", "near_target_speed_cost counts within"),
    switch("slowdown_excess", True, "near_target_speed_cost charges speed that does not fit the distance, not all"),
    env("stop_budget_s", 0.5, 0.0, 120.0, "s", "stopping is paid so long after the first reach; 0: without end"),
    env("stop_speed_mps", 0.3, 0.0, 5.0, "m/s", "stopping is paid below this speed; 0: at any"),
    env("time_decay", 0.0, 0.0, 1.0, "", "share of every *_reward that is gone by the end of an episode"),
    switch("fine_after_reach", True, "fine_position_reward counts only after the first reach"),
    switch("alive_after_reach", True, "alive_reward goes on after the first reach"),
)

PREDECESSOR_CARDS = (
    term("position_reward", 0.0, 1000.0, "exp(-distance / 5 m)", (50.0, 300.0)),
    term("heading_reward", 0.0, 1000.0, "exp(-bearing / 0.5 rad), outside of the target", (30.0, 120.0)),
    term("forward_velocity_reward", 0.0, 2000.0, "speed towards the target up to the cap, m/s", (100.0, 250.0)),
    term("distance_reward", 0.0, 1000.0, "share of the way that is done, -0.5 to 1", (50.0, 300.0)),
    term("alive_reward", 0.0, 1000.0, "every second of the episode", (5.0, 30.0)),
    term("approach_progress", 0.0, 1000.0, "metres nearer the target; was clipped at 0", (15.0, 50.0)),
    term("fine_position_reward", 0.0, 5000.0, "exp(-distance / 0.5 m) within 2.5 m", (400.0, 1200.0)),
    term("stop_reward", 0.0, 10000.0, "0-2 for standing still in the target, for a while", (200.0, 1000.0)),
    term("still_reward", 0.0, 10000.0, "a stop without turning, for a while", (400.0, 1600.0)),
    term("near_target_speed_cost", 0.0, -2000.0, "squared excess speed near the target", (-400.0, -50.0)),
    term("departure_cost", 0.0, -200.0, "speed away from the middle of the target, m/s", (-15.0, -1.0)),
    term("boundary_cost", 0.0, -2000.0, "metres beyond 10 m from the middle of the disc", (-500.0, -50.0)),
)
ROBOT_SEARCH = {
    "orientation_cost": (-15.0, -1.0),
    "vertical_velocity_cost": (-60.0, -5.0),
    "action_rate_cost": (-0.75, -0.025),
}

SECTION001 = TaskCard(
    name="vbot_navigation_section001",
    summary="from anywhere on a flat disc, reach the target in its middle within 10 s, and stop there for 0.5 s",
    factory="vbotd.train.tasks.navigation:make",
    reference="vbotd.train.tasks.reference:section001",
    metric=MetricCard(
        tag="eval/success_rate", unit="rate", summary="episodes that end at rest within 0.5 m of the target"
    ),
    quality=MetricCard(
        tag="eval/time_to_goal_s", direction="min", unit="s", summary="mean time of the successes, hold included"
    ),
    env_steps=5_000_000,
    num_envs=512,
    episode_s=10.0,
    params=(
        *PPO_CARDS,
        *COMMON_ENV_CARDS,
        env("episode_s", 10.0, 0.1, 120.0, "s", "length of an episode"),
        *SHAPING_CARDS,
        env("spawn_radius_m", (2.0, 5.0), 0.0, 12.0, "m", "annulus around the target where robots start"),
        ParamCard(
            key="env.spawn_curriculum",
            default=False,
            scale="fixed",
            summary="train from env.spawn_nearest_m on, first near, then widened as robots that start far out succeed",
            evaluated_as=False,
        ),
        env("spawn_nearest_m", 2.0, 0.0, 12.0, "m", "inner radius while the curriculum trains, if it is the smaller"),
        ParamCard(
            key="reward.goal_progress", default=2.0, low=0.0, high=20.0, unit="1/m", summary="metres nearer the target"
        ),
        term("rest_progress", 2.0, 20.0, "gain of the potential of resting at the target"),
        term("hold_progress", 1.0, 20.0, "gain of the share of the hold"),
        term("facing_reward", 0.2, 5.0, "the robot looks at the target"),
        term("time_cost", -0.5, -10.0, "every second of the episode"),
        term("inner_fence_event", 1.0, 500.0, "first time within 0.75 m of the target in the episode", (10.0, 80.0)),
        term("arrival_event", 2.0, 5000.0, "first time within 0.5 m of the target in the episode", (50.0, 200.0)),
        term("success_event", 5.0, 5000.0, "the hold is complete"),
        term("fall_event", -8.0, -500.0, "the robot is down, or off the disc", (-150.0, -50.0)),
        *PREDECESSOR_CARDS,
        *searched(own_defaults(ROBOT_TERM_CARDS, {"reward.trot_reward": 0.5}), ROBOT_SEARCH),
    ),
)
