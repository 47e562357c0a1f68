"""What does every bundled task publish? The learner, the robot, and the terms about the robot alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vbotd.domain.task import ParamCard, ParamScale, ParamValue


def ppo(name: str, default: ParamValue, low: float, high: float, scale: ParamScale, summary: str) -> ParamCard:
    return ParamCard(key=f"ppo.{name}", default=default, low=low, high=high, scale=scale, summary=summary)


def env(
    name: str, default: ParamValue, low: float, high: float, unit: str, summary: str, scale: ParamScale = "fixed"
) -> ParamCard:
    return ParamCard(key=f"env.{name}", default=default, low=low, high=high, unit=unit, scale=scale, summary=summary)


def switch(name: str, default: bool, summary: str) -> ParamCard:
    return ParamCard(key=f"env.{name}", default=default, scale="fixed", summary=summary)


def term(
    name: str, default: float, high: float, summary: str, search: tuple[float, float] | None = None
) -> ParamCard:
    """Return the card of a weight between 0 and `high`; a negative `high` makes it a cost."""
    low, top = (high, 0.0) if high < 0 else (0.0, high)
    if name.endswith("_event"):
        unit = "1/event"
    elif name.endswith("_progress"):
        unit = "1/m"
    else:
        unit = "1/s"
    return ParamCard(
        key=f"reward.{name}", default=default, low=low, high=top, unit=unit, summary=summary, search=search
    )


def searched(cards: Sequence[ParamCard], ranges: Mapping[str, tuple[float, float]]) -> tuple[ParamCard, ...]:
    """Return the cards of terms with the ranges, by the term's name, that a task's search should look in."""
    return tuple(replace(card, search=ranges.get(card.key.removeprefix("reward."), card.search)) for card in cards)


def own_defaults(cards: Sequence[ParamCard], defaults: Mapping[str, ParamValue]) -> tuple[ParamCard, ...]:
    """Return the cards with the defaults, by key, that suit one task."""
    return tuple(replace(card, default=defaults.get(card.key, card.default)) for card in cards)


PPO_CARDS = (
    ppo("learning_rate", 1e-3, 1e-5, 1e-2, "log", "first learning rate of Adam"),
    ParamCard(
        key="ppo.schedule",
        default="adaptive",
        choices=("adaptive", "fixed", "linear"),
        scale="fixed",
        summary="adaptive follows the KL divergence, linear falls to the minimum, fixed stays",
    ),
    ppo("learning_rate_min", 1e-4, 1e-6, 1e-3, "fixed", "lower bound of the schedule"),
    ppo("learning_rate_max", 1e-3, 1e-4, 1e-2, "fixed", "upper bound of the adaptive schedule"),
    ppo("kl_target", 0.01, 1e-3, 0.1, "log", "KL divergence of a minibatch that the adaptive schedule aims at"),
    ppo("rollout", 24, 4, 256, "fixed", "control steps of a rollout"),
    ppo("epochs", 4, 1, 20, "fixed", "passes over a rollout"),
    ppo("minibatches", 4, 1, 64, "fixed", "minibatches of an epoch"),
    ppo("gamma", 0.99, 0.9, 0.9999, "linear", "discount of a control step"),
    ppo("gae_lambda", 0.95, 0.8, 1.0, "linear", "decay of the advantage's trace"),
    ppo("clip", 0.2, 0.05, 0.5, "linear", "bound of the probability ratio"),
    ppo("entropy", 0.005, 0.0, 0.05, "linear", "entropy bonus at the start"),
    ppo("entropy_final", 0.0, 0.0, 0.05, "fixed", "entropy bonus at the end; linear between"),
    ppo("value_loss", 1.0, 0.1, 4.0, "linear", "weight of the value loss"),
    ppo("max_grad_norm", 1.0, 0.1, 10.0, "fixed", "bound of each network's gradient norm"),
    ppo("init_std", 0.8, 0.1, 2.0, "linear", "action standard deviation at the start"),
    ParamCard(
        key="ppo.hidden",
        default=(128.0, 64.0, 32.0),
        low=8,
        high=1024,
        scale="fixed",
        summary="widths of the hidden layers, of the policy and of the value network",
    ),
    ParamCard(
        key="ppo.update_precision",
        default="auto",
        choices=("auto", "float32", "bfloat16"),
        scale="fixed",
        summary="of an update's products; auto: bfloat16 where the CPU has it (avx512_bf16, amx_bf16) "
        "and a layer is 256 wide",
    ),
)

COMMON_ENV_CARDS = (
    env("physics_dt_s", 0.01, 0.001, 0.01, "s", "physics step"),
    env("control_dt_s", 0.02, 0.01, 0.05, "s", "control step"),
    env("action_scale_rad", 0.3, 0.05, 1.0, "rad", "joint offset of action 1", "linear"),
    env("action_smoothing", 0.0, 0.0, 0.95, "", "share of the last action that is kept"),
    env("reset_joint_noise_rad", 0.1, 0.0, 0.4, "rad", "largest joint offset at the start"),
    env("reset_speed_mps", 0.3, 0.0, 1.0, "m/s, rad/s", "largest base velocity at the start"),
    env("max_tilt_deg", 60.0, 20.0, 90.0, "deg", "a fall beyond this tilt"),
    env("min_height_m", 0.15, 0.05, 0.25, "m", "a fall below this base height"),
    env("obs_noise", 0.0, 0.0, 2.0, "", "noise of the observation, in units of its table's half widths; 0: none"),
    env("latency_s", (0.0, 0.0), 0.0, 0.06, "s", "how late an action is, in whole control steps; by episode"),
    env("push_mps", 0.0, 0.0, 2.0, "m/s", "largest push: a jump of the base's horizontal velocity; 0: none"),
    env("push_every_s", 5.0, 0.2, 60.0, "s", "time between two pushes"),
    env("friction", (1.0, 1.0), 0.1, 3.0, "", "factor of the friction of every contact; by episode"),
    env("payload_kg", (0.0, 0.0), 0.0, 10.0, "kg", "mass added to the trunk; by episode"),
    env("motor_strength", (1.0, 1.0), 0.3, 1.5, "", "factor of the torque of all motors; by episode"),
)

ROBOT_TERM_CARDS = (
    term("vertical_velocity_cost", -1.0, -100.0, "squared vertical velocity of the base"),
    term("roll_pitch_rate_cost", -0.05, -20.0, "squared roll and pitch rates"),
    term("orientation_cost", -2.0, -20.0, "squared sine of the tilt"),
    term("torque_cost", -1e-4, -1e-2, "summed squared joint torques"),
    term("joint_velocity_cost", 0.0, -0.1, "summed squared joint velocities"),
    term("joint_acceleration_cost", -2.5e-7, -1e-5, "summed squared joint accelerations"),
    term("action_rate_cost", -0.01, -10.0, "squared change of the action"),
    term("pose_cost", -0.05, -10.0, "squared distance from the default pose"),
    term("hip_cost", -0.5, -10.0, "squared sideways spread of the hips"),
    term("trot_reward", 1.0, 5.0, "diagonal feet agree, lateral feet differ"),
    term("swing_event", 0.5, 10.0, "a landed foot's swing beyond 0.2 s, in seconds; shorter ones cost"),
)

HEIGHT_SCAN_CARD = ParamCard(
    key="env.height_scan",
    default=True,
    scale="fixed",
    summary="the policy sees 35 heights of the ground around the base; false: blind",
)
