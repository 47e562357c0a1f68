"""A run as the rules look at it: finite series by tag, windows of them, and how far the run is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import median

from vbotd.core.health.context import Context
from vbotd.core.health.thresholds import THRESHOLDS, Thresholds

Points = Sequence[tuple[int, float]]
SeriesByTag = Mapping[str, Points]

RETURN, LENGTH = "train/episode_return", "train/episode_length_s"
FALLS, TIMEOUTS, SUCCESS = "train/fall_rate", "train/timeout_rate", "train/success_rate"
LEVEL, EPISODES = "train/curriculum_level", "train/episodes"
REACHED = "task/reach_rate"
KL, STD, ENTROPY = "ppo/kl", "ppo/action_std", "ppo/entropy"


class Watched:
    """One look at a run. Whatever a rule asks for is there: a tag that was never logged is an empty series."""

    def __init__(self, series: SeriesByTag, context: Context, limits: Thresholds = THRESHOLDS) -> None:
        self.series, self.context, self.limits = series, context, limits
        self._finite: dict[str, list[tuple[int, float]]] = {}
        self.env_steps = max((points[-1][0] for points in series.values() if points), default=context.env_steps)
        self.horizon = max(context.total_env_steps, self.env_steps, 1)
        self.progress = self.env_steps / self.horizon

    def points(self, tag: str) -> list[tuple[int, float]]:
        """Return the finite points (env step, value) of a tag."""
        if tag not in self._finite:
            self._finite[tag] = [point for point in self.series.get(tag, ()) if isfinite(point[1])]
        return self._finite[tag]

    def values(self, tag: str) -> list[float]:
        """Return the finite values of a tag."""
        return [value for _, value in self.points(tag)]

    def window(self, tag: str) -> list[float]:
        """Return the latest values: 15 % of the run, and at least 10."""
        points = self.points(tag)
        begin = bisect_right(points, (int(self.env_steps - self.limits.window_rate * self.horizon), float("inf")))
        return [value for _, value in points[min(begin, max(0, len(points) - self.limits.window_points)):]]

    def latest(self, tag: str, count: int = 5) -> float | None:
        """Return the median of the last few values, None where there is none."""
        values = self.values(tag)
        return median(values[-count:]) if values else None

    def score(self) -> list[tuple[int, float]]:
        """Return the task's metric, more is better, times the curriculum's level where there is one.

        Without the level, success at easy episodes would look better than nearly as much at hard ones.
        """
        sign = 1.0 if self.context.metric_direction == "max" else -1.0
        points, level = self.points(self.context.metric_tag), self.points(LEVEL)
        if sign < 0 or not level or len({value for _, value in level}) == 1:
            return [(step, sign * value) for step, value in points]
        steps = [step for step, _ in level]
        return [(step, value * level[max(bisect_right(steps, step) - 1, 0)][1]) for step, value in points]

    def is_solved(self, share: float = 1.0) -> bool:
        """Say whether the task's metric has reached that share of its target."""
        latest, target = self.latest(self.context.metric_tag), self.target
        if latest is None or target is None:
            return False
        return latest >= share * target if self.context.metric_direction == "max" else latest <= target / share

    @property
    def target(self) -> float | None:
        """Where the task's metric is good enough; None where nobody said."""
        if self.context.target is None and self.context.metric_is_rate and self.context.metric_direction == "max":
            return self.limits.solved_rate
        return self.context.target
