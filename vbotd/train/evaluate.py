"""How good is a policy, really? Fixed episode instances, its mean action, its normaliser frozen, one row an episode."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vbotd.store.files import write_atomic
from vbotd.train import interval
from vbotd.train.runio import RunFolder, SpecError
from vbotd.train.tasks.environment import Environment, Finished

# Always this many environments at once, whatever the number of episodes or threads: a matrix product's last bit
# depends on its shape, and a walking robot turns a last bit into another episode.
BLOCK = 256
# Joins the seed of the instances, so that no training seed, however chosen, draws the same numbers.
INSTANCE_STREAM = 0x1157
MAX_INSTANCES = 2**63
RATES = {
    "eval/success_rate": "success",
    "eval/fall_rate": "fall",
    "eval/timeout_rate": "timed_out",
    "eval/diverged_rate": "diverged",
}
MEANS = {"eval/episode_length_s": "length_s", "eval/episode_return": "total_reward"}
FIXED = (*RATES.values(), *MEANS.values())


@dataclass(slots=True)
class Episodes:
    """The accounts of evaluated episodes, by name; row i is instance i."""

    num_asked: int
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    done: np.ndarray = field(init=False)  # [num_asked] bool
    env_steps: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        self.done = np.zeros(self.num_asked, dtype=bool)

    @property
    def num_done(self) -> int:
        """How many episodes have ended."""
        return int(self.done.sum())

    def add(self, finished: Finished, first: int) -> None:
        """Take the first episode of each environment; `first` is the instance of environment 0."""
        rows = finished.env_ids + first
        new = (rows < self.num_asked) & ~self.done[np.minimum(rows, self.num_asked - 1)]
        columns = {name: getattr(finished, name) for name in FIXED} | finished.metrics
        for name, values in columns.items():
            column = self.columns.setdefault(name, np.full(self.num_asked, np.nan))
            column[rows[new]] = values[new]
        self.done[rows[new]] = True

    def metrics(self) -> dict[str, interval.Measured]:
        """Return `eval/*` with 95 % intervals: Wilson for rates, Student for means. What has no number is left out."""
        measured: dict[str, interval.Measured] = {}
        for name, column in self.columns.items():
            values = column[self.done]
            values = values[np.isfinite(values)]
            if len(values) == 0:
                continue
            tag = next((t for t, n in (RATES | MEANS).items() if n == name), f"eval/{name}")
            is_rate = name.endswith("_rate") or name in RATES.values()
            measured[tag] = (
                interval.of_rate(int(values.sum()), len(values)) if is_rate else interval.of_mean(values.tolist())
            )
        return measured

    def write_csv(self, path: Path) -> None:
        """Write one line an episode, atomically; an account that an episode does not have is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["instance", *self.columns])
        for i in np.flatnonzero(self.done):
            writer.writerow([i, *(_cell(column[i]) for column in self.columns.values())])
        write_atomic(path, text.getvalue())


def run_episodes(
    *,
    make_environment: Callable[[int], Environment],
    policy_of: Callable[[Environment], Any],
    episodes: int,
    instances: int,
    folder: RunFolder,
) -> Episodes:
    """Run the first `episodes` instances of the seed `instances`, block by block."""
    env = make_environment(BLOCK)
    policy, normaliser = policy_of(env)
    accounts = Episodes(episodes)
    draws = instance_draws(instances, math.ceil(episodes / BLOCK) * BLOCK, env.num_draws)
    for first in range(0, episodes, BLOCK):
        _run_block(env, policy, normaliser, draws[first : first + BLOCK], first, accounts, folder)
        if accounts.stopped:
            break
    return accounts


def instance_draws(instances: int, episodes: int, num_draws: int) -> np.ndarray:
    """Return [episodes, K] uniform numbers. Row i is the same for every number of episodes."""
    return np.random.default_rng([instances, INSTANCE_STREAM]).random((episodes, num_draws))


def check_instances(instances: int) -> None:
    """Refuse a seed that is none."""
    if not 0 <= instances < MAX_INSTANCES:
        raise SpecError(f"evaluate.instances is {instances} — it must be from 0 to 2^63")


@torch.inference_mode()
def _run_block(
    env: Environment, policy: Any, normaliser: Any, draws: np.ndarray, first: int, accounts: Episodes, folder: RunFolder
) -> None:
    obs = env.start(draws)
    wanted = min(first + BLOCK, accounts.num_asked)
    for _ in range(env.options.episode_steps):
        result = env.step(policy.mean(normaliser(torch.from_numpy(obs))).numpy())
        obs = result.obs
        accounts.env_steps += int((~accounts.done[first:wanted]).sum())
        if result.finished is not None:
            accounts.add(result.finished, first)
        folder.heartbeat(
            phase="evaluate",
            env_steps=accounts.env_steps,
            total_env_steps=accounts.num_asked * env.options.episode_steps,
            env_steps_per_s=0.0,
            success_rate=None,
        )
        if accounts.done[first:wanted].all():
            break
        if folder.stop_requested():
            accounts.stopped = True
            break


def _cell(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.6g}"
