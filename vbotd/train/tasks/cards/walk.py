"""What does the walking task publish?"""

from __future__ import annotations

from dataclasses import replace

from vbotd.domain.metric import MetricCard
from vbotd.domain.task import TaskCard
from vbotd.train.tasks.cards.robot import COMMON_ENV_CARDS, HEIGHT_SCAN_CARD, PPO_CARDS, ROBOT_TERM_CARDS, env, term

WALK = TaskCard(
    name="vbot_walk_flat",
    summary="walk at a commanded velocity on flat ground for 20 s without falling",
    factory="vbotd.train.tasks.walk:make",
    reference="vbotd.train.tasks.reference:walk_flat",
    metric=MetricCard(
        tag="eval/success_rate", unit="rate", summary="episodes that last 20 s with a forward speed error <= 0.2 m/s"
    ),
    quality=MetricCard(
        tag="eval/speed_error_mps", direction="min", unit="m/s", summary="mean absolute error of the forward speed"
    ),
    env_steps=1_500_000,
    num_envs=512,
    episode_s=20.0,
    params=(
        *PPO_CARDS,
        *COMMON_ENV_CARDS,
        env("episode_s", 20.0, 0.1, 120.0, "s", "length of an episode"),
        env("speed_x_mps", (0.3, 1.0), -2.0, 2.0, "m/s", "range of the commanded forward speed"),
        env("speed_y_mps", (-0.3, 0.3), -1.0, 1.0, "m/s", "range of the commanded sideways speed"),
        env("yaw_rate_radps", (-0.8, 0.8), -2.0, 2.0, "rad/s", "range of the commanded yaw rate"),
        env("command_s", 5.0, 0.1, 120.0, "s", "how long a command stands"),
        env("success_speed_error_mps", 0.2, 0.01, 1.0, "m/s", "largest mean speed error of a success"),
        term("track_velocity_reward", 1.5, 10.0, "exp(-error^2 / 0.1) of the horizontal velocity"),
        term("track_yaw_rate_reward", 0.75, 10.0, "exp(-error^2 / 0.25) of the yaw rate"),
        term("speed_error_cost", -0.5, -10.0, "absolute error of the forward speed"),
        term("fall_event", -3.0, -50.0, "the robot is down"),
        *ROBOT_TERM_CARDS,
    ),
)

WALK_ROUGH = replace(
    WALK,
    name="vbot_walk_rough",
    summary="walk at a commanded velocity over bumps of 0.1 m for 20 s without falling",
    factory="vbotd.train.tasks.walk_rough:make",
    reference="vbotd.train.tasks.reference:walk_over_bumps",
    env_steps=6_000_000,
    num_envs=1024,
    params=(
        # No rule looks at the base's height there: it says nothing about a fall on bumps.
        *(p for p in WALK.params if p.key.startswith(("ppo.", "env.")) and p.key != "env.min_height_m"),
        env("roughness", 1.0, 0.0, 4.0, "", "scale of the bumps; 1 is 0.1 m from the lowest to the highest"),
        HEIGHT_SCAN_CARD,
        *(p for p in WALK.params if p.key.startswith("reward.")),
    ),
)
