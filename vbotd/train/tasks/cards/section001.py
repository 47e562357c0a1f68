"""What does the flat navigation task publish?"""

from __future__ import annotations

from vbotd.domain.metric import MetricCard
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.train.tasks.cards.robot import COMMON_ENV_CARDS, PPO_CARDS, ROBOT_TERM_CARDS, env, term

SECTION001 = TaskCard(
    name="vbot_navigation_section001",
    summary="from anywhere on a flat disc, reach the target in its middle within 10 s, and stop there for 0.5 s",
    factory="vbotd.train.tasks.navigation:make",
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
        env("spawn_radius_m", (2.0, 5.0), 0.0, 12.0, "m", "annulus around the target where robots start"),
        ParamCard(
            key="env.spawn_curriculum",
            default=False,
            scale="fixed",
            summary="start with the nearest fifth of the annulus and widen it as the robots that start far out succeed",
            evaluated_as=False,
        ),
        ParamCard(
            key="reward.goal_progress", default=1.0, low=0.0, high=20.0, unit="1/m", summary="metres nearer the target"
        ),
        term("rest_progress", 2.0, 20.0, "gain of the potential of resting at the target"),
        term("hold_progress", 1.0, 20.0, "gain of the share of the hold"),
        term("facing_reward", 0.2, 5.0, "the robot looks at the target"),
        term("time_cost", -0.5, -10.0, "every second of the episode"),
        term("inner_fence_event", 1.0, 50.0, "first time within 0.75 m of the target in the episode"),
        term("arrival_event", 1.0, 50.0, "first time within 0.5 m of the target in the episode"),
        term("success_event", 5.0, 50.0, "the hold is complete"),
        term("fall_event", -2.0, -50.0, "the robot is down, or off the disc"),
        *ROBOT_TERM_CARDS,
    ),
)
