"""Is the reward paid for something else than the task? The two ways in which it shows, both from the whole run.

Apart: the return rises while the task's metric falls. Paid to live: the return rises only because episodes get longer,
every second of them is paid for, and the task stays undone. Source: the predecessor's lazy robots, whose reward grew
while success fell from 55 % to 6 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from vbotd.core.health.robust import mann_kendall, noise_sigma, spearman, theil_sen
from vbotd.core.health.watched import LENGTH, REACHED, RETURN, Watched
from vbotd.domain.finding import Finding

FEWEST = 24  # points of a window
SIGNIFICANT = 0.01
GETS_THERE = 0.3  # of the episodes; who stands where it began is at the goal in a tenth of them, when that is near
LOOK = "look at the reward terms that rose: 'vbotd monitor --plot', then 'vbotd audit'"


def reward_without_success(watched: Watched) -> list[Finding]:
    """See the reward rise while the task is done less often: it pays for something else."""
    limits, tag = watched.limits, watched.context.metric_tag
    score, paid = _aligned(watched.score(), watched.points(RETURN))
    half = max(FEWEST, len(score) // 2)
    # Over the last half, and still over the last part of it: what has turned already is let alone.
    for count in (half, max(FEWEST // 2, half // 3)):
        if len(score) < half or not _apart(score[-count:], paid[-count:], watched):
            return []
    s0, s1, r0, r1 = (median(values) for values in (score[-half:][:5], score[-5:], paid[-half:][:5], paid[-5:]))
    material = limits.divergence_loss if watched.context.metric_is_rate else 3.0 * noise_sigma(score)
    if s0 - s1 < max(material, limits.divergence_loss * abs(s0)):
        return []
    sign = 1.0 if watched.context.metric_direction == "max" else -1.0
    return [Finding(rule="reward-without-success", level="error", tag=tag, value=sign * s1, env_steps=watched.env_steps,
                    stop=True, fix=LOOK,
                    message=f"the return rose from {r0:.4g} to {r1:.4g} while {tag} fell from {sign * s0:.3g} to "
                            f"{sign * s1:.3g}")]


def _apart(score: Sequence[float], paid: Sequence[float], watched: Watched) -> bool:
    return (theil_sen(paid) > watched.limits.divergence_gain * (max(paid) - min(paid)) and theil_sen(score) < 0.0
            and spearman(paid, score) < watched.limits.divergence_spearman
            and mann_kendall(paid) < SIGNIFICANT and mann_kendall(score) < SIGNIFICANT)


def _aligned(score: Sequence[tuple[int, float]], paid: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    at = dict(paid)
    both = [(value, at[step]) for step, value in score if step in at]
    return [value for value, _ in both], [value for _, value in both]


def paid_to_live(watched: Watched) -> list[Finding]:
    """See a robot that earns more only by living longer, late in the run, with the task as undone as ever."""
    limits, target = watched.limits, watched.target
    score, paid, lived = (watched.values(tag) for tag in (watched.context.metric_tag, RETURN, LENGTH))
    fewest = min(len(score), len(paid), len(lived))
    if watched.progress < limits.statue_begun_rate or fewest < FEWEST or target is None or target <= 0.0:
        return []
    late = len(score) // 3
    if max(score[-late:]) > limits.idle_rate * target or watched.context.metric_direction == "min":
        return []
    if _gets_there(watched):
        return []
    (r0, r1), (l0, l1) = _ends(paid, fewest), _ends(lived, fewest)
    per_second, growth = r1 / max(l1, 1e-9), _pay_growth(watched)
    lives_longer = l1 > limits.std_growth * l0 and mann_kendall(paid) < SIGNIFICANT and r1 > r0
    if growth is None:  # no term is logged
        growth = per_second / max(r0 / max(l0, 1e-9), 1e-9)
    if not (lives_longer and per_second > 0.0 and 0.0 < growth < limits.pay_growth):
        return []
    return [Finding(rule="paid-to-live", level="error", tag=RETURN, value=r1, env_steps=watched.env_steps, stop=True,
                    message=f"the return rose from {r0:.4g} to {r1:.4g} with the length of the episodes ({l0:.3g} to "
                            f"{l1:.3g} s), {per_second:.3g} for every second, and {watched.context.metric_tag} is "
                            f"{median(score[-late:]):.3g} after {watched.progress:.0%} of the run",
                    fix="pay less for being alive or in place, and more for progress and arrival: 'vbotd audit'")]


def _gets_there(watched: Watched) -> bool:
    """Say whether many robots get to the goal by now, more than at first: then they have half of the task left."""
    reached = watched.values(REACHED)
    return len(reached) >= FEWEST and median(reached[-5:]) > GETS_THERE and theil_sen(reached) > 0.0


def _ends(values: Sequence[float], count: int) -> tuple[float, float]:
    few = max(3, count // 10)
    return median(values[:few]), median(values[-few:])


def _pay_growth(watched: Watched) -> float | None:
    """Return how much more a second pays lately than at first, without events: the price of the early falls hides it.

    None where no term is logged; 0 where a second costs, and living longer is no gain.
    """
    rows = [watched.values(tag) for tag in watched.series if tag.startswith("reward/") and not tag.endswith("_event")]
    rows = [values for values in rows if values]
    if not rows:
        return None
    first, lately = (sum(median(part) for part in parts) for parts in (
        [values[:10] for values in rows], [values[-10:] for values in rows]))
    return lately / max(first, 1e-9) if lately > 0.0 else 0.0
