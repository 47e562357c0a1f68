"""Does the value function follow? Its loss against its own past, and the variance that it explains."""

from __future__ import annotations

from math import log10
from statistics import median

from vbotd.core.health.robust import mad_sigma
from vbotd.core.health.watched import Watched
from vbotd.domain.finding import Finding

LOSS, EXPLAINED = "ppo/value_loss", "ppo/explained_variance"
SMALLEST_SIGMA = 0.05  # of log10: 12 %; a loss that hardly moved would otherwise make any change an outlier


def value_loss(watched: Watched) -> list[Finding]:
    """See a value loss that left its own past by orders of magnitude, whatever its unit."""
    limits = watched.limits
    values = [log10(max(value, 1e-12)) for value in watched.values(LOSS)]
    before, now = values[-limits.value_baseline_points - 3:-3], values[-3:]
    if len(before) < 2 * limits.window_points:
        return []
    usual, lowest = median(before), min(now)
    z = (lowest - usual) / max(mad_sigma(before), SMALLEST_SIGMA)
    growth = 10.0 ** (lowest - usual)
    if not (growth > limits.value_growth or (z > limits.value_z and growth > limits.grad_growth)):
        return []
    return [Finding(rule="value-loss", level="warning", tag=LOSS, value=10.0 ** lowest, env_steps=watched.env_steps,
                    message=f"{LOSS} is {10 ** lowest:.3g}, {growth:.3g} times the usual {10 ** usual:.3g}",
                    fix="lower ppo.learning_rate or ppo.value_loss, and look for a reward that has become huge")]


def explained_variance(watched: Watched) -> list[Finding]:
    """See a value function that is worse than a constant, long after it should have begun to work.

    Only told, no warning: where all states are worth about the same there is nothing to explain, as early in good runs.
    """
    limits = watched.limits
    values = watched.values(EXPLAINED)[-limits.explained_points:]
    if len(values) < limits.explained_points or watched.progress < limits.explained_grace_rate or max(values) >= 0.0:
        return []
    return [Finding(rule="value-blind", level="info", tag=EXPLAINED, value=median(values),
                    env_steps=watched.env_steps,
                    message=f"{EXPLAINED} is below 0 in the last {len(values)} points: the value function is no help",
                    fix="smaller rewards, a smaller ppo.gamma, or a higher ppo.value_loss")]
