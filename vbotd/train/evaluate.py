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

from vbotd.core.accounts import MEANS, RATES, Accounts
from vbotd.core.interval import Measured
from vbotd.store.files import write_atomic
from vbotd.train.runio import RunFolder, SpecError
from vbotd.train.tasks.environment import Environment, Finished

# Always this many rows through the network, each instance in its own, whatever the number of episodes or threads: a
# matrix product's last bit depends on its shape, and a walking robot turns a last bit into another episode. What is
# simulated is only what was asked for; the engine and the terms treat each robot by itself (tests hold them to it).
BLOCK = 256
# Joins the seed of the instances, so that no training seed, however chosen, draws the same numbers.
INSTANCE_STREAM = 0x1157
MAX_INSTANCES = 2**63
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

    def most_env_steps(self, wanted: int, done_control_steps: int, episode_steps: int) -> int:
        """Return how many there will be if no open episode ends early.

        `wanted` episodes belong to this block and those before it, which is `done_control_steps` into its own.
        """
        in_block, later = int((~self.done[:wanted]).sum()), self.num_asked - wanted
        return self.env_steps + in_block * (episode_steps - done_control_steps) + later * episode_steps

    def metrics(self) -> dict[str, Measured]:
        """Return `eval/*` of the episodes that have ended, with 95 % intervals."""
        ended = {name: tuple(column[self.done].tolist()) for name, column in self.columns.items()}
        return Accounts(columns=ended).metrics()

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
    num_blocks = math.ceil(episodes / BLOCK)
    width = math.ceil(episodes / num_blocks)
    env = make_environment(width)
    policy, normaliser = policy_of(env)
    accounts = Episodes(episodes)
    draws = instance_draws(instances, num_blocks * width, env.num_draws)
    for first in range(0, episodes, width):
        _run_block(env, policy, normaliser, draws[first : first + width], first, accounts, folder)
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
    wanted = min(first + len(draws), accounts.num_asked)
    slots = (first + np.arange(len(draws))) % BLOCK
    batch = torch.zeros(BLOCK, obs.shape[1])
    for k in range(env.options.episode_steps):
        batch[slots] = torch.from_numpy(obs)
        result = env.step(policy.mean(normaliser(batch)).numpy()[slots])
        obs = result.obs
        accounts.env_steps += int((~accounts.done[first:wanted]).sum())
        if result.finished is not None:
            accounts.add(result.finished, first)
        if folder.heartbeat_due():
            folder.heartbeat(
                phase="evaluate",
                env_steps=accounts.env_steps,
                total_env_steps=accounts.most_env_steps(wanted, k + 1, env.options.episode_steps),
                env_steps_per_s=0.0,  # what is left is only a bound, and the daemon would wait for it
                success_rate=None,
            )
        if accounts.done[first:wanted].all():
            break
        if folder.stop_requested():
            accounts.stopped = True
            break


def _cell(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.12g}"
