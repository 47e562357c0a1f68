"""What disturbs the episodes? Noise, delays, pushes, and robots that differ; all of it fixed by the episode's draws.

Nothing here takes a number from a generator. The draws of an episode become its key, and the key and an index become
a number (SplitMix64). So an evaluation with pushes begins where the one without begins, an instance is disturbed in
the same way whichever policy walks it and wherever it runs, and a checkpoint holds no generator for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbotd.train.sim import Simulator
from vbotd.train.tasks.robot import NUM_JOINTS

Range = tuple[float, float]

PHYSICAL = ("friction", "payload_kg", "motor_strength")  # options that change the robot itself
# Indices of an episode's numbers: the physical ones, then these. Pushes and noise take as many as they need.
LATENCY, PUSH_PHASE = 3, 4
FIRST_PUSH = 1 << 20
FIRST_NOISE = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessOptions:
    """The options that every task has; every default means off."""

    obs_noise: float = 0.0  # times the half widths of the observation table
    latency_s: Range = (0.0, 0.0)
    push_mps: float = 0.0  # largest change of the horizontal velocity
    push_every_s: float = 5.0
    friction: Range = (1.0, 1.0)  # times the model's, of everything
    payload_kg: Range = (0.0, 0.0)
    motor_strength: Range = (1.0, 1.0)

    @classmethod
    def of(cls, env: Mapping[str, Any]) -> RobustnessOptions:
        """Pick these options out of a run's env settings."""
        return cls(**{name: env[name] for name in cls.__slots__})


class Robustness:
    """The disturbances of N environments.

    Latency: the joint targets of an action reach the motors whole control steps late, as many in every step of an
    episode; until the first arrives the robot holds its pose. What a policy sees as its last action, and what the
    reward terms judge, is what it asked for.
    Pushes: every `push_every_s` the base's horizontal velocity jumps, by 0 to `push_mps`, in any direction of the
    world. The first of an episode comes at a time of its own.
    Noise: uniform, independent in every number and control step, on the observation alone: rewards and endings
    see the truth.
    """

    def __init__(self, options: RobustnessOptions, num_envs: int, control_dt_s: float, noise: np.ndarray) -> None:
        """Prepare for observations with the half widths `noise` [O].

        Raises: ValueError for a latency that is shorter than half a control step and yet not none.
        """
        self._options = options
        self._latency_steps = tuple(round(bound / control_dt_s) for bound in options.latency_s)
        if options.latency_s[1] > 0.0 and self._latency_steps[1] == 0:
            raise ValueError(
                f"env.latency_s is {options.latency_s[0]} to {options.latency_s[1]}, less than half a control step"
                f" — actions are late by whole control steps of {control_dt_s} s — ask for 0 or for at least one"
            )
        self._push_steps = max(round(options.push_every_s / control_dt_s), 1)
        self._half_width = (options.obs_noise * noise).astype(np.float32)
        self._key = np.zeros(num_envs, dtype=np.int64)  # a checkpoint knows no unsigned numbers
        self._latency = np.zeros(num_envs, dtype=np.int64)  # control steps
        self._push_phase = np.zeros(num_envs, dtype=np.int64)  # control steps
        # Actions that are under way, youngest first.
        self._sent = np.zeros((self._latency_steps[1] + 1, num_envs, NUM_JOINTS))

    def begin(self, ids: np.ndarray, draws: np.ndarray, sim: Simulator) -> None:
        """Fix what disturbs the new episodes of `ids` from their draws [M, K], and change their robots."""
        if self._options == OFF:
            return
        self._key[ids] = np.bitwise_xor.reduce(np.ascontiguousarray(draws, dtype=float).view(np.int64), axis=1)
        self._sent[:, ids] = 0.0
        self._settle(ids, sim)

    def late(self, action: np.ndarray) -> np.ndarray:
        """Take the actions [N, A] of this control step and return those that reach the motors in it."""
        if self._latency_steps[1] == 0:
            return action
        self._sent[1:] = self._sent[:-1]
        self._sent[0] = action
        return self._sent[self._latency, np.arange(len(action))]

    def push(self, sim: Simulator, lived: np.ndarray) -> None:
        """Push the robots whose time it is; `lived` [N] counts the control steps of their episodes before this one."""
        if self._options.push_mps == 0.0:
            return
        pushes, since = np.divmod(lived + self._push_phase, self._push_steps)
        ids = np.flatnonzero(since == 0)
        first = FIRST_PUSH + 2 * pushes[ids]
        size_mps = self._options.push_mps * uniform(self._keys(ids), first)
        direction_rad = 2.0 * np.pi * uniform(self._keys(ids), first + 1)
        sim.qvel[ids, 0] += size_mps * np.cos(direction_rad)
        sim.qvel[ids, 1] += size_mps * np.sin(direction_rad)

    def blur(self, obs: np.ndarray, ids: np.ndarray | slice, lived: np.ndarray) -> np.ndarray:
        """Return the observations [M, O] of `ids` with noise; `lived` [M], the control steps of their episodes."""
        if self._options.obs_noise == 0.0:
            return obs
        size = obs.shape[1]
        index = FIRST_NOISE + size * lived[:, None] + np.arange(size)
        error = 2.0 * uniform(self._keys(ids)[:, None], index) - 1.0
        noisy: np.ndarray = obs + self._half_width * error.astype(np.float32)
        return noisy

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint holds; none where all is off."""
        return {} if self._options == OFF else {"key": self._key, "sent": self._sent}

    def resume(self, sim: Simulator) -> None:
        """Change the robots to what the restored arrays say."""
        if self._options != OFF:
            self._settle(np.arange(len(self._key)), sim)

    def _settle(self, ids: np.ndarray, sim: Simulator) -> None:
        """Derive from the keys what stays the same through the episodes of `ids`."""
        keys = self._keys(ids)
        low, high = self._latency_steps
        self._latency[ids] = (low + uniform(keys, LATENCY) * (high + 1 - low)).astype(np.int64)
        self._push_phase[ids] = (uniform(keys, PUSH_PHASE) * self._push_steps).astype(np.int64)
        changed = {}
        for index, name in enumerate(PHYSICAL):
            low, high = getattr(self._options, name)
            if (low, high) != getattr(OFF, name):
                changed[name] = low + uniform(keys, index) * (high - low)
        if changed:
            sim.vary(ids, **changed)

    def _keys(self, ids: np.ndarray | slice) -> np.ndarray:
        return self._key[ids].view(np.uint64)


OFF = RobustnessOptions()


def uniform(key: np.ndarray, index: np.ndarray | int) -> np.ndarray:
    """Return the numbers `index` of the sequences `key`, unsigned and broadcast, uniform in 0-1 (1 excluded).

    Source: SplitMix64; Steele, Lea & Flood 2014, https://doi.org/10.1145/2660193.2660195, with the usual constants.
    """
    place = np.atleast_1d(np.asarray(index, dtype=np.uint64)) + np.uint64(1)  # scalars would warn of the wrap around
    bits: np.ndarray = key + place * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits = bits ^ (bits >> np.uint64(31))
    return (bits >> np.uint64(11)) * 2.0**-53
