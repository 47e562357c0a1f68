"""Train another reference walker, and let it take the shipped one's place where it is no worse.

    make reference-walker [FORCE=1]
    OMP_NUM_THREADS=1 python -m vbotd.train.rebuild_walker [--force]       (numpy's threads are in each other's way)

About ten minutes on one core. The new and the shipped walker are measured on the same held-out episodes; what the
audit can tell apart depends on how well its walker walks, so one that succeeds less often is left where it was
written, below `runs/` in the current folder, and the exit code is 1. `--force` takes it all the same.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from vbotd.core.interval import Measured
from vbotd.core.wording import number
from vbotd.store.files import sha256_of, write_atomic, write_json_atomic
from vbotd.train import reference_walker, worker
from vbotd.train.checkpoint import load
from vbotd.train.evaluate import run_episodes
from vbotd.train.reference_walker import ACTION_SCALE_RAD, CONTROL_DT_S, ReferenceWalker
from vbotd.train.runio import RunFolder
from vbotd.train.session import train_here
from vbotd.train.tasks import registry
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.settings import resolve

TASK = "vbot_walk_flat"
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
METRIC = "eval/success_rate"
EPISODES = 1024  # half a minute a walker; a rate near 97 % is known to a percent
INSTANCES = 515_151
CANDIDATE = Path("runs", "reference-walker", reference_walker.WEIGHTS.name)  # below the current folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, replace or not, and say so; exit code 1 where the shipped walker was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="replace the shipped walker whatever the new one is worth")
    asked = parser.parse_args(arguments)
    candidate = CANDIDATE.resolve()
    export(*train(), candidate)
    new, shipped = measure(ReferenceWalker.load(candidate)), shipped_rate()
    replaced = is_replaced(new["value"], shipped["value"] if shipped else None, force=asked.force)
    if replaced:
        copy(candidate, reference_walker.WEIGHTS)
    print(outcome(new, shipped, candidate, replaced=replaced))
    return int(not replaced)


def is_replaced(new: float, shipped: float | None, *, force: bool) -> bool:
    """Say whether a new walker takes the shipped one's place, from the success rates of both.

    Args:
        shipped: None where there is no shipped walker that could be measured.
    """
    return force or shipped is None or new >= shipped


def outcome(new: Measured, shipped: Measured | None, candidate: Path, *, replaced: bool) -> str:
    """Return what was decided, with the figures of both."""
    had = f"the shipped one {_told(shipped)}" if shipped else "there was no shipped one to measure"
    figures = f"the new walker succeeds in {_told(new)} of {new['n']} held-out episodes, {had}"
    if replaced:
        return f"replaced {reference_walker.WEIGHTS}: {figures}"
    return (
        f"kept {reference_walker.WEIGHTS}: {figures} — the new one lies in {candidate}, its record beside it: "
        f"copy both to {reference_walker.WEIGHTS.parent} to take it all the same"
    )


def train() -> tuple[dict[str, Any], dict[str, Any]]:
    """Train a walker, and return its checkpoint and the metrics of its training."""
    with TemporaryDirectory(prefix="vbotd-walker-") as folder:
        result = train_here(TASK, Path(folder), PARAMS, ENV_STEPS, None, SEED, 1, on_progress=_tell)
        print(file=sys.stderr)
        return load(Path(folder) / result["checkpoint"]["path"]), result["metrics"]


def export(saved: Mapping[str, Any], metrics: Mapping[str, Any], weights: Path) -> None:
    """Write the actor and the normaliser of a checkpoint as arrays, and their record: nothing in the files is code."""
    normaliser = saved["normaliser"]
    arrays = {
        "mean": normaliser["mean"].numpy().astype(np.float32),
        "scale": (1.0 / np.sqrt(normaliser["var"].numpy() + 1e-4)).astype(np.float32),
    }
    names = [name for name in saved["policy"] if name.startswith("actor.") and name.endswith(".weight")]
    for i, name in enumerate(names):
        arrays[f"weight{i}"] = saved["policy"][name].numpy()
        arrays[f"bias{i}"] = saved["policy"][name.replace(".weight", ".bias")].numpy()
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    weights.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(weights, packed.getvalue())
    record = {
        "sha256": sha256_of(weights), "task": TASK, "params": PARAMS, "seed": SEED, "env_steps": saved["env_steps"],
        "metrics": metrics,
    }  # fmt: skip
    write_json_atomic(weights.with_suffix(".json"), record)


def measure(walker: ReferenceWalker) -> Measured:
    """Return how often a walker succeeds in the task that it learnt, in held-out episodes: always the same ones."""
    card = registry.find(TASK)
    settings = resolve(card, PARAMS)

    def make(num_envs: int) -> Environment:
        return worker.build(card, settings, num_envs, worker.HELD_OUT_TERRAIN + INSTANCES, 1)

    with TemporaryDirectory(prefix="vbotd-walker-") as folder:
        episodes = run_episodes(
            make_environment=make, policy_of=lambda env: (_Actor(walker), lambda obs: obs),
            episodes=EPISODES, instances=INSTANCES, folder=RunFolder(folder))  # fmt: skip
    return episodes.metrics()[METRIC]


def shipped_rate() -> Measured | None:
    """Return how often the shipped walker succeeds, None where there is none or it is damaged."""
    try:
        walker = ReferenceWalker.load()
    except (OSError, ValueError, KeyError):
        return None
    return measure(walker)


def copy(weights: Path, target: Path) -> None:
    """Write weights and their record over others. A crash between the two leaves what does not load, and says so."""
    write_atomic(target, weights.read_bytes())
    write_json_atomic(target.with_suffix(".json"), json.loads(weights.with_suffix(".json").read_text(encoding="utf-8")))


class _Actor:
    """A walker as the policy that episodes are played with; it normalises by itself."""

    def __init__(self, walker: ReferenceWalker) -> None:
        self._walker = walker

    def mean(self, obs: torch.Tensor) -> torch.Tensor:
        """Return mean actions [B, A] of observations [B, O]."""
        return torch.from_numpy(self._walker.action(obs.numpy()))


def _told(measured: Measured) -> str:
    low, high = number(measured["low"], METRIC), number(measured["high"], METRIC)
    return f"{number(measured['value'], METRIC)} [{low}, {high}]"


def _tell(beat: Mapping[str, Any]) -> None:
    done = f"{beat['env_steps']:,} of {beat['total_env_steps']:,} env steps, {beat['env_steps_per_s']:,.0f}/s"
    print(f"\r{done}, success {beat['success_rate']}   ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
