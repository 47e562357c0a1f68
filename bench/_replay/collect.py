"""Train real configurations once, and keep their held-out scores at every rung: what the nights are replayed from.

One line a run is appended to `replay-runs.jsonl` as it ends; what is there already is not trained again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TASK = "vbot_walk_flat"
NUM_ENVS = 64
ITERATIONS = (15, 45, 135)  # the rungs R/9, R/3 and R; an iteration is 64 x 24 env steps
EPISODES = 96
CHOOSE, REPORT = 100_001, 900_001  # instances that a search sees, and those that say how good it really was
REPORT_EPISODES = 160
SEEDS = (1, 2)
CONFIGURATIONS = 24  # the task's defaults and points of a scrambled Sobol sequence
FIXED: Mapping[str, Any] = {
    "env.episode_s": 5.0,
    "env.speed_y_mps": [0.0, 0.0],
    "env.yaw_rate_radps": [-0.3, 0.3],
    "env.success_speed_error_mps": 0.25,
    "ppo.schedule": "linear",  # under the adaptive one, the first learning rate hardly matters
    "ppo.learning_rate_min": 1e-5,
}
SPACE: Mapping[str, Mapping[str, Any]] = {
    "ppo.learning_rate": {"log": [1e-4, 4e-3]},
    "ppo.entropy": {"uniform": [0.0, 0.02]},
    "ppo.gamma": {"uniform": [0.95, 0.997]},
    "ppo.gae_lambda": {"uniform": [0.85, 0.99]},
    "ppo.epochs": {"int": [2, 5]},
    "ppo.minibatches": {"int": [2, 5]},
    "reward.track_velocity_reward": {"uniform": [0.5, 4.0]},
    "reward.trot_reward": {"uniform": [0.0, 2.0]},
    "reward.action_rate_cost": {"uniform": [-0.05, -0.003]},
}
DEFAULTS: Mapping[str, Any] = {
    "ppo.learning_rate": 1e-3,
    "ppo.entropy": 0.005,
    "ppo.gamma": 0.99,
    "ppo.gae_lambda": 0.95,
    "ppo.epochs": 4,
    "ppo.minibatches": 4,
    "reward.track_velocity_reward": 1.5,
    "reward.trot_reward": 1.0,
    "reward.action_rate_cost": -0.01,
}


def configurations() -> list[dict[str, Any]]:
    """Return the task's defaults and the Sobol points, as settings of the space."""
    from scipy.stats.qmc import Sobol

    shares = Sobol(len(SPACE), seed=7).random_base2(5)[: CONFIGURATIONS - 1]
    return [dict(DEFAULTS), *({key: _value(SPACE[key], float(share)) for key, share in zip(SPACE, row, strict=True)}
                              for row in shares)]


def _value(dimension: Mapping[str, Any], share: float) -> float | int:
    ((kind, (low, high)),) = dimension.items()
    if kind == "log":
        return float(f"{low * (high / low) ** share:.4g}")
    if kind == "int":
        return int(low + share * (high - low + 1))
    return float(f"{low + share * (high - low):.4g}")


def collect(file: Path) -> None:
    """Train what is missing in the file: all configurations with the first seed, then again with the next."""
    from vbotd.train.threads import prepare

    prepare()
    have = {(row["config"], row["seed"]) for row in read(file)}
    settings = configurations()
    for seed in SEEDS:
        for config, params in enumerate(settings):
            if (config, seed) not in have:
                row = train(config, params, seed)
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(row) + "\n")


def read(file: Path) -> list[dict[str, Any]]:
    """Return the rows that are there."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def train(config: int, params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train one configuration to the last rung, and return its scores at each."""
    from vbotd.train import loop, worker
    from vbotd.train.session import make_folder

    began_s, cpu_s = time.perf_counter(), time.process_time()
    env_steps = NUM_ENVS * 24 * ITERATIONS[-1]
    row: dict[str, Any] = {"config": config, "seed": seed, "params": dict(params), "outcome": "finished", "rungs": []}
    with TemporaryDirectory(prefix="vbotd-replay-") as temporary:
        os.chdir(temporary)  # MuJoCo writes its warnings into the current folder
        folder = make_folder(Path(temporary) / "train", kind="train", task=TASK, seed=seed, threads=1,
                             params={**FIXED, **params}, train={"env_steps": env_steps, "num_envs": NUM_ENVS})
        training = worker.prepare(folder)
        for iteration in range(1, ITERATIONS[-1] + 1):
            loop.collect(training)
            loop.improve(training)
            training.scalars |= training.recent.take_scalars()
            if reason := loop.why_diverged(training):
                row |= {"outcome": "diverged", "reason": reason}
                break
            if iteration in ITERATIONS:
                row["rungs"].append(_rung(training, Path(temporary)))
        os.chdir("/")
    return row | {"wall_s": round(time.perf_counter() - began_s, 1), "cpu_s": round(time.process_time() - cpu_s, 1)}


def _rung(training: Any, temporary: Path) -> dict[str, Any]:
    """Return the held-out metrics of this moment; at the last rung also those of the reporting instances."""
    from vbotd.train import checkpoint, loop

    saved = checkpoint.save(training.folder.path, loop.snapshot(training), training.env_steps, None)
    asked = [("choose", CHOOSE, EPISODES)]
    if training.env_steps >= training.total_env_steps:
        asked.append(("report", REPORT, REPORT_EPISODES))
    return {"env_steps": training.env_steps,
            **{name: _evaluated(training.folder.path / saved.path, temporary / f"{name}-{training.env_steps}",
                                instances, episodes) for name, instances, episodes in asked}}


def _evaluated(checkpoint: Path, folder: Path, instances: int, episodes: int) -> dict[str, float]:
    from vbotd.train import worker
    from vbotd.train.session import make_folder

    made = make_folder(folder, kind="evaluate", task=TASK, seed=0, threads=1, params={},
                       evaluate={"checkpoint": str(checkpoint), "episodes": episodes, "instances": instances})
    worker.evaluate(made)
    metrics = json.loads((folder / "result.json").read_text("utf-8"))["metrics"]
    return dict(_kept(metrics))


def _kept(metrics: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    for name in ("success_rate", "survival_rate", "speed_error_mps", "yaw_error_radps"):
        if found := metrics.get(f"eval/{name}"):
            yield name, round(found["value"], 4)
