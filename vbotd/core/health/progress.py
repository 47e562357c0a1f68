"""Does it still get better, do the observations stay what they were, and how do episodes end?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from vbotd.core.health.robust import mann_kendall, theil_sen
from vbotd.core.health.watched import FALLS, RETURN, Watched
from vbotd.core.trend import trend
from vbotd.domain.finding import Finding

FEWEST = 24
SHIFT, DIVERGED = "ppo/obs_shift", "train/diverged_rate"
FEW_DIVERGED = 0.05


def stalled(watched: Watched) -> list[Finding]:
    """See a run that has stopped getting better before it was good."""
    context, limits = watched.context, watched.limits
    tag = context.metric_tag if watched.points(context.metric_tag) else RETURN
    values = watched.values(tag)
    half = values[len(values) // 2:]
    if len(values) < FEWEST or watched.progress < limits.plateau_grace_rate:
        return []
    if tag == context.metric_tag and watched.is_solved():
        return []
    begun = tag == RETURN or not context.metric_is_rate or median(half) > limits.idle_rate
    paid = watched.values(RETURN)
    # What has not begun yet may still be on its way, as long as the run is young or the return rises.
    if not begun and (len(values) < limits.plateau_idle_points or watched.progress < limits.ending_begun_rate):
        return []
    if not _flat(values, half, watched) or (not begun and paid and trend(paid) != "flat"):
        return []
    if not begun and theil_sen(paid[len(paid) // 2:]) > limits.plateau_gain * (max(paid) - min(paid)):
        return []
    return [Finding(rule="stalled", level="warning", tag=tag, value=median(half), env_steps=watched.env_steps,
                    message=f"{tag} is flat at {median(half):.3g} over the last half of the run ({len(half)} points)",
                    fix="'vbotd audit' shows what the reward pays for; then more exploration, or an easier start")]


def _flat(values: Sequence[float], half: Sequence[float], watched: Watched) -> bool:
    limits = watched.limits
    scale = 1.0 if watched.context.metric_is_rate else max(values) - min(values)
    still = abs(theil_sen(half)) <= limits.plateau_gain * scale or mann_kendall(half) > limits.plateau_p
    return still and trend(half) == "flat" and trend(values) == "flat"


def drift(watched: Watched) -> list[Finding]:
    """See a warm start whose observations are not those that its normaliser knows."""
    values, limits = watched.values(SHIFT), watched.limits
    if not watched.context.warm_started or len(values) < limits.drift_points:
        return []
    now = median(values[-limits.drift_points:])
    if now <= limits.drift_sigmas:
        return []
    return [Finding(rule="observations-drift", level="warning", tag=SHIFT, value=now, env_steps=watched.env_steps,
                    message=f"an observation's mean is {now:.3g} sigmas from what the normaliser knows",
                    fix="start from a checkpoint of a nearer task, or reset the normaliser")]


def endings(watched: Watched) -> list[Finding]:
    """Name what ends most episodes late in the run, where that is no success and no time-out."""
    limits = watched.limits
    if watched.progress < limits.ending_begun_rate:
        return []
    broken, falls = watched.values(DIVERGED)[-10:], watched.values(FALLS)[-limits.std_points:]
    if len(broken) == 10 and median(broken) > FEW_DIVERGED:
        return [Finding(rule="physics-diverges", level="warning", tag=DIVERGED, value=median(broken),
                        env_steps=watched.env_steps, fix="a smaller env.physics_dt_s, or less violent actions",
                        message=f"the simulation blows up in {median(broken):.0%} of the episodes")]
    if len(falls) < limits.std_points or min(falls) <= limits.ending_share:
        return []
    return [Finding(rule="falls", level="info", tag=FALLS, value=median(falls), env_steps=watched.env_steps,
                    message=f"{median(falls):.0%} of the episodes end in a fall",
                    fix="an easier start, a higher price of a fall, or more env steps")]
