"""Which checkpoint is the best? Not one from before any episode could have lasted to the clock."""

from __future__ import annotations

import numpy as np

from vbotd.train import worker
from vbotd.train.loop import score
from vbotd.train.tasks.environment import Finished


def test_the_first_quick_successes_make_no_score(run_folder):
    training = worker.prepare(run_folder())
    won = np.array([True])
    training.recent.add(Finished(env_ids=np.array([0]), success=won, fall=~won, timed_out=~won, diverged=~won,
                                 length_s=np.array([0.5]), total_reward=np.array([1.0]), metrics={}))  # fmt: skip
    whole = training.env.num_envs * training.env.options.episode_steps
    training.env_steps = whole - 1
    assert score(training) is None
    training.env_steps = whole
    assert score(training) == 1.0
