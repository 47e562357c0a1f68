"""The collapse guard: has the task's metric had its peak, and does it decline for good?

Every long run of the predecessor peaked and then lost 69-96 %, and on average two thirds of its env steps came after
the peak. The guard ends such a run, and says in words from which checkpoint to go on, and how.

It looks at the run in blocks of one hundredth: the median of a block is one evaluation, nearly independent of the
next, whatever the number of iterations. A decline must last, must exceed the noise, and is never looked for while a
curriculum has just become harder.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import median

from vbotd.core.health.robust import noise_sigma, wander_sigma
from vbotd.core.health.thresholds import Thresholds
from vbotd.core.health.watched import EPISODES, LEVEL, Watched
from vbotd.domain.finding import Finding

BLOCKS = 100  # of a run
SMOOTH = 3  # blocks behind a smoothed value
MIN_BLOCKS = 8
RATE_FACTOR = 0.3  # of the learning rate, for the restart


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """A decline, established at env step `at`: from `peak` at `peak_at` to `latest`, by the share `drawdown` of it."""

    at: int
    peak_at: int
    peak: float
    latest: float
    drawdown: float
    bar: float


def collapse(watched: Watched) -> list[Finding]:
    """See a peak and the decline after it, and end the run: what follows would be wasted."""
    decline = first_decline(watched.score(), watched.horizon, watched.limits, levels=watched.points(LEVEL),
                            is_rate=watched.context.metric_is_rate, episodes=watched.points(EPISODES))
    if decline is None:
        return []
    tag = watched.context.metric_tag
    sign = 1.0 if watched.context.metric_direction == "max" else -1.0
    return [Finding(
        rule="collapse", level="error", tag=tag, value=sign * decline.latest, env_steps=decline.at, stop=True,
        message=f"{tag} peaked at {sign * decline.peak:.3g} (env step {decline.peak_at:,}) and has declined by "
                f"{decline.drawdown:.0%} to {sign * decline.latest:.3g} (env step {decline.at:,})",
        fix=restart(watched, decline))]


def restart(watched: Watched, decline: Decline) -> str:
    """Return what to do instead, in words that a person can paste: the checkpoint, the rate, a fresh optimiser."""
    rates = watched.points("ppo/learning_rate")
    steps = [step for step, _ in rates]
    rate = rates[max(bisect_right(steps, decline.peak_at) - 1, 0)][1] if rates else None
    setting = f"--set ppo.learning_rate={max(RATE_FACTOR * rate, 1e-5):.2g}" if rate else "with ppo.learning_rate x 0.3"
    kept = [one for one in watched.context.checkpoints if one.env_steps <= decline.peak_at]
    before = max(kept, key=lambda one: one.env_steps, default=None)
    if before is None:
        return ("no checkpoint from before the peak is there: take the best of the run ('vbotd rank RUN'), or train "
                "again with ppo.learning_rate x 0.3")
    others = [one for one in kept if one.env_steps < before.env_steps]
    earlier = max(others, key=lambda one: one.env_steps, default=None)
    text = (f"start again from the last checkpoint of the rise, with a fresh optimiser and 0.3 times the rate: "
            f"vbotd train {watched.context.task or 'TASK'} --from {before.path} {setting}")
    return text + (f" (if that falls too, from {earlier.path})" if earlier else "")


def first_decline(points: Sequence[tuple[int, float]], horizon: int, limits: Thresholds, *,
                  levels: Sequence[tuple[int, float]] = (), is_rate: bool = True,
                  episodes: Sequence[tuple[int, float]] = ()) -> Decline | None:
    """Return the first decline of a score (more is better) over env steps, None while there is none.

    What it says of a series it would have said, at that moment, of the series up to there.

    Args:
        horizon: env steps of the whole run; a block is a hundredth of it.
        levels: of the curriculum; a step up forgets the peak, since the episodes are harder from then on.
        is_rate: the score is a share of episodes, and has the noise of one.
        episodes: how many ended since the point before; a rate of few swings widely. None: enough.
    """
    blocks = in_blocks(points, horizon)
    steps_up = level_steps(levels, horizon, limits.collapse_level_step)
    counted = counts(episodes, horizon, limits)
    smooth: list[tuple[int, float]] = []
    peak = low = None
    mild = deep = 0
    forgotten = -1
    for count in range(1, len(blocks) + 1):
        block, value = blocks[count - 1][0], median([v for _, v in blocks[max(0, count - SMOOTH):count]])
        smooth.append((block, value))
        if block < limits.collapse_grace_rate * BLOCKS or count < MIN_BLOCKS:
            continue
        risen = next((step for step in reversed(steps_up) if step <= block), None)
        if risen is not None and block - risen < limits.collapse_level_grace_blocks:
            peak, mild, deep, forgotten = None, 0, 0, block
            continue
        low = value if low is None else min(low, value)
        if peak is None or value > peak[1]:
            peak = (block, value)
        if is_rate and peak[1] < limits.collapse_least_rate:
            continue  # it has learnt next to nothing yet, so there is nothing to lose
        spread = max(peak[1] - low, 0.0)
        scale = max(abs(peak[1]), 0.1 * spread, 1e-12)
        drawdown = (peak[1] - value) / scale
        recent = [v for b, v in blocks[max(0, count - 4 * BLOCKS // 10):count] if b > forgotten]
        bar = max(limits.collapse_drawdown, limits.collapse_sigmas * noise(
            recent, peak[1], counted.get(peak[0], limits.episodes_window) if is_rate else 0.0) / scale)
        critical = max(limits.collapse_critical, bar)
        mild, deep = (mild + 1 if drawdown > bar else 0), (deep + 1 if drawdown > critical else 0)
        rising = len(smooth) > SMOOTH and value > smooth[-1 - SMOOTH][1]
        if deep >= limits.collapse_critical_blocks or (mild >= limits.collapse_blocks and not rising):
            return Decline(at=_end(points, block, horizon), peak_at=_middle(peak[0], horizon), peak=peak[1],
                           latest=value, drawdown=drawdown, bar=bar)
    return None


def in_blocks(points: Sequence[tuple[int, float]], horizon: int) -> list[tuple[int, float]]:
    """Return (number of the block, median of its values) of every block that has a point and is over."""
    rows: dict[int, list[float]] = {}
    for step, value in points:
        rows.setdefault(min(step * BLOCKS // horizon, BLOCKS - 1), []).append(value)
    return [(block, median(values)) for block, values in sorted(rows.items())]


def level_steps(levels: Sequence[tuple[int, float]], horizon: int, step: float) -> list[int]:
    """Return the blocks in which the curriculum's level stands higher by that share than a block before."""
    blocks = in_blocks(levels, horizon)
    return [block for (_, before), (block, level) in pairwise(blocks)
            if level > before * (1.0 + step) + 1e-9]


