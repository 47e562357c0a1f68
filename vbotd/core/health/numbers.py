"""Are there numbers at all? Series that are not finite, and runs that cannot be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from vbotd.core.health.watched import KL, RETURN, Watched
from vbotd.domain.finding import Finding

# A mean over no episode, or a rate of no time, may be no number in a run that is well.
HARMLESS = ("task/", "perf/")
SEEN_POINTS = 8


def non_finite(series: Mapping[str, Sequence[tuple[int, float]]]) -> list[Finding]:
    """Name every series that holds NaN or infinity; for a loss, a gradient or a reward that ends the run."""
    found = []
    for tag, points in series.items():
        bad = [step for step, value in points if not isfinite(value)]
        if bad:
            fatal = not tag.startswith(HARMLESS)
            found.append(Finding(
                rule="non-finite", level="error" if fatal else "warning", tag=tag, env_steps=bad[0], stop=fatal,
                message=f"{tag} is not a finite number in {len(bad)} of {len(points)} points, first at env step "
                        f"{bad[0]:,}",
                fix="go back two checkpoints, lower ppo.learning_rate, and look at the reward terms of that moment"))
    return found


def no_points(watched: Watched) -> list[Finding]:
    """Say that nothing was logged; a run that has made env steps all the same is blind."""
    if any(watched.series.values()):
        return []
    env_steps = watched.context.env_steps
    return [Finding(rule="no-points", level="warning" if env_steps else "info", env_steps=env_steps,
                    message=f"no series yet after {env_steps:,} env steps")]


def blind(watched: Watched) -> list[Finding]:
    """See a run that updates its policy and never tells what that is good for."""
    if len(watched.points(KL)) < SEEN_POINTS or watched.progress < watched.limits.blind_rate:
        return []
    return [Finding(rule="blind", level="warning", tag=tag, env_steps=watched.env_steps,
                    message=f"{tag} has {len(watched.series.get(tag, ()))} points after {watched.progress:.0%} of the "
                            "run: what it learns cannot be seen",
                    fix="an episode must end within the run: more env steps, or a shorter env.episode_s")
            for tag in dict.fromkeys((RETURN, watched.context.metric_tag)) if len(watched.series.get(tag, ())) < 2]


def silent(watched: Watched) -> list[Finding]:
    """Say that a run has not written for long. That is no failure: nothing is ever stopped for it."""
    context, limits = watched.context, watched.limits
    if context.silent_s is None or context.gap_s is None:
        return []
    if context.silent_s <= max(limits.silent_gaps * context.gap_s, limits.silent_at_least_s):
        return []
    return [Finding(rule="silent", level="warning", value=context.silent_s, env_steps=watched.env_steps,
                    message=f"it has written nothing for {context.silent_s:,.0f} s, {context.gap_s:.3g} s is usual: it "
                            "cannot be observed, which is no failure, and it is left alone",
                    fix="look at its process, its log and the disk: 'vbotd explain RUN', 'vbotd doctor'")]


def slow(watched: Watched) -> list[Finding]:
    """See a run that makes much fewer env steps a second than before."""
    tag = "perf/env_steps_per_s_now"
    values = watched.values(tag)
    if len(values) < watched.limits.value_baseline_points:
        return []
    usual, now = sorted(values)[len(values) // 2], sorted(values[-10:])[5]
    if now >= watched.limits.slow_share * usual:
        return []
    return [Finding(rule="slow", level="info", tag=tag, value=now, env_steps=watched.env_steps,
                    message=f"it makes {now:,.0f} env steps a second, {usual:,.0f} were usual",
                    fix="see what else the machine does: 'vbotd status', 'vbotd doctor'")]
