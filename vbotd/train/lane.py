"""A lane: a share of a run's environments, and the exploring policy in them. What a lane does, it does with one thread.

Lanes know nothing of each other. A run has one for each of its threads, in a process of its own (`lanes.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbotd.train import advantage_share, checkpoint
from vbotd.train.acting import Actor
from vbotd.train.ppo import Ppo
from vbotd.train.tasks.curriculum import Lessons
from vbotd.train.tasks.environment import Environment, Finished
from vbotd.train.telemetry import Shares


@dataclass(slots=True, kw_only=True)
class Collected:
    """What a lane tells of a rollout, besides its columns of it."""

    finished: list[Finished]  # in order of their end
    lessons: Lessons  # what its curriculum has noted; () without one
    rates: dict[str, float]  # what each reward term has paid per second
    paid: dict[str, np.ndarray]  # by term [T, n], in iterations that are measured; else {}
    seconds: dict[str, float]  # by activity


class Lane:
    """Environments, and an actor for them that writes into `actor.rollout`, the lane's columns of the whole."""

    def __init__(self, index: int, env: Environment, actor: Actor, ppo: Ppo) -> None:
        self.index, self.env, self.actor = index, env, actor
        self.alive: Callable[[], None] = lambda: None  # called in every control step, for a heartbeat
        self._ppo = ppo

    def collect(self, measured: bool) -> Collected:
        """Fill the lane's part of the rollout; `measured`: keep what each term pays."""
        env, actor, shares = self.env, self.actor, Shares()
        finished = []
        before_s = env.simulation_s
        with advantage_share.recording(env.task.rewards, measured) as paid:
            obs = env.last_obs
            for t in range(actor.rollout.length):
                with shares.measure("inference"):
                    actions = actor.act(obs, t)
                with shares.measure("environment"):
                    result = env.step(actions)
                with shares.measure("inference"):
                    actor.record(result, t)
                obs = result.obs
                if result.finished is not None:
                    finished.append(result.finished)
                self.alive()
        with shares.measure("inference"):
            actor.returns(obs)
        # The engine runs inside the environment's control step; count it on its own.
        shares.move("environment", "simulation", env.simulation_s - before_s)
        return Collected(
            finished=finished,
            lessons=env.task.curriculum.take() if env.task.curriculum else (),
            rates=env.task.rewards.take_rates(),
            paid={name: np.array(rows) for name, rows in paid.items()},
            seconds=shares.seconds,
        )

    def learn(self, lessons: list[Lessons]) -> None:
        """Make episodes harder or easier by what all lanes have noted, in the order of the lanes."""
        for lesson in lessons:
            if self.env.task.curriculum and lesson:
                self.env.task.curriculum.learn(*lesson)

    def descend(self, minibatch: int, entropy_weight: float) -> None:
        """Leave the gradient of the lane's part of a minibatch where the learner finds it."""
        self._ppo.descend(self.index, minibatch, entropy_weight)

    def save(self) -> dict[str, Any]:
        """Return everything that the lane's next rollout depends on, but for the networks; arrays, and no tensors.

        A tensor that is sent to another process takes a file descriptor and a place in /dev/shm.
        """
        return {
            "env": self.env.save(),
            "rng_numpy": self.env.rng.bit_generator.state,
            "rng_torch": self.actor.generator.get_state().numpy(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on exactly where `save` was called, from tensors: what a checkpoint holds."""
        self.actor.generator.set_state(saved["rng_torch"])
        self.env.rng.bit_generator.state = saved["rng_numpy"]
        self.env.restore(checkpoint.arrays(saved["env"]))
