"""Is enough tried, and not too much? The spread of the actions.

Never by a ratio of entropies: the entropy of a Gaussian changes its sign, only its differences mean anything.
"""

from __future__ import annotations

from math import log
from statistics import median

from vbotd.core.health.robust import spearman, theil_sen, thinned
from vbotd.core.health.watched import ENTROPY, STD, Watched
from vbotd.domain.finding import Finding

NUM_ACTIONS = 12  # of the quadruped; the entropy of a Gaussian policy is a sum over them
FEWEST = 8


def exploration(watched: Watched) -> list[Finding]:
    """See the action noise vanish before the task is solved, or grow without end."""
    limits = watched.limits
    tag = STD if watched.points(STD) else ENTROPY
    values = watched.values(tag)
    if len(values) < FEWEST:
        return []
    first, now = median(values[:3]), median(values[-5:])
    growth_log = log(max(now, 1e-9) / max(first, 1e-9)) if tag == STD else (now - first) / NUM_ACTIONS
    numbers = f"{tag} went from {first:.3g} to {now:.3g}"
    if growth_log < log(limits.std_share) or (tag == STD and now < limits.std_floor):
        if watched.is_solved(limits.target_rate):
            return []
        return [Finding(rule="exploration-collapse", level="warning", tag=tag, value=now, env_steps=watched.env_steps,
                        message=f"{numbers}: hardly anything is tried any more",
                        fix="raise ppo.entropy, or start again with a higher ppo.init_std")]
    creeps = growth_log > log(limits.std_creep) and _creeps(watched, values)
    if (growth_log > log(limits.std_growth) or creeps) and theil_sen(values[-limits.std_points:]) > 0.0:
        fatal = creeps or (growth_log > log(limits.std_stop) and not is_improving(watched))
        return [Finding(rule="exploration-growth", level="error" if fatal else "warning", tag=tag, value=now,
                        env_steps=watched.env_steps, stop=fatal, fix="lower ppo.entropy, to a third or less",
                        message=f"{numbers} and still grows: noise is drowning the policy")]
    return []


def _creeps(watched: Watched, values: list[float]) -> bool:
    """Say whether the spread has grown all the time, in a run that has learnt nothing by its middle."""
    limits = watched.limits
    if watched.progress < limits.std_creep_begun or len(values) < 2 * limits.std_points or is_improving(watched):
        return False
    few = thinned(values)
    return spearman(range(len(few)), few) > limits.std_creep_rank


def is_improving(watched: Watched) -> bool:
    """Say whether the task's metric is well above nothing, and has not fallen over the window."""
    score = [value for _, value in watched.score()]
    target = watched.target
    if not score or target is None:
        return True
    window = score[-max(watched.limits.window_points, len(score) // 4):]
    begun = median(window[-5:]) > watched.limits.idle_rate * abs(target)
    return begun and theil_sen(window) > 0.0
