"""What do a run's series say about how its training goes? Findings for people, from numbers alone.

Each rule is a function of the series; it compares medians of windows, never single points, and shows the
numbers that made it speak. The thresholds are rules of thumb; a finding asks for a look, it proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log
from statistics import median
from typing import Any

from vbotd.core.trend import MIN_POINTS, KeyMetric, finite_values, key_metric, trend
from vbotd.domain.finding import Finding, Level

SeriesByTag = Mapping[str, Sequence[tuple[int, float]]]

SUCCESS, RETURN, STD, ENTROPY, KL = (
    "train/success_rate", "train/episode_return", "ppo/action_std", "ppo/entropy", "ppo/kl")
KEY_TAGS = (SUCCESS, RETURN, "train/episode_length_s", "train/fall_rate", KL, STD, ENTROPY, "ppo/explained_variance")
SOLVED_RATE = 0.95  # success from which a flat curve is good news
NUM_ACTIONS = 12  # of the quadruped; the entropy of a Gaussian policy is a sum over them


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """How a run goes. `left_s` is None while the rate is unknown, `success_rate` before an episode has ended."""

    phase: str
    env_steps: int
    total_env_steps: int
    env_steps_per_s: float
    left_s: float | None
    success_rate: float | None
    metrics: tuple[KeyMetric, ...]
    reward_terms: tuple[KeyMetric, ...]
    findings: tuple[Finding, ...]


def diagnose(series: SeriesByTag, heartbeat: Mapping[str, Any], *, kl_target: float = 0.01) -> Diagnosis:
    """Return what the series and the last heartbeat (empty before the first) say about a run."""
    env_steps, total = int(_number(heartbeat, "env_steps")), int(_number(heartbeat, "total_env_steps"))
    rate, success = _number(heartbeat, "env_steps_per_s"), heartbeat.get("success_rate")
    found = [*non_finite(series), *no_points(series, env_steps), *stalled(series), *exploration(series),
             *kl_too_high(series, kl_target), *reward_without_success(series)]
    return Diagnosis(
        phase=str(heartbeat.get("phase", "unknown")), env_steps=env_steps, total_env_steps=total,
        env_steps_per_s=rate, left_s=max(0, total - env_steps) / rate if rate > 0 else None,
        success_rate=float(success) if isinstance(success, int | float) else None,
        metrics=tuple(key_metric(tag, series[tag]) for tag in KEY_TAGS if tag in series),
        reward_terms=tuple(key_metric(tag, series[tag]) for tag in sorted(series) if tag.startswith("reward/")),
        findings=tuple(sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level))))


def _number(heartbeat: Mapping[str, Any], key: str) -> float:
    value = heartbeat.get(key)
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0


def non_finite(series: SeriesByTag) -> list[Finding]:
    """Name every series that holds NaN or infinity; for a loss, a gradient or a reward that is an error."""
    found = []
    for tag, points in series.items():
        bad = [step for step, value in points if not isfinite(value)]
        if bad:
            level: Level = "error" if tag.startswith(("ppo/", "train/", "reward/")) else "warning"
            found.append(Finding(rule="non-finite", level=level, tag=tag, env_steps=bad[0],
                                 message=f"{tag} is not a finite number in {len(bad)} of {len(points)} points, "
                                         f"first at env step {bad[0]:,}",
                                 fix="lower ppo.learning_rate, and look at the reward terms of that moment"))
    return found


def no_points(series: SeriesByTag, env_steps: int) -> list[Finding]:
    """Say that nothing was logged; a run that has made env steps all the same is blind."""
    if any(series.values()):
        return []
    return [Finding(rule="no-points", level="warning" if env_steps else "info", env_steps=env_steps,
                    message=f"no series yet after {env_steps:,} env steps")]


def stalled(series: SeriesByTag) -> list[Finding]:
    """See a run that has stopped getting better before it was good."""
    tag = SUCCESS if series.get(SUCCESS) else RETURN
    values = finite_values(series.get(tag, ()))
    half = values[len(values) // 2:]
    if len(values) < 3 * MIN_POINTS or trend(half) != "flat" or trend(values) != "flat":
        return []
    latest = median(half)
    if tag == SUCCESS and latest >= SOLVED_RATE:
        return []
    return [Finding(rule="stalled", level="warning", tag=tag, value=latest,
                    message=f"{tag} is flat at {latest:.3g} over the last half of the run ({len(half)} points)",
                    fix="'vbotd audit' shows what the reward pays for; then more exploration, or an easier start")]


def exploration(series: SeriesByTag) -> list[Finding]:
    """See the action noise vanish before the task is solved, or grow without end."""
    success = finite_values(series.get(SUCCESS, ()))
    is_solved = bool(success) and median(success[-5:]) >= SOLVED_RATE
    tag = STD if series.get(STD) else ENTROPY
    values = finite_values(series.get(tag, ()))
    if len(values) < MIN_POINTS:
        return []
    first, latest = median(values[:3]), median(values[-5:])
    # Entropy changes its sign, so only its differences mean anything: exp(change per action) is the ratio of stds.
    ratio_log = log(max(latest, 1e-9) / max(first, 1e-9)) if tag == STD else (latest - first) / NUM_ACTIONS
    collapsed = ratio_log < log(0.1) or (tag == STD and latest < 0.05)
    numbers = f"{tag} went from {first:.3g} to {latest:.3g}"
    if collapsed and not is_solved:
        return [Finding(rule="exploration-collapse", level="warning", tag=tag, value=latest,
                        message=f"{numbers}: hardly anything is tried any more",
                        fix="raise ppo.entropy, or start again with a higher ppo.init_std")]
    if ratio_log > log(1.5) and trend(values) == "up":
        return [Finding(rule="exploration-growth", level="warning", tag=tag, value=latest,
                        message=f"{numbers} and still grows: noise is drowning the policy",
                        fix="lower ppo.entropy")]
    return []


def kl_too_high(series: SeriesByTag, target: float) -> list[Finding]:
    """See updates that move the policy much further than they should."""
    values = finite_values(series.get(KL, ()))
    if not values:
        return []
    recent, peak = median(values[-10:]), max(values[-10:])
    if recent <= 2 * target and peak <= 1.0:
        return []
    return [Finding(rule="kl-high", level="error" if recent > 5 * target or peak > 1.0 else "warning", tag=KL,
                    value=recent, fix="lower ppo.learning_rate or the epochs of an update",
                    message=f"{KL} is {recent:.3g} (median of 10, highest {peak:.3g}), the target is {target:.3g}")]


def _over_last_half(values: Sequence[float]) -> tuple[float, float]:
    middle = len(values) // 2
    return median(values[middle:middle + 5]), median(values[-5:])


def reward_without_success(series: SeriesByTag) -> list[Finding]:
    """See the reward rise while the task is done less often: it pays for something else."""
    rewards, success = finite_values(series.get(RETURN, ())), finite_values(series.get(SUCCESS, ()))
    if trend(rewards) != "up" or trend(success) != "down":
        return []
    (r0, r1), (s0, s1) = _over_last_half(rewards), _over_last_half(success)
    return [Finding(rule="reward-without-success", level="error", tag=SUCCESS, value=s1,
                    message=f"the return rose from {r0:.4g} to {r1:.4g} while success fell from {s0:.1%} to {s1:.1%}",
                    fix="look at the reward terms that rose: 'vbotd monitor --plot', then 'vbotd audit'")]
