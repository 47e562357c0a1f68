"""Many simulations of one robot on a GPU: `mujoco_warp` behind the protocol of `sim.py`."""

from __future__ import annotations

import copy
from typing import Any

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp

from vbotd.train.sim import check_state, is_sane

DEVICE = "cuda:0"  # CUDA_VISIBLE_DEVICES says which one that is
CONTACTS_FLAT = 64  # of one simulation, on average: a trunk lying on the floor makes 4, a shin 2
CONTACTS_TERRAIN = 128  # a height field gives several to every shape
NEWTON_ITERATIONS = 8  # as the finer steps of the MJCF on the CPU
CONTACT_ROWS = 4  # constraint rows of a contact: pyramidal cone, condim 3
# The physics of such a step is wrong. The other overflows (iterations of the solver, say) are part of the method.
LOST_CONTACTS = (
    mjw.OverflowType.NEFC | mjw.OverflowType.NJMAX_NNZ | mjw.OverflowType.BROADPHASE | mjw.OverflowType.NARROWPHASE
)

MASS_FIELDS = ("body_mass", "body_inertia", "body_subtreemass", "body_invweight0", "dof_invweight0")


class WarpSimulator:
    """The GPU backend: float32, one CUDA graph a control step, the state mirrored on the host.

    The tasks are numpy. So the whole integration state (55 numbers a simulation) goes up before a control step and
    comes down after it, and the arrays here may be written like those of the CPU backend. Nothing else on the device
    outlives a step, so what is saved is those arrays, and `restore` continues bit for bit: reductions are done in
    a fixed order, at some cost in speed.

    Against the CPU backend: float32 instead of float64, and Newton's method where the MJCF asks for PGS, which this
    engine lacks: both solve the same problem, PGS less exactly. On height fields its contact points differ as well.
    Sensors and forces mean the same. A model feature that the engine lacks is a `ValueError`.
    """

    def __init__(self, model: mujoco.MjModel, num_sims: int) -> None:
        self.model = model
        self.num_sims = num_sims
        self._loaded_model = copy.copy(model)  # one for all payloads: a copy takes milliseconds
        self._loaded_data = mujoco.MjData(model)
        self._varied: dict[str, tuple[wp.array, wp.array]] = {}  # by model field: on the device, on the host
        self._stale: set[str] = set()  # fields whose device array is older than the host's
        self._device = wp.get_device(DEVICE)
        self._graphs: dict[int, Any] = {}  # by number of physics steps
        contacts = CONTACTS_TERRAIN if model.nhfield else CONTACTS_FLAT
        with wp.ScopedDevice(self._device):
            self._model = _on_device(model)
            self._data = mjw.make_data(
                model, nworld=num_sims, nconmax=contacts, njmax=CONTACT_ROWS * contacts + model.njnt
            )
            data = self._data
            self._ctrl = self._host_copy(data.ctrl)
            self._overflow = self._host_copy(data.overflow)
            state = [(array, self._host_copy(array)) for array in (data.qpos, data.qvel, data.qacc_warmstart)]
            results = [(array, self._host_copy(array)) for array in (data.sensordata, data.actuator_force)]
        self._up = [*state, (data.ctrl, self._ctrl)]
        self._down = [*state, *results, (data.overflow, self._overflow)]
        self._staged = [host.numpy() for _, host in [*state, *results]]
        # Double precision, as on the CPU: else a task's arrays would change theirs on the way through a checkpoint.
        self._live = [array.astype(np.float64) for array in self._staged]
        self.qpos, self.qvel, self._warm_start, self.sensordata, self.torque_nm = self._live
        self.qpos[:] = model.qpos0

    def step(self, targets_rad: np.ndarray, physics_steps: int) -> None:
        """Hold the joint targets [N, 12] for some physics steps."""
        self._ctrl.numpy()[:] = targets_rad
        for staged, live in zip(self._staged, self._live, strict=True):
            staged[:] = live
        with wp.ScopedDevice(self._device):
            graph = self._captured(physics_steps)
            for array, host in [*self._up, *(self._varied[name] for name in self._stale)]:
                wp.copy(array, host)
            self._stale.clear()
            self._data.overflow.zero_()
            wp.capture_launch(graph)
            for array, host in self._down:
                wp.copy(host, array)
            wp.synchronize_device(self._device)
        for staged, live in zip(self._staged, self._live, strict=True):
            live[:] = staged

    def reset(self, ids: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Start the simulations of `ids` anew; clears warm start, contacts and forces, so nothing leaks over."""
        # Rounded now and not on the way up, so that what is saved before the next step is the same.
        self.qpos[ids] = np.asarray(qpos, dtype=np.float32)
        self.qvel[ids] = np.asarray(qvel, dtype=np.float32)
        for array in (self._warm_start, self.sensordata, self.torque_nm, self._overflow.numpy()):
            array[ids] = 0

    def vary(
        self,
        ids: np.ndarray,
        *,
        friction: np.ndarray | None = None,
        payload_kg: np.ndarray | None = None,
        motor_strength: np.ndarray | None = None,
    ) -> None:
        """Change the robots of `ids`; a field has its own values in every simulation from its first change on.

        Speed: what is derived from a mass is computed on the host, robot by robot, as the CPU backend does; and a
        changed field goes up whole before the next control step.
        """
        model = self.model
        if friction is not None:
            self._set("geom_friction", ids, model.geom_friction * friction[:, None, None])
        if motor_strength is not None:
            for name in ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"):
                self._set(name, ids, getattr(model, name) * motor_strength[:, None, None])
        if payload_kg is not None:
            for name, rows in self._loaded(payload_kg).items():
                self._set(name, ids, rows)

    def _loaded(self, payload_kg: np.ndarray) -> dict[str, np.ndarray]:
        """Return the model fields [M, ...] that payloads in the trunk change, as if the trunk were denser."""
        model, loaded = self.model, self._loaded_model
        trunk = model.jnt_bodyid[0]
        rows: dict[str, list[np.ndarray]] = {name: [] for name in MASS_FIELDS}
        for density in 1.0 + payload_kg / model.body_mass[trunk]:
            loaded.body_mass[trunk] = density * model.body_mass[trunk]
            loaded.body_inertia[trunk] = density * model.body_inertia[trunk]
            mujoco.mj_setConst(loaded, self._loaded_data)
            for name, values in rows.items():
                values.append(getattr(loaded, name).copy())
        return {name: np.array(values) for name, values in rows.items()}

    def _set(self, name: str, ids: np.ndarray, rows: np.ndarray) -> None:
        """Give simulations their own values [M, ...] of a model field."""
        if len(ids) == 0:
            return
        if name not in self._varied:
            shared = getattr(self._model, name)
            with wp.ScopedDevice(self._device):
                own = wp.empty((self.num_sims, *shared.shape[1:]), dtype=shared.dtype)
            host = self._host_copy(own)
            host.numpy()[:] = shared.numpy()
            setattr(self._model, name, own)
            self._varied[name] = own, host
            self._graphs.clear()  # they hold the address of the shared array
        self._varied[name][1].numpy()[ids] = rows
        self._stale.add(name)

    def save(self) -> np.ndarray:
        """Return a copy of positions, velocities and warm start, float32 [N, 55]."""
        return np.concatenate([self.qpos, self.qvel, self._warm_start], axis=1, dtype=np.float32)

    def restore(self, state: np.ndarray) -> None:
        """Continue from saved rows; `ValueError` if they are of another backend, robot or number of simulations."""
        num_qpos, num_qvel = self.qpos.shape[1], self.qvel.shape[1]
        check_state(state, (self.num_sims, num_qpos + 2 * num_qvel), np.dtype(np.float32))
        self.qpos[:] = state[:, :num_qpos]
        self.qvel[:] = state[:, num_qpos:-num_qvel]
        self._warm_start[:] = state[:, -num_qvel:]
        self._overflow.zero_()

    def diverged(self) -> np.ndarray:
        """Return [N] bool: contacts were lost for want of room, not a number, or an insane speed."""
        return ((self._overflow.numpy() & int(LOST_CONTACTS)) != 0) | ~is_sane(self.qpos, self.qvel)

    def _captured(self, physics_steps: int) -> Any:
        """Return a graph of so many physics steps: launching each kernel by itself costs several times as much.

        Order: one step first, because the kernels must be loaded before a capture. What it does to the data on the
        device is no matter, all of it is overwritten before the graph runs.
        """
        if physics_steps in self._graphs:
            return self._graphs[physics_steps]
        if not self._graphs:
            mjw.step(self._model, self._data)
        with wp.ScopedCapture(self._device) as capture:
            for _ in range(physics_steps):
                mjw.step(self._model, self._data)
        self._graphs[physics_steps] = capture.graph
        return capture.graph

    def _host_copy(self, array: wp.array) -> wp.array:
        """Return a host array of the same shape, pinned where there is a GPU to copy from it by itself."""
        return wp.zeros(array.shape, dtype=array.dtype, device="cpu", pinned=self._device.is_cuda)


def _on_device(model: mujoco.MjModel) -> mjw.Model:
    """Return the model on the current device; `ValueError` where the engine lacks something that it needs."""
    model = copy.copy(model)
    # This engine never resets a simulation by itself, and does not know the flag that forbids it.
    model.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    if model.opt.solver == mujoco.mjtSolver.mjSOL_PGS:
        model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON
        model.opt.iterations = model.opt.ls_iterations = NEWTON_ITERATIONS
    try:
        on_device = mjw.put_model(model)
    except NotImplementedError as err:
        raise ValueError(f"the GPU backend lacks what this robot or terrain needs ({err}) — VBOTD_BACKEND=cpu") from err
    on_device.opt.deterministic = mjw.DeterminismType.ALL
    on_device.opt.warn_overflow = 0  # a line from every thread would bury the log; `diverged` counts them
    return on_device
