"""What needs practice? Of several situations, the more episodes go to those that are neither lost nor won yet."""

from __future__ import annotations

import numpy as np

MEMORY = 200  # episodes of a situation over which its success rate is a moving average
FLOOR = 0.02  # added to every weight: what is won may be forgotten again, what is lost may have come within reach


class Practice:
    """Success rates of S situations, and the shares of the episodes that follow from them.

    The weight of a situation is p (1 - p) + `FLOOR`, p its success rate: the variance of its outcome, which is what
    there is to learn from. So easy situations come first, give way as they are won, and nothing must be tuned.
    Source: the same weight chooses levels by learnability in Rutherford et al. 2024, arXiv:2408.15099.
    """

    def __init__(self, names: str, situations: int, *, enabled: bool) -> None:
        self.enabled = enabled
        self.won = np.full(situations, 0.5)  # alike, until there is something to tell them apart
        self._name = names

    @property
    def shares(self) -> np.ndarray:
        """The probability [S] of each situation."""
        weights = self.won * (1.0 - self.won) + FLOOR if self.enabled else np.ones(len(self.won))
        shares: np.ndarray = weights / weights.sum()
        return shares

    def choose(self, draws: np.ndarray) -> np.ndarray:
        """Return situations [M] for uniform draws [M] in 0-1; all alike where nothing is learnt."""
        chosen: np.ndarray = np.searchsorted(np.cumsum(self.shares)[:-1], draws, side="right")
        return chosen

    def learn(self, situations: np.ndarray, success: np.ndarray) -> None:
        """Take ended episodes into account: their situations [M], and whether they were won [M] bool."""
        if not self.enabled:
            return
        size = len(self.won)
        counts = np.bincount(situations, minlength=size)
        means = np.bincount(situations, weights=success, minlength=size) / np.maximum(counts, 1)
        self.won += (1.0 - (1.0 - 1.0 / MEMORY) ** counts) * (means - self.won)

    def state(self) -> dict[str, np.ndarray]:
        """Return the array that a checkpoint holds."""
        return {f"practice_{self._name}": self.won}
