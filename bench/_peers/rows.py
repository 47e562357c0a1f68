"""Which training loops stand side by side, and with what settings?

Everybody trains `vbot_walk_flat`: the same robot, engine, observation, reward and endings. What differs is who
trains, the network, and the physics step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TASK = "vbot_walk_flat"
FINE = {"env.physics_dt_s": 0.005}  # 4 physics steps for a control step, as legged_gym has it
# rsl_rl's own defaults (MLPModel and PPO of 5.5); the 24 control steps are those of its example configuration.
RSL_HIDDEN = (256, 256, 256)
RSL_EPOCHS = 5
RSL_NUM_ENVS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One training loop. `params` are settings of our task (the peers read its `env.` and `reward.` part)."""

    name: str
    peer: Literal["vbotd", "rsl_rl", "sb3"]
    what: str
    params: Mapping[str, Any] = field(default_factory=dict)
    num_envs: int | None = None  # None: the task's own
    options: Mapping[str, Any] = field(default_factory=dict)  # the peer's, see its file


ROWS = (
    Row(name="vbotd", peer="vbotd", what="vbotd as shipped"),
    Row(
        name="vbotd-equal",
        peer="vbotd",
        what="vbotd with rsl_rl's physics, network, precision and epochs",
        params={
            **FINE,
            "ppo.hidden": RSL_HIDDEN,
            "ppo.epochs": RSL_EPOCHS,
            "ppo.minibatches": 4,
            "ppo.rollout": 24,
            "ppo.update_precision": "float32",
        },
        num_envs=RSL_NUM_ENVS,
    ),
    Row(
        name="rsl_rl",
        peer="rsl_rl",
        what="rsl_rl as it comes (256-256-256, 5 epochs), 4 x 5 ms",
        params=FINE,
        num_envs=RSL_NUM_ENVS,
    ),
    Row(
        name="rsl_rl-shipped-physics",
        peer="rsl_rl",
        what="rsl_rl as it comes, with the task's own physics step",
        num_envs=RSL_NUM_ENVS,
    ),
    Row(
        name="rsl_rl-task",
        peer="rsl_rl",
        what="rsl_rl as it comes, with the task's own physics step and number of robots",
    ),
    Row(
        name="rsl_rl-locomotion",
        peer="rsl_rl",
        what="rsl_rl as legged_gym, Isaac Lab and mjlab set it up (512-256-128), 4 x 5 ms",
        params=FINE,
        num_envs=RSL_NUM_ENVS,
        options={"hidden": (512, 256, 128)},
    ),
    Row(
        name="rsl_rl-ours",
        peer="rsl_rl",
        what="rsl_rl with vbotd's physics, network, precision, epochs and number of robots",
        options={"like_vbotd": True},
    ),
    Row(name="sb3", peer="sb3", what="Stable-Baselines3 as it comes, 8 robots in a DummyVecEnv"),
    Row(
        name="sb3-ours",
        peer="sb3",
        what="Stable-Baselines3 with vbotd's network and epochs, minibatches of 512, 8 robots in a DummyVecEnv",
        options={"like_vbotd": True},
    ),
    Row(
        name="sb3-batch",
        peer="sb3",
        what="Stable-Baselines3 with vbotd's network, epochs and number of robots, on the batch",
        options={"like_vbotd": True, "batch": True},
    ),
)


def find(name: str) -> Row:
    """Return a row by its name."""
    return next(row for row in ROWS if row.name == name)
