"""Does it learn to walk, and how long does that take? Trains from nothing, then measures held-out episodes.

    python bench/walk.py [--threads 2] [--seed 1] [--env-steps N] [--fine [0.002]] [--keep FOLDER] [--save]

`walked` means: at least 95 % of 256 held-out episodes last 20 s, with a mean forward speed error of at most
0.15 m/s; `in_time`: in at most 90 s of training. `fine_*` is the same policy on the same episodes with a finer
physics step (2 ms unless said otherwise), which it never saw: the shipped step is safe (`fine_kept`) where survival
and speed error change by at most 0.02.
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
MAX_SECONDS = 90.0
FINE_DT_S = 0.002
MAX_FINE_CHANGE = 0.02  # of the survival rate, and of the speed error in m/s
RESULTS = Path(__file__).with_name("results-walk.json")


def main() -> None:
    """Train, evaluate, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--env-steps", type=int, default=None)
    parser.add_argument("--num-envs", type=int, default=None)
    parser.add_argument(
        "--fine", type=float, nargs="?", const=FINE_DT_S, metavar="DT_S", help="evaluate with this physics step, too"
    )
    parser.add_argument("--keep", type=Path, default=None, help="keep the run in this folder")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="vbotd-bench-") as temporary:
        line = json.dumps(measure(asked, asked.keep or Path(temporary)))
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")


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
        "in_time": result["wall_s"] <= MAX_SECONDS,
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
    if asked.fine is None:
        return figures
    return figures | fine(checkpoint, asked.fine, folder, asked.threads, survival, speed_error_mps)


def fine(
    checkpoint: Path, physics_dt_s: float, folder: Path, threads: int, survival: float, speed_error_mps: float
) -> dict[str, Any]:
    """Return how the policy does on the same episodes with a finer physics step, and whether that is as well."""
    metrics = evaluate_here(
        checkpoint, EPISODES, INSTANCES, threads, folder / "fine", params={"env.physics_dt_s": physics_dt_s}
    )
    fine_survival = metrics["eval/survival_rate"]["value"]
    fine_error_mps = metrics["eval/speed_error_mps"]["value"]
    changes = abs(fine_survival - survival), abs(fine_error_mps - speed_error_mps)
    return {
        "fine_physics_dt_s": physics_dt_s,
        "fine_survival": fine_survival,
        "fine_speed_error_mps": round(fine_error_mps, 4),
        "fine_kept": max(changes) <= MAX_FINE_CHANGE,
    }


if __name__ == "__main__":
    main()
