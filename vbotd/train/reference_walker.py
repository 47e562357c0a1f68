"""How would a robot that can walk do here? A small policy that follows velocity commands, for the audit's probes.

`make reference-walker` trains another one, which takes its place where it is no worse (`rebuild_walker.py`).
It needs no torch to run, and it knows nothing of the task that it is put into: it sees its own body and a command.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vbotd.store.files import sha256_of
from vbotd.train.sim import Simulator
from vbotd.train.tasks.robot import DEFAULT_JOINT_POS_RAD, NUM_JOINTS, rotation_matrix, to_base_frame

WEIGHTS = Path(__file__).with_name("reference_walker.npz")
CONTROL_DT_S = 0.02  # what it learnt with; a probe of another control step holds its targets
ACTION_SCALE_RAD = 0.3  # same
MAX_OBS_SIGMA = 10.0


@dataclass(frozen=True, slots=True)
class ReferenceWalker:
    """The policy's mean, in plain numpy, float32."""

    mean: np.ndarray  # [O] of the observations
    scale: np.ndarray  # [O]
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]  # weight [out, in], bias [out]

    @classmethod
    def load(cls, weights: Path | None = None) -> ReferenceWalker:
        """Read weights, with their record beside them; None: those that came with the package.

        Raises: ValueError where the file is not the one whose hash is recorded.
        """
        weights = weights or WEIGHTS
        recorded = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))["sha256"]
        if sha256_of(weights) != recorded:
            raise ValueError(f"{weights.name}: its sha256 is not the recorded {recorded[:12]} — "
                             "install vbotd anew, or 'make reference-walker'")
        with np.load(weights, allow_pickle=False) as file:
            layers = tuple((file[f"weight{i}"], file[f"bias{i}"]) for i in range(len(file.files) // 2 - 1))
            return cls(mean=file["mean"], scale=file["scale"], layers=layers)

    def act(self, sim: Simulator, command: np.ndarray, last_action: np.ndarray) -> np.ndarray:
        """Return actions [N, A] in units of `ACTION_SCALE_RAD` around the pose that action 0 holds.

        Args:
            command: [N, 3] forward m/s, left m/s, yaw rad/s.
            last_action: [N, A] what this returned a control step ago; zeros at the start.
        """
        return self.action(observe(sim, command, last_action))

    def action(self, obs: np.ndarray) -> np.ndarray:
        """Return mean actions [N, A] of observations [N, 48]."""
        x = np.clip((obs - self.mean) * self.scale, -MAX_OBS_SIGMA, MAX_OBS_SIGMA)
        for i, (weight, bias) in enumerate(self.layers):
            x = x @ weight.T + bias
            if i < len(self.layers) - 1:
                x = np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0)))  # ELU
        return x


def observe(sim: Simulator, command: np.ndarray, last_action: np.ndarray) -> np.ndarray:
    """Return [N, 48], float32: the observation of `vbot_walk_flat`, made from the simulation itself."""
    rotation_wb = rotation_matrix(sim.qpos[:, 3:7])
    columns = (
        to_base_frame(rotation_wb, sim.qvel[:, :3]),
        sim.qvel[:, 3:6],
        -rotation_wb[:, 2, :],
        command,
        sim.qpos[:, 7 : 7 + NUM_JOINTS] - DEFAULT_JOINT_POS_RAD,
        sim.qvel[:, 6 : 6 + NUM_JOINTS],
        last_action,
    )
    return np.concatenate(columns, axis=1).astype(np.float32)
