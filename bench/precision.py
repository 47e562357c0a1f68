"""Does a training with products in bfloat16 learn as well as one in float32? Paired seeds; and how fast is each?

    python bench/precision.py [--seeds 5] [--threads 1] [--only walk] [--save]

Both train networks of 256-128-64 from nothing, with the same seeds, for the same env steps, ended while they still
learn so that a difference could show; the policies are measured on the same held-out episodes. No loss: the lower
one-sided 90 % bound of the mean difference over the seeds is above -5 points. Prints one JSON line. `--save` keeps
what was measured before of a task that is left out. On a processor without bfloat16 it says so, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from peers import lower_bound

from vbotd.train.session import evaluate_here, train_here

NETWORK = (256.0, 128.0, 64.0)
TASKS = {  # by its name here: task, env steps, and what is shown beside the success rate
    "walk": ("vbot_walk_flat", 700_000, "eval/speed_error_mps"),
    "section001": ("vbot_navigation_section001", 3_000_000, "eval/time_to_goal_s"),
}
METRIC = "eval/success_rate"
EPISODES = 512
INSTANCES = 515_151
BAR = -0.05
RESULTS = Path(__file__).with_name("results-precision.json")


def main() -> int:
    """Train, compare, print one JSON line; exit code 1 where bfloat16 loses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=list(TASKS), help="leave out the other task")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    asked = parser.parse_args()
    from vbotd.train.precision import bfloat16_is_fast  # loads torch

    if not bfloat16_is_fast():
        print(json.dumps({"bench": "precision", "skipped": "this processor has neither avx512_bf16 nor amx_bf16"}))
        return 0
    rows = [row(name, asked.seeds, asked.threads) for name in ([asked.only] if asked.only else TASKS)]
    result = result_of(rows)
    print(json.dumps(result))
    if asked.save:
        kept = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.exists() else []
        RESULTS.write_text(json.dumps(result_of(merged(kept, rows)), indent=1) + "\n", encoding="utf-8")
    return int(not result["passed"])


def result_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is printed, or kept, of these rows; it has passed where each of them has."""
    return {"bench": "precision", "passed": all(row["passed"] for row in rows), "rows": list(rows)}


def merged(kept: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows, and, in the places where they were, those of the kept ones that were not measured this time."""
    return list({row["name"]: row for row in (*kept, *rows)}.values())


def row(name: str, seeds: int, threads: int) -> dict[str, Any]:
    """Return what both precisions reach in one task over the seeds, and their difference."""
    found: dict[str, list[dict[str, Any]]] = {"float32": [], "bfloat16": []}
    for seed in range(1, seeds + 1):
        for precision, measured in found.items():
            measured.append(one(name, seed, precision, threads))
            print(f"{name} seed {seed} {precision}: {measured[-1]}", file=sys.stderr, flush=True)
    task, env_steps, quality = TASKS[name]
    scores = {precision: [m["score"] for m in measured] for precision, measured in found.items()}
    differences = [b - a for a, b in zip(scores["float32"], scores["bfloat16"], strict=True)]
    low = lower_bound(differences)
    rates = {precision: [m["env_steps_per_s"] for m in measured] for precision, measured in found.items()}
    return {
        "name": name, "task": task, "env_steps": env_steps, "threads": threads, "seeds": seeds, "metric": METRIC,
        **{precision: [round(score, 4) for score in of_it] for precision, of_it in scores.items()},
        quality: {kind: [m["quality"] and round(m["quality"], 4) for m in of_it] for kind, of_it in found.items()},
        "difference": round(statistics.fmean(differences), 4), "low": low and round(low, 4), "bar": BAR,
        "passed": low is not None and low > BAR,
        "speed": round(statistics.median(b / a for a, b in zip(rates["float32"], rates["bfloat16"], strict=True)), 3),
    }


def one(name: str, seed: int, precision: str, threads: int) -> dict[str, Any]:
    """Return the score, the quality (None where nobody succeeds) and the throughput of one training."""
    task, env_steps, quality = TASKS[name]
    params = {"ppo.hidden": NETWORK, "ppo.update_precision": precision}
    with TemporaryDirectory(prefix="vbotd-bench-") as folder:
        result = train_here(task, Path(folder) / "train", params, env_steps, None, seed, threads)
        checkpoint = Path(folder) / "train" / result["checkpoint"]["path"]
        metrics = evaluate_here(checkpoint, EPISODES, INSTANCES, threads, Path(folder) / "evaluate")
    return {"score": metrics[METRIC]["value"], "quality": metrics.get(quality, {}).get("value"),
            "env_steps_per_s": round(result["perf"]["env_steps_per_s"])}


if __name__ == "__main__":
    sys.exit(main())