def counts(episodes: Sequence[tuple[int, float]], horizon: int, limits: Thresholds) -> dict[int, float]:
    """Return how many episodes are behind a rate in each block: all so far, at most the trainer's window."""
    found, total = dict[int, float](), 0.0
    for step, count in episodes:
        total += count
        found.setdefault(min(step * BLOCKS // horizon, BLOCKS - 1), min(max(total, 1.0), limits.episodes_window))
    return found


def noise(recent: Sequence[float], peak: float, episodes: float) -> float:
    """Return the standard deviation of a block: as seen, and of a rate (`episodes` > 0) at least what those allow."""
    seen = max(noise_sigma(recent), wander_sigma(recent))
    if episodes <= 0.0:
        return seen
    rate = min(max(peak, 0.0), 1.0)
    return max(seen, sqrt(rate * (1.0 - rate) / episodes))


def _middle(block: int, horizon: int) -> int:
    # A smoothed value stands for the blocks behind it.
    return max(0, (block - SMOOTH // 2)) * horizon // BLOCKS + horizon // (2 * BLOCKS)


def _end(points: Sequence[tuple[int, float]], block: int, horizon: int) -> int:
    return max((step for step, _ in points if min(step * BLOCKS // horizon, BLOCKS - 1) <= block), default=0)
