"""Many simulations of one robot, behind a small protocol: what an environment may ask of a physics engine."""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np
from mujoco import batch

MAX_SPEED_RADPS = 200.0  # a leg swings at 30 rad/s; beyond 200 (or 200 m/s) the numbers are no longer a robot


class Simulator(Protocol):
    """N simulations that step together. The arrays are live: read them after every call."""

    model: mujoco.MjModel  # the compiled MJCF, to draw the simulations with
    num_sims: int
    qpos: np.ndarray  # [N, 19]
    qvel: np.ndarray  # [N, 18]
    sensordata: np.ndarray  # [N, 9], one physics step old
    torque_nm: np.ndarray  # [N, 12], one physics step old

    def step(self, targets_rad: np.ndarray, physics_steps: int) -> None:
        """Hold the joint targets [N, 12] for some physics steps."""

    def reset(self, ids: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Start the simulations of `ids` (sorted, unique) anew from the given rows."""

    def vary(
        self,
        ids: np.ndarray,
        *,
        friction: np.ndarray | None = None,
        payload_kg: np.ndarray | None = None,
        motor_strength: np.ndarray | None = None,
    ) -> None:
        """Change the robots of `ids` (sorted, unique), [M] each; None: as it is. Never part of the saved state.

        `friction` multiplies the model's friction of every shape, ground included: a contact takes the larger one of
        its two shapes (or that of higher priority), so that this multiplies the friction of every contact.
        `payload_kg` is added to the trunk, as if it were denser. `motor_strength` multiplies the torque that a motor
        gives for the same error, and its limits.
        """

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
        self.model = model
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

    def vary(
        self,
        ids: np.ndarray,
        *,
        friction: np.ndarray | None = None,
        payload_kg: np.ndarray | None = None,
        motor_strength: np.ndarray | None = None,
    ) -> None:
        """Change the robots of `ids`; a field has its own values in every simulation from its first change on.

        Speed: a change of mass recomputes what MuJoCo derives from it, 30 to 60 us a robot; the others are writes.
        """
        if friction is not None:
            self._scale("geom_friction", ids, friction)
        if motor_strength is not None:
            # Stiffness, damping and limits: the controller is as it is, what comes out of the motor is not.
            for name in ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"):
                self._scale(name, ids, motor_strength)
        if payload_kg is not None:
            trunk = self.model.jnt_bodyid[0]
            mass_kg = self.model.body_mass[trunk] + payload_kg
            self._batch.expand("body_mass")[ids, trunk] = mass_kg
            self._batch.expand("body_inertia")[ids, trunk] = (
                self.model.body_inertia[trunk] * (mass_kg / self.model.body_mass[trunk])[:, None]
            )
            self._batch.set_const(ids)

    def _scale(self, name: str, ids: np.ndarray, factor: np.ndarray) -> None:
        self._batch.expand(name)[ids] = getattr(self.model, name) * factor[:, None, None]

    def save(self) -> np.ndarray:
        """Return a copy of the mjSTATE_INTEGRATION rows [N, S]."""
        return self._batch.state.copy()

    def restore(self, state: np.ndarray) -> None:
        """Continue from saved rows; `ValueError` if they are of another backend, robot or number of simulations."""
        check_state(state, self._batch.state.shape, self._batch.state.dtype)
        self._batch.state[:] = state
        self._failed[:] = False

    def diverged(self) -> np.ndarray:
        """Return [N] bool: the engine gave up, not a number, or a speed beyond `MAX_SPEED_RADPS`."""
        return self._failed | ~is_sane(self.qpos, self.qvel)


def is_sane(qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """Return [N] bool: all numbers are finite and no speed is beyond `MAX_SPEED_RADPS`."""
    with np.errstate(invalid="ignore"):
        return (np.abs(qvel).max(axis=1) < MAX_SPEED_RADPS) & np.isfinite(qpos).all(axis=1)


def check_state(state: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Refuse saved rows that are not for this simulator; the precision tells the backends apart."""
    if state.dtype != dtype:
        theirs, ours = ("gpu", "cpu") if dtype == np.float64 else ("cpu", "gpu")
        raise ValueError(f"its simulations are of the {theirs} backend, these of the {ours}: VBOTD_BACKEND={theirs}")
    if state.shape != shape:
        raise ValueError(f"simulator state is {state.shape} — this robot needs {shape}")
