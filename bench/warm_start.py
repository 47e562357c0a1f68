"""Is a warm start that ruins the policy caught within 5 % of the run, and a healthy one left alone? One JSON line.

    python bench/warm_start.py [--checkpoint FILE] [--radius LOW HIGH] [--seeds 3] [--envs 256]

Real trainings of `vbot_navigation_section001` from one checkpoint: `--checkpoint`, or else one that is trained here for
a moment, of a robot that stands at its target. Each is laid out for 1 M env steps and pauses after 6 % of them.
What is poisoned is the checkpoint's optimiser or learning rate, as a run that had gone bad leaves them behind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vbotd.domain.trial import WarmStart
from vbotd.train import checkpoint, worker
from vbotd.train.session import make_folder
from vbotd.train.threads import prepare

TASK = "vbot_navigation_section001"
STANDING = {"env.spawn_radius_m": [0.0, 0.3], "env.episode_s": 2.0}
STAGE_ENV_STEPS = 1_000_000
Poison = Callable[[dict[str, Any]], None]


def moments(factor: float) -> Poison:
    """Return what scales Adam's first moments."""
    def apply(saved: dict[str, Any]) -> None:
        for state in saved["optimiser"]["state"].values():
            state["exp_avg"] *= factor
    return apply


def forgotten_scale(saved: dict[str, Any]) -> None:
    """Shrink Adam's second moments, as after gradients that had died: every step is a hundred times too long."""
    for state in saved["optimiser"]["state"].values():
        state["exp_avg_sq"] *= 1e-4


def inherited_rate(saved: dict[str, Any]) -> None:
    """Leave a learning rate that had run away."""
    saved["learning_rate"] *= 30.0


HEALTHY: dict[str, dict[str, Any]] = {
    "reset, rate x 0.4": {}, "reset, rate x 1": {"learning_rate": 1.0},
    "keep, rate x 0.4": {"optimizer": "keep"}, "keep, rate x 1": {"optimizer": "keep", "learning_rate": 1.0}}
POISONS: dict[str, Poison] = {
    "moments x 30": moments(30.0), "moments x 100": moments(100.0), "second moments x 1e-4": forgotten_scale,
    "rate x 30": inherited_rate}


def main() -> None:
    """Train every way of beginning, and say which were stopped."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--checkpoint", type=Path)
    asked.add_argument("--radius", type=float, nargs=2, default=None, help="where the robots of the stage start")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--envs", type=int, default=256)
    args = asked.parse_args()
    prepare()
    with tempfile.TemporaryDirectory() as home:
        source = args.checkpoint.resolve() if args.checkpoint else standing(Path(home))
        known = checkpoint.load(source)["params"]
        params = known | ({"env.spawn_radius_m": args.radius} if args.radius else {})
        rows = list(trainings(Path(home), source, params, args.seeds, args.envs))
    print(json.dumps(summary(rows)))


def standing(home: Path) -> Path:
    """Train a robot for a moment, and return its checkpoint."""
    result = trained(home / "source", {"params": STANDING, "train": {"env_steps": 60_000, "num_envs": 256}})
    return home / "source" / str(result["checkpoint"]["path"])


def trainings(home: Path, source: Path, params: dict[str, Any], seeds: int, envs: int) -> Iterator[dict[str, Any]]:
    """Yield what became of each way of beginning, for each seed."""
    sizes = {"env_steps": STAGE_ENV_STEPS, "num_envs": envs, "until": int(0.06 * STAGE_ENV_STEPS)}
    ways = [(name, change, None) for name, change in HEALTHY.items()]
    ways += [(name, {"optimizer": "keep", "learning_rate": 1.0}, poison) for name, poison in POISONS.items()]
    for name, change, poison in ways:
        begun = source
        if poison is not None:
            saved = checkpoint.load(source)
            poison(saved)
            begun = home / "poisoned.pt"
            torch.save(saved, begun)
        for seed in range(1, seeds + 1):
            warm = asdict(WarmStart(trial="bench/t001", checkpoint=str(begun), **change))
            result = trained(home / f"{name.replace(' ', '')}-{seed}", {
                "params": params, "train": sizes, "seed": seed, "warm_start": warm})
            yield {"way": name, "poisoned": poison is not None, "seed": seed, "outcome": result["outcome"],
                   "reason": result["reason"], "share": result["env_steps"] / STAGE_ENV_STEPS,
                   "ruined": is_ruined(result["transfer"])}


def is_ruined(transfer: dict[str, dict[str, float]]) -> bool:
    """Say whether a fifth of the success or more was gone when the check was due, whatever it said of it."""
    return transfer["now"]["success"] < 0.8 * transfer["before"]["success"] if "now" in transfer else True


def trained(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """Train in a folder, and return its result."""
    made = make_folder(folder, kind="train", task=TASK, threads=1, **{"seed": 1, **spec})
    with contextlib.chdir(folder):
        worker.train(made)
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts. What was poisoned need not be ruined: Adam forgets, and the adaptive rate comes down again."""
    ruined = [row for row in rows if row["ruined"]]
    caught = [row for row in ruined if row["outcome"] in ("stopped", "diverged")]
    sound = [row for row in rows if not row["ruined"]]
    ways = {row["way"]: {"runs": 0, "ruined": 0, "stopped": 0} for row in rows}
    for row in rows:
        ways[row["way"]]["runs"] += 1
        ways[row["way"]]["ruined"] += row["ruined"]
        ways[row["way"]]["stopped"] += row["outcome"] != "finished"
    return {
        "bench": "warm_start", "runs": len(rows), "ruined": len(ruined), "caught": len(caught),
        "sound": len(sound), "false_stops": sum(row["outcome"] != "finished" for row in sound),
        "latest_share": max((round(row["share"], 4) for row in caught), default=None), "ways": ways,
    }


if __name__ == "__main__":
    main()
