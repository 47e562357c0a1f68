"""What do the bundled tasks publish? Every setting with its default, range and unit. Loads neither torch nor mujoco."""

from __future__ import annotations

from vbotd.domain.metric import MetricCard
from vbotd.domain.task import ParamCard, ParamScale, ParamValue, TaskCard


def _ppo(name: str, default: ParamValue, low: float, high: float, scale: ParamScale, summary: str) -> ParamCard:
    return ParamCard(key=f"ppo.{name}", default=default, low=low, high=high, scale=scale, summary=summary)


def _env(
    name: str, default: ParamValue, low: float, high: float, unit: str, summary: str, scale: ParamScale = "fixed"
) -> ParamCard:
    return ParamCard(key=f"env.{name}", default=default, low=low, high=high, unit=unit, scale=scale, summary=summary)


def _term(name: str, default: float, high: float, summary: str) -> ParamCard:
    """Return the card of a weight between 0 and `high`; a negative `high` makes it a cost."""
    low, top = (high, 0.0) if high < 0 else (0.0, high)
    if name.endswith("_event"):
        unit = "1/event"
    elif name.endswith("_progress"):
        unit = "1/m"
    else:
        unit = "1/s"
    return ParamCard(key=f"reward.{name}", default=default, low=low, high=top, unit=unit, summary=summary)


PPO_CARDS = (
    _ppo("learning_rate", 1e-3, 1e-5, 1e-2, "log", "first learning rate of Adam"),
    ParamCard(
        key="ppo.schedule",
        default="adaptive",
        choices=("adaptive", "fixed", "linear"),
        scale="fixed",
        summary="adaptive follows the KL divergence, linear falls to the minimum, fixed stays",
    ),
    _ppo("learning_rate_min", 1e-4, 1e-6, 1e-3, "fixed", "lower bound of the schedule"),
    _ppo("learning_rate_max", 1e-3, 1e-4, 1e-2, "fixed", "upper bound of the adaptive schedule"),
    _ppo("kl_target", 0.01, 1e-3, 0.1, "log", "KL divergence of a minibatch that the adaptive schedule aims at"),
    _ppo("rollout", 24, 4, 256, "fixed", "control steps of a rollout"),
    _ppo("epochs", 4, 1, 20, "fixed", "passes over a rollout"),
    _ppo("minibatches", 4, 1, 64, "fixed", "minibatches of an epoch"),
    _ppo("gamma", 0.99, 0.9, 0.9999, "linear", "discount of a control step"),
    _ppo("gae_lambda", 0.95, 0.8, 1.0, "linear", "decay of the advantage's trace"),
    _ppo("clip", 0.2, 0.05, 0.5, "linear", "bound of the probability ratio"),
    _ppo("entropy", 0.005, 0.0, 0.05, "linear", "entropy bonus at the start"),
    _ppo("entropy_final", 0.0, 0.0, 0.05, "fixed", "entropy bonus at the end; linear between"),
    _ppo("value_loss", 1.0, 0.1, 4.0, "linear", "weight of the value loss"),
    _ppo("max_grad_norm", 1.0, 0.1, 10.0, "fixed", "bound of each network's gradient norm"),
    _ppo("init_std", 0.8, 0.1, 2.0, "linear", "action standard deviation at the start"),
    ParamCard(
        key="ppo.hidden",
        default=(128.0, 64.0, 32.0),
        low=8,
        high=1024,
        scale="fixed",
        summary="widths of the hidden layers, of the policy and of the value network",
    ),
)

COMMON_ENV_CARDS = (
    _env("physics_dt_s", 0.01, 0.001, 0.01, "s", "physics step"),
    _env("control_dt_s", 0.02, 0.01, 0.05, "s", "control step"),
    _env("action_scale_rad", 0.3, 0.05, 1.0, "rad", "joint offset of action 1", "linear"),
    _env("action_smoothing", 0.0, 0.0, 0.95, "", "share of the last action that is kept"),
    _env("reset_joint_noise_rad", 0.1, 0.0, 0.4, "rad", "largest joint offset at the start"),
    _env("reset_speed_mps", 0.3, 0.0, 1.0, "m/s, rad/s", "largest base velocity at the start"),
    _env("max_tilt_deg", 60.0, 20.0, 90.0, "deg", "a fall beyond this tilt"),
    _env("min_height_m", 0.15, 0.05, 0.25, "m", "a fall below this base height"),
)

