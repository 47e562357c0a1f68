"""What is the best of many really worth? Less than it scored: it was chosen for its luck as well.

The best of 15 equal settings scores 1.7 seed-to-seed standard deviations above what they are worth. A score is
therefore drawn back towards the mean of all, the more the larger the noise is against the differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from vbotd.core.verdict.noise import squared_deviations

FEWEST = 4  # scores; of fewer, differences cannot be told from noise, so none is believed


def reliability(scores: Sequence[float], spread: float) -> float:
    """Return the share of the scores' variance that is no noise, in 0-1, when each is of one run with that spread.

    Source: empirical Bayes in the normal model, tau^2 / (tau^2 + sigma^2), tau^2 by moments; Efron and Morris 1973,
    Journal of the American Statistical Association 68, 117-130.
    """
    if len(scores) < FEWEST:
        return 0.0
    total = squared_deviations(scores) / (len(scores) - 1)
    return max(0.0, 1.0 - spread**2 / total) if total > 0 else 0.0


def shrunken(score: float, scores: Sequence[float], spread: float) -> float:
    """Return what a run of the setting that had `score` can be expected to score again; `scores` are all of them."""
    mean = fmean(scores)
    return mean + reliability(scores, spread) * (score - mean)
