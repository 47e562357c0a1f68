"""Does it learn to walk, and how long does that take? Trains from nothing, then measures held-out episodes.

    python bench/walk.py [--threads 2] [--seed 1] [--env-steps N] [--keep FOLDER]

`walked` means: at least 95 % of 256 held-out episodes last 20 s, with a mean forward speed error of at most
0.15 m/s. `fine_*` is the same policy in a simulation of twice the resolution (4 x 5 ms), which it never saw.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vbotd.train.session import evaluate_here, train_here

TASK = "vbot_walk_flat"
EPISODES = 256
INSTANCES = 424_242
MIN_SURVIVAL = 0.95
MAX_SPEED_ERROR_MPS = 0.15


def main() -> None:
    """Train, evaluate, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--env-steps", type=int, default=None)
    parser.add_argument("--num-envs", type=int, default=None)
    parser.add_argument("--fine", action="store_true", help="evaluate at 5 ms too")
    parser.add_argument("--keep", type=Path, default=None, help="keep the run in this folder")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="vbotd-bench-") as temporary:
        print(json.dumps(measure(asked, asked.keep or Path(temporary))))


def measure(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the figures of one training and its evaluation."""
    result = train_here(TASK, folder / "train", {}, asked.env_steps, asked.num_envs, asked.seed, asked.threads)
    checkpoint = folder / "train" / result["checkpoint"]["path"]
    began_s = time.perf_counter()
    metrics = evaluate_here(checkpoint, EPISODES, INSTANCES, asked.threads, folder / "evaluate")
    evaluate_s = time.perf_counter() - began_s
    survival = metrics["eval/survival_rate"]["value"]
    speed_error_mps = metrics["eval/speed_error_mps"]["value"]
    perf = result["perf"]
    figures = {
        "walked": survival >= MIN_SURVIVAL and speed_error_mps <= MAX_SPEED_ERROR_MPS,
        "seconds": result["wall_s"],
        "env_steps": result["env_steps"],
        "env_steps_per_s": round(perf["env_steps_per_s"], 1),
        "survival": survival,
        "speed_error_mps": round(speed_error_mps, 4),
        "threads": asked.threads,
        **{name: round(perf[name], 3) for name in ("simulation", "inference", "environment", "update")},
        "success": metrics["eval/success_rate"]["value"],
        "yaw_error_radps": round(metrics["eval/yaw_error_radps"]["value"], 4),
        "seed": asked.seed,
        "evaluate_s": round(evaluate_s, 2),
    }
    return figures | (_fine(checkpoint, folder, asked.threads) if asked.fine else {})


def _fine(checkpoint: Path, folder: Path, threads: int) -> dict[str, float]:
    metrics = evaluate_here(
        checkpoint, EPISODES, INSTANCES, threads, folder / "fine", params={"env.physics_dt_s": 0.005}
    )
    return {
        "fine_survival": metrics["eval/survival_rate"]["value"],
        "fine_speed_error_mps": round(metrics["eval/speed_error_mps"]["value"], 4),
    }


if __name__ == "__main__":
    main()
