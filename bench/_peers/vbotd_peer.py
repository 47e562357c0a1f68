"""How is vbotd itself measured beside the peers? By the code that trains a run, checkpoints and telemetry included."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rows import TASK, Row

from vbotd.train.session import evaluate_here, train_here

CALIBRATION_S = 2.0


def rate(row: Row, seconds: float, seed: int, threads: int, folder: Path) -> dict[str, float]:
    """Return env steps a second, and a CPU second, end to end, of a training that takes about `seconds`."""
    first = _train(row, _about(2_000, CALIBRATION_S), seed, threads, folder / "calibration")
    return _train(row, _about(first["env_steps_per_s"], seconds), seed, threads, folder / "train")


def learn(row: Row, seconds: float, seed: int, threads: int, folder: Path, expected_rate: float) -> tuple[Path, int]:
    """Train for `seconds` of wall clock and return the chosen checkpoint, and the env steps.

    The env steps are asked for by the expected rate, since a run's schedules follow its share; the stop file ends
    it when the time is up.
    """
    began_s = time.perf_counter()
    run = folder / "train"

    def stop_in_time(_: Mapping[str, Any]) -> None:
        if time.perf_counter() - began_s > seconds - 1.0:  # a heartbeat comes once a second
            (run / "stop").touch()

    env_steps = _about(expected_rate, seconds)
    result = train_here(TASK, run, row.params, env_steps, row.num_envs, seed, threads, on_progress=stop_in_time)
    return run / result["checkpoint"]["path"], int(result["env_steps"])


def success(checkpoint: Path, episodes: int, instances: int, threads: int) -> float:
    """Return the held-out success of a checkpoint."""
    return float(evaluate_here(checkpoint, episodes, instances, threads)["eval/success_rate"]["value"])


def _train(row: Row, env_steps: int, seed: int, threads: int, folder: Path) -> dict[str, float]:
    began_cpu_s = time.process_time()
    result = train_here(TASK, folder, row.params, env_steps, row.num_envs, seed, threads)
    return {
        "env_steps_per_s": float(result["perf"]["env_steps_per_s"]),
        "env_steps_per_cpu_s": result["env_steps"] / (time.process_time() - began_cpu_s),
    }


def _about(env_steps_per_s: float, seconds: float) -> int:
    return max(math.ceil(env_steps_per_s * seconds), 1)
