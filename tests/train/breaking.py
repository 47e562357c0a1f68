"""A worker entry whose rewards are no numbers: what a diverged training looks like from outside."""

import numpy as np

from vbotd.train import worker
from vbotd.train.runio import RunFolder
from vbotd.train.tasks.walk import Walk


def train(folder: RunFolder) -> None:
    """Train with a reward that is not a number."""
    Walk.reward = lambda self, robot: np.full(len(robot.pos_w_m), np.nan)  # type: ignore[method-assign]
    worker.train(folder)
