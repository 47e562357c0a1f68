"""How hard are the episodes of a task now? A level that rises by measured success; never part of an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Lessons = tuple[Any, ...]  # columns [M, ...], a row an episode that has ended; () where there was none

RAISE_AT = 0.8  # success rate at the frontier that raises the level
STEP = 0.1  # of the whole range
WINDOW = 200  # episodes; a rate of 0.8 is then known to 0.03
FRONTIER = 0.7  # episodes from this share of the level on are at the frontier: easy ones prove nothing


class Curriculum(Protocol):
    """What decides how hard episodes are. It notes what becomes of them, and changes only when it is told to learn.

    A run's environments may live in several processes. After a rollout what each has noted goes to all of them, in the
    same order, so that they stay alike.
    """

    def take(self) -> Lessons:
        """Return what has been noted since the last call, in order."""

    @property
    def learn(self) -> Callable[..., None]:
        """Change by what was taken, here or elsewhere: called with the columns."""


class Notes:
    """What a curriculum has noted and not yet learnt; nothing where it is off."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._noted: list[Lessons] = []

    def note(self, *columns: np.ndarray) -> None:
        """Remember ended episodes: columns [M], as `learn` takes them."""
        if self.enabled:
            self._noted.append(columns)

    def take(self) -> Lessons:
        """Return what has been noted since the last call, in order."""
        noted, self._noted = self._noted, []
        return tuple(np.concatenate(column) for column in zip(*noted, strict=True))


class Widening(Notes):
    """A level in 0-1 that widens a range from its easy end: `high(level) = low + level x (high - low)`.

    Only episodes near the frontier count, and only whole ones: easy episodes would carry the level upwards
    without the hard ones being solved (the predecessor's demotion by distance had the same flaw the other way).
    The level never falls; what is forgotten shows in the success rate at the same level.
    """

    def __init__(self, start: float, enabled: bool) -> None:
        super().__init__(enabled)
        self.level = np.array([start if enabled else 1.0])
        self._counts = np.zeros(2, dtype=np.int64)  # frontier episodes since the last change, and successes of them

    @property
    def value(self) -> float:
        """The level, 0-1."""
        return float(self.level[0])

    def learn(self, difficulty: np.ndarray, success: np.ndarray) -> None:
        """Take ended episodes into account: their difficulty [M] in 0-1 of the whole range, and success [M] bool."""
        if not self.enabled or self.value >= 1.0:
            return
        frontier = difficulty >= FRONTIER * self.value
        self._counts += (int(frontier.sum()), int((frontier & success).sum()))
        seen, won = self._counts
        if seen >= WINDOW:
            if won >= RAISE_AT * seen:
                self.level[0] = min(self.value + STEP, 1.0)
            self._counts[:] = 0

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint holds."""
        return {"curriculum_level": self.level, "curriculum_counts": self._counts}
