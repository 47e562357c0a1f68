"""How would a robot that can walk do here? A small policy that follows velocity commands, for the audit's probes.

`make reference-walker` trains it anew on `vbot_walk_flat` (about ten minutes on one core) and records its hash.
It needs no torch to run, and it knows nothing of the task that it is put into: it sees its own body and a command.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vbotd.store.files import sha256_of, write_atomic, write_json_atomic
from vbotd.train.sim import Simulator
from vbotd.train.tasks.robot import DEFAULT_JOINT_POS_RAD, NUM_JOINTS, rotation_matrix, to_base_frame

WEIGHTS = Path(__file__).with_name("reference_walker.npz")
RECORD = WEIGHTS.with_suffix(".json")
CONTROL_DT_S = 0.02  # what it learnt with; a probe of another control step holds its targets
ACTION_SCALE_RAD = 0.3  # same
SEED = 1
ENV_STEPS = 4_000_000
PARAMS: dict[str, Any] = {
    "env.control_dt_s": CONTROL_DT_S,
    "env.action_scale_rad": ACTION_SCALE_RAD,
    "env.speed_x_mps": [0.0, 2.0],
    "env.speed_y_mps": [-0.4, 0.4],
    "env.yaw_rate_radps": [-1.2, 1.2],
    "env.command_s": 2.5,
    "reward.trot_reward": 0.5,
}
MAX_OBS_SIGMA = 10.0


@dataclass(frozen=True, slots=True)
class ReferenceWalker:
    """The policy's mean, in plain numpy, float32."""

    mean: np.ndarray  # [O] of the observations
    scale: np.ndarray  # [O]
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]  # weight [out, in], bias [out]

    @classmethod
    def load(cls) -> ReferenceWalker:
        """Read the weights that came with the package.

        Raises: ValueError where the file is not the one whose hash is recorded.
        """
        recorded = json.loads(RECORD.read_text(encoding="utf-8"))["sha256"]
        if sha256_of(WEIGHTS) != recorded:
            raise ValueError(f"{WEIGHTS.name}: its sha256 is not the recorded {recorded[:12]} — "
                             "install vbotd anew, or 'make reference-walker'")
        with np.load(WEIGHTS, allow_pickle=False) as file:
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


def rebuild() -> dict[str, Any]:
    """Train the walker anew, and write its weights and their record beside this file."""
    from vbotd.train.checkpoint import load
    from vbotd.train.session import train_here

    with TemporaryDirectory(prefix="vbotd-walker-") as folder:
        result = train_here("vbot_walk_flat", Path(folder), PARAMS, ENV_STEPS, None, SEED, 1, on_progress=_tell)
        saved = load(Path(folder) / result["checkpoint"]["path"])
    export(saved)
    record = {
        "sha256": sha256_of(WEIGHTS), "task": "vbot_walk_flat", "params": PARAMS, "seed": SEED,
        "env_steps": saved["env_steps"], "metrics": result["metrics"],
    }  # fmt: skip
    write_json_atomic(RECORD, record)
    return record


def export(saved: dict[str, Any]) -> None:
    """Write the actor and the normaliser of a checkpoint as arrays: nothing in the file is code."""
    normaliser = saved["normaliser"]
    arrays = {
        "mean": normaliser["mean"].numpy().astype(np.float32),
        "scale": (1.0 / np.sqrt(normaliser["var"].numpy() + 1e-4)).astype(np.float32),
    }
    weights = [name for name in saved["policy"] if name.startswith("actor.") and name.endswith(".weight")]
    for i, name in enumerate(weights):
        arrays[f"weight{i}"] = saved["policy"][name].numpy()
        arrays[f"bias{i}"] = saved["policy"][name.replace(".weight", ".bias")].numpy()
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    write_atomic(WEIGHTS, packed.getvalue())


def _tell(beat: Any) -> None:
    done = f"{beat['env_steps']:,} of {beat['total_env_steps']:,} env steps, {beat['env_steps_per_s']:,.0f}/s"
    print(f"\r{done}, success {beat['success_rate']}   ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    print("\n" + json.dumps(rebuild()["metrics"]))