ROBOT_TERM_CARDS = (
    _term("vertical_velocity_cost", -1.0, -10.0, "squared vertical velocity of the base"),
    _term("roll_pitch_rate_cost", -0.05, -1.0, "squared roll and pitch rates"),
    _term("orientation_cost", -2.0, -20.0, "squared sine of the tilt"),
    _term("torque_cost", -1e-4, -1e-2, "summed squared joint torques"),
    _term("joint_acceleration_cost", -2.5e-7, -1e-5, "summed squared joint accelerations"),
    _term("action_rate_cost", -0.01, -0.5, "squared change of the action"),
    _term("pose_cost", -0.05, -2.0, "squared distance from the default pose"),
    _term("hip_cost", -0.5, -10.0, "squared sideways spread of the hips"),
    _term("trot_reward", 1.0, 5.0, "diagonal feet agree, lateral feet differ"),
    _term("swing_event", 0.5, 10.0, "a landed foot's swing beyond 0.2 s, in seconds; shorter ones cost"),
)

WALK = TaskCard(
    name="vbot_walk_flat",
    summary="walk at a commanded velocity on flat ground for 20 s without falling",
    factory="vbotd.train.tasks.walk:make",
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
        _env("episode_s", 20.0, 0.1, 120.0, "s", "length of an episode"),
        _env("speed_x_mps", (0.3, 1.0), -2.0, 2.0, "m/s", "range of the commanded forward speed"),
        _env("speed_y_mps", (-0.3, 0.3), -1.0, 1.0, "m/s", "range of the commanded sideways speed"),
        _env("yaw_rate_radps", (-0.8, 0.8), -2.0, 2.0, "rad/s", "range of the commanded yaw rate"),
        _env("command_s", 5.0, 0.1, 120.0, "s", "how long a command stands"),
        _env("success_speed_error_mps", 0.2, 0.01, 1.0, "m/s", "largest mean speed error of a success"),
        _term("track_velocity_reward", 1.5, 10.0, "exp(-error^2 / 0.1) of the horizontal velocity"),
        _term("track_yaw_rate_reward", 0.75, 10.0, "exp(-error^2 / 0.25) of the yaw rate"),
        _term("speed_error_cost", -0.5, -10.0, "absolute error of the forward speed"),
        _term("fall_event", -3.0, -50.0, "the robot is down"),
        *ROBOT_TERM_CARDS,
    ),
)

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
        _env("episode_s", 10.0, 0.1, 120.0, "s", "length of an episode"),
        _env("spawn_radius_m", (2.0, 5.0), 0.0, 12.0, "m", "annulus around the target where robots start"),
        ParamCard(
            key="reward.goal_progress", default=1.0, low=0.0, high=20.0, unit="1/m", summary="metres nearer the target"
        ),
        _term("rest_progress", 2.0, 20.0, "gain of the potential of resting at the target"),
        _term("hold_progress", 1.0, 20.0, "gain of the share of the hold"),
        _term("facing_reward", 0.2, 5.0, "the robot looks at the target"),
        _term("time_cost", -0.5, -10.0, "every second of the episode"),
        _term("inner_fence_event", 1.0, 50.0, "first time within 0.75 m of the target in the episode"),
        _term("arrival_event", 1.0, 50.0, "first time within 0.5 m of the target in the episode"),
        _term("success_event", 5.0, 50.0, "the hold is complete"),
        _term("fall_event", -2.0, -50.0, "the robot is down, or off the disc"),
        *ROBOT_TERM_CARDS,
    ),
)

TASKS = (WALK, SECTION001)
