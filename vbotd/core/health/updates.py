"""Is each update of the size that it should have? KL, clipping, learning rate, gradients."""

from __future__ import annotations

from statistics import median

from vbotd.core.health.watched import KL, Watched
from vbotd.domain.finding import Finding

RATE, CLIP, GRAD = "ppo/learning_rate", "ppo/clip_fraction", "ppo/grad_norm"
FEWEST = 5


def kl_too_high(watched: Watched) -> list[Finding]:
    """See updates that move the policy much further than they should; beyond all measure, it ends the run."""
    values, limits, target = watched.values(KL), watched.limits, watched.context.kl_target
    if not values:
        return []
    recent, peak = median(values[-10:]), max(values[-10:])
    if recent <= limits.kl_warn * target and peak <= limits.kl_single:
        return []
    wild = len(values) >= limits.window_points and min(values[-limits.window_points:]) > limits.kl_stop * target
    fatal = wild and not watched.is_solved(limits.target_rate)
    return [Finding(
        rule="kl-high", level="error" if recent > limits.kl_error * target or peak > limits.kl_single else "warning",
        tag=KL, value=recent, env_steps=watched.env_steps, stop=fatal,
        fix="divide ppo.learning_rate by 3, or lower the epochs of an update, and start again from a checkpoint",
        message=f"{KL} is {recent:.3g} (median of 10, highest {peak:.3g}), the target is {target:.3g}"
                + (", in every one of the last updates: each throws away what was learnt" if fatal else ""))]


def learning_rate(watched: Watched) -> list[Finding]:
    """See an adaptive learning rate run away upwards, or lie at its lower bound."""
    points, context, limits = watched.points(RATE), watched.context, watched.limits
    values = [value for _, value in points]
    if len(values) < FEWEST or context.schedule != "adaptive":
        return []
    first, now = context.learning_rate or values[0], median(values[-3:])
    if first > 0 and now > limits.rate_growth * first:
        return [Finding(rule="rate-runaway", level="warning", tag=RATE, value=now, env_steps=watched.env_steps,
                        message=f"{RATE} went from {first:.2g} to {now:.2g}: no KL seems too large to it",
                        fix="set ppo.schedule=linear, or lower ppo.learning_rate_max")]
    floor = context.learning_rate_min or 1e-4
    pinned = values[-limits.rate_pinned_points:]
    if len(pinned) == limits.rate_pinned_points and max(pinned) <= 1.001 * floor:
        return [Finding(rule="rate-starved", level="info", tag=RATE, value=now, env_steps=watched.env_steps,
                        message=f"{RATE} lies at its lower bound {floor:.2g} for {len(pinned)} points",
                        fix="more environments make a steadier KL; or set ppo.schedule=linear")]
    return []


def clipping(watched: Watched) -> list[Finding]:
    """See most samples clipped, or a policy that does not move for long: updates that are too large, or do nothing."""
    values, limits = watched.values(CLIP), watched.limits
    if len(values) < FEWEST:
        return []
    recent = median(values[-10:])
    if recent > limits.clip_warn:
        return [Finding(rule="clip-high", level="error" if recent > limits.clip_error else "warning", tag=CLIP,
                        value=recent, env_steps=watched.env_steps, fix="lower ppo.learning_rate or ppo.epochs",
                        message=f"{recent:.0%} of the samples are clipped (median of 10)")]
    moved = watched.values(KL)[-limits.dead_points:]
    if len(moved) == limits.dead_points and max(moved) < limits.dead_kl * watched.context.kl_target:
        return [Finding(rule="updates-dead", level="warning", tag=KL, value=max(moved), env_steps=watched.env_steps,
                        message=f"{KL} was at most {max(moved):.2g} in {len(moved)} points: the updates change nothing",
                        fix="raise ppo.learning_rate, and see whether the observations are finite and vary")]
    return []


def gradients(watched: Watched) -> list[Finding]:
    """See gradients far larger than they were; how many are clipped says nothing, since most are in good runs too."""
    values, limits = watched.values(GRAD), watched.limits
    before = values[-limits.value_baseline_points - limits.grad_points:-limits.grad_points]
    if len(before) < 2 * limits.window_points:
        return []
    usual, now = median(before), min(values[-limits.grad_points:])
    if usual <= 0.0 or now <= limits.grad_growth * usual:
        return []
    return [Finding(rule="gradients-grow", level="warning", tag=GRAD, value=now, env_steps=watched.env_steps,
                    message=f"{GRAD} is {now:.3g} and more in {limits.grad_points} points, {usual:.3g} was usual",
                    fix="lower ppo.learning_rate")]
