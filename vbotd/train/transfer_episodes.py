"""The episodes of a transfer check: few, on instances of their own, by the training's policy as it is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vbotd.train import loop
from vbotd.train.evaluate import run_episodes
from vbotd.train.loop import Training
from vbotd.train.runio import RunFolder
from vbotd.train.tasks.environment import Environment
from vbotd.train.transfer import Play, Sample

INSTANCES = 90_001  # what trials are judged and reported on begins beyond a million
FEWEST, MOST = 32, 128
COST_RATE = 0.01  # of the run's env steps, for each of the two times


def player(training: Training, build: Callable[[Mapping[str, Any], int], Environment]) -> Play:
    """Return what plays the check's episodes; `build` makes environments for settings, and so many of them.

    The episodes draw nothing from the training's random numbers, so they change nothing that is learnt. Where the run
    is asked to stop meanwhile, there is nothing to tell.
    """

    def play(params: Mapping[str, Any]) -> Sample:
        policy, normaliser = training.ppo.policy, training.ppo.normaliser
        played = run_episodes(
            make_environment=lambda num_envs: build(params, num_envs),
            policy_of=lambda env: (policy, normaliser),
            episodes=how_many(training),
            instances=INSTANCES,
            folder=_Aside(training),
        )
        if played.stopped:
            return {}
        stayed_up = 1.0 - played.columns["fall"]
        return {training.score_account: _plain(played.columns[training.score_account]), "no fall": _plain(stayed_up)}

    return play


def how_many(training: Training) -> int:
    """Return the number of episodes: as many as the run can spare, and enough to tell a collapse from chance."""
    spare = COST_RATE * training.total_env_steps / training.env.options.episode_steps
    return min(max(int(spare), FEWEST), MOST)


def _plain(column: np.ndarray) -> list[float]:
    """Return an account as numbers 0-1; an episode that has no number, since it diverged, counts as nothing."""
    plain: list[float] = np.clip(np.nan_to_num(column), 0.0, 1.0).tolist()
    return plain


class _Aside(RunFolder):
    """The run's folder while episodes are played aside: the heartbeat goes on being the training's."""

    def __init__(self, training: Training) -> None:
        super().__init__(training.folder.path)
        self._training = training

    def heartbeat(self, **facts: Any) -> None:
        """Tell how far the training is."""
        loop.beat(self._training)

    def stop_requested(self) -> bool:
        """Ask the training's own folder, which hears the signals."""
        return self._training.folder.stop_requested()
