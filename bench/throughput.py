"""How many env steps a second does training reach, end to end? Short, and says nothing about walking.

python bench/throughput.py [--threads 2] [--env-steps 250000] [--task vbot_walk_flat]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from vbotd.train.session import train_here


def main() -> None:
    """Train for a while and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--env-steps", type=int, default=250_000)
    parser.add_argument("--num-envs", type=int, default=None)
    parser.add_argument("--task", default="vbot_walk_flat")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="vbotd-bench-") as folder:
        result = train_here(asked.task, Path(folder) / "run", {}, asked.env_steps, asked.num_envs, 1, asked.threads)
    perf = result["perf"]
    print(
        json.dumps(
            {
                "walked": None,
                "seconds": result["wall_s"],
                "env_steps": result["env_steps"],
                "env_steps_per_s": round(perf["env_steps_per_s"], 1),
                "survival": None,
                "speed_error_mps": None,
                "threads": asked.threads,
                **{name: round(perf[name], 3) for name in ("simulation", "inference", "environment", "update")},
            }
        )
    )


if __name__ == "__main__":
    main()
