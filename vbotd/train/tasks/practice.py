"""What needs practice? Of a table of situations, the more episodes go to those that are neither lost nor won yet."""

from __future__ import annotations

import numpy as np

from vbotd.train.tasks.curriculum import Notes

MEMORY = 100  # episodes of a situation over which its success rate is a moving average
FLOOR = 0.02  # added to every weight: what is won may be forgotten again, what is lost may have come within reach


class Practice(Notes):
    """Success rates of situations [L, G], legs of a route on grounds, and the episodes' shares that follow from them.

    The weight of a situation is p (1 - p) + `FLOOR`, p its success rate: the variance of its outcome, which is what
    there is to learn from. So each leg is practised on ground that is as hard as it can bear, easy situations give
    way as they are won, and nothing must be tuned.
    Source: the same weight chooses levels by learnability in Rutherford et al. 2024, arXiv:2408.15099.
    """

    def __init__(self, legs: int, grounds: int, *, enabled: bool) -> None:
        super().__init__(enabled)
        self.won = np.full((legs, grounds), 0.5)  # alike, until there is something to tell them apart

    @property
    def weights(self) -> np.ndarray:
        """How much each situation [L, G] is worth practising; all alike where nothing is learnt."""
        return self.won * (1.0 - self.won) + FLOOR if self.enabled else np.ones_like(self.won)

    def legs(self, draws: np.ndarray) -> np.ndarray:
        """Return legs [M] for uniform draws [M] in 0-1."""
        chosen: np.ndarray = np.searchsorted(_steps(self.weights.sum(axis=1)), draws, side="right")
        return chosen

    def grounds(self, legs: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Return grounds [M] for legs [M] and uniform draws [M] in 0-1."""
        chosen: np.ndarray = (_steps(self.weights)[legs] <= draws[:, None]).sum(axis=1)
        return chosen

    def learn(self, legs: np.ndarray, grounds: np.ndarray, success: np.ndarray) -> None:
        """Take ended episodes [M] into account; `success` is bool."""
        if not self.enabled:
            return
        situations, size = legs * self.won.shape[1] + grounds, self.won.size
        counts = np.bincount(situations, minlength=size)
        means = np.bincount(situations, weights=success, minlength=size) / np.maximum(counts, 1)
        self.won += ((1.0 - (1.0 - 1.0 / MEMORY) ** counts) * (means - self.won.ravel())).reshape(self.won.shape)

    def state(self) -> dict[str, np.ndarray]:
        """Return the array that a checkpoint holds; by this name a warm start may keep it."""
        return {"curriculum_won": self.won}


def _steps(weights: np.ndarray) -> np.ndarray:
    """Return where in 0-1 one choice gives way to the next, [..., K - 1] for weights [..., K]."""
    return np.cumsum(weights / weights.sum(axis=-1, keepdims=True), axis=-1)[..., :-1]
