"""Many simulations of one robot, behind a small protocol: what an environment may ask of a physics engine."""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np
from mujoco import batch

MAX_SPEED_RADPS = 200.0  # a leg swings at 30 rad/s; beyond 200 (or 200 m/s) the numbers are no longer a robot


class Simulator(Protocol):
    """N simulations that step together. The arrays are live: read them after every call."""

    num_sims: int
    qpos: np.ndarray  # [N, 19]
    qvel: np.ndarray  # [N, 18]
    sensordata: np.ndarray  # [N, 9], one physics step old
    torque_nm: np.ndarray  # [N, 12], one physics step old

    def step(self, targets_rad: np.ndarray, physics_steps: int) -> None:
        """Hold the joint targets [N, 12] for some physics steps."""

    def reset(self, ids: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Start the simulations of `ids` (sorted, unique) anew from the given rows."""

    def save(self) -> np.ndarray:
        """Return a copy of everything that integration depends on, warm start included."""

    def restore(self, state: np.ndarray) -> None:
        """Continue from what `save` returned, bit for bit."""

    def diverged(self) -> np.ndarray:
        """Return [N] bool: not a number, or insane velocities."""


class BatchSimulator:
    """The CPU backend: `mujoco.batch.Batch`, bit-identical at any thread count.

    MuJoCo's automatic reset is off in the MJCF: it would put a diverged robot back on its feet in the middle
    of an episode, and nobody would know.
    """

    def __init__(self, model: mujoco.MjModel, num_sims: int, threads: int) -> None:
        self.num_sims = num_sims
        self._batch = batch.Batch(model, num_sims, threads)
        self.qpos = self._batch.bind("qpos")
        self.qvel = self._batch.bind("qvel")
        self.sensordata = self._batch.bind("sensordata")
        self.torque_nm = self._batch.bind("actuator_force")
        self._ctrl = self._batch.bind("ctrl")
        self._failed = np.zeros(num_sims, dtype=bool)

    def step(self, targets_rad: np.ndarray, physics_steps: int) -> None:
        """Hold the joint targets [N, 12] for some physics steps; a simulation that raises counts as diverged."""
        self._ctrl[:] = targets_rad
        try:
            self._batch.step(nstep=physics_steps)
        except batch.SimulationError as err:
            self._failed[np.asarray(err.ids)] = True

    def reset(self, ids: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Start the simulations of `ids` anew; clears warm start, time and forces, so nothing leaks over."""
        if len(ids) == 0:
            return
        self._batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self.qpos[ids] = qpos
        self.qvel[ids] = qvel
        self._failed[ids] = False

    def save(self) -> np.ndarray:
        """Return a copy of the mjSTATE_INTEGRATION rows [N, S]."""
        return self._batch.state.copy()

    def restore(self, state: np.ndarray) -> None:
        """Continue from saved rows; `ValueError` if they belong to another robot or number of simulations."""
        if state.shape != self._batch.state.shape:
            raise ValueError(f"simulator state is {state.shape} — this robot needs {self._batch.state.shape}")
        self._batch.state[:] = state
        self._failed[:] = False

    def diverged(self) -> np.ndarray:
        """Return [N] bool: the engine gave up, not a number, or a speed beyond `MAX_SPEED_RADPS`."""
        with np.errstate(invalid="ignore"):
            sane = (np.abs(self.qvel).max(axis=1) < MAX_SPEED_RADPS) & np.isfinite(self.qpos).all(axis=1)
        return self._failed | ~sane
