"""How many env steps a second does training reach, end to end, and what share is that of what its parts allow?

    python bench/throughput.py [--threads 2] [--seconds 6] [--repetitions 3] [--only walk] [--save]

The parts of a training are measured alone, on the objects of a real one, in turns: the physics (the batch, fed
with the targets that the exploring policy has just sent, from the states where it sent them), the inference
(`Actor.act`) and the update (`Ppo.update` on that rollout), all by all lanes of the training at once, and as long as
the slowest takes. What they allow is the bound, 1 / (step + inference + update) per env step; observations, rewards,
resets, lanes that wait, telemetry, checkpoints and the cold start are what the share loses. Each repetition measures
the parts, then trains from nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vbotd.train.session import make_folder, train_here
from vbotd.train.tasks.cards import TASKS
from vbotd.train.threads import prepare

MIN_SHARE = 0.8
BAR_THREADS = 2  # what the bars in env steps/s are for
NETWORK = (256.0, 128.0, 64.0)
FINE = {"env.physics_dt_s": 0.005}  # 4 physics steps for a control step
FLOAT32 = {"ppo.update_precision": "float32"}  # where the processor has bfloat16, NETWORK is updated in that
WARM_UP = 2  # rounds that nobody counts
BUSY_LOAD = 0.3  # other processes' load average above which the figures are no good
RESULTS = Path(__file__).with_name("results-throughput.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of the table. `bar` and `goal` are env steps/s on two free cores, not judged on one; None: no bar."""

    name: str
    task: str
    params: Mapping[str, Any] = field(default_factory=dict)
    bar: float | None = None
    goal: float | None = None


SETTINGS = (
    Setting(name="walk-4x5ms", task="vbot_walk_flat", params={**FINE, "ppo.hidden": NETWORK}, bar=20_000),
    Setting(name="walk", task="vbot_walk_flat", params={"ppo.hidden": NETWORK}, bar=30_000, goal=45_000),
    Setting(name="section001", task="vbot_navigation_section001", params={"ppo.hidden": NETWORK}, bar=25_000),
    Setting(name="section011", task="vbot_navigation_section011", params={"ppo.hidden": NETWORK}, bar=6_000),
    Setting(name="walk-float32", task="vbot_walk_flat", params={"ppo.hidden": NETWORK, **FLOAT32}),
    Setting(name="section001-float32", task="vbot_navigation_section001", params={"ppo.hidden": NETWORK, **FLOAT32}),
    Setting(name="walk-4x5ms-shipped-network", task="vbot_walk_flat", params=FINE),
    Setting(name="walk-shipped", task="vbot_walk_flat"),
    Setting(name="section001-shipped", task="vbot_navigation_section001"),
    Setting(name="section011-shipped", task="vbot_navigation_section011"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an env step costs in each part measured alone, microseconds; and the size of the training."""

    step_us: float
    inference_us: float
    update_us: float
    num_envs: int
    physics_steps: int
    hidden: Sequence[float]
    precision: str

    @property
    def bound(self) -> float:
        """Env steps a second if there were nothing else."""
        return 1e6 / (self.step_us + self.inference_us + self.update_us)


class Listening:
    """A simulator that keeps a copy of the targets that it is sent."""

    def __init__(self, sim: Any) -> None:
        self.sim = sim
        self.targets: list[np.ndarray] = []

    def step(self, targets_rad: np.ndarray, physics_steps: int) -> None:
        """Pass a control step on."""
        self.targets.append(targets_rad.copy())
        self.sim.step(targets_rad, physics_steps)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sim, name)


class Repeating:
    """A lane that can do the parts of its last rollout again, each alone."""

    def __init__(self, lane: Any) -> None:
        self._lane = lane
        self._sim = lane.env.sim
        self._heard = lane.env.sim = Listening(lane.env.sim)
        self._before: Any = None

    def collect(self, measured: bool) -> Any:
        """Fill the rollout, and remember what the robots did."""
        self._before = self._sim.save()
        self._heard.targets.clear()
        return self._lane.collect(measured)

    def step_again(self) -> float:
        """Return how many seconds the physics of the rollout take."""
        after = self._sim.save()
        self._sim.restore(self._before)
        physics_steps = self._lane.env.options.physics_steps
        seconds = timed(lambda: [self._sim.step(targets, physics_steps) for targets in self._heard.targets])
        self._sim.restore(after)
        return seconds

    def act_again(self) -> float:
        """Return how many seconds the inference of a rollout takes; overwrites the rollout."""
        actor, obs = self._lane.actor, self._lane.env.last_obs
        return timed(lambda: [actor.act(obs, t) for t in range(actor.rollout.length)])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lane, name)


def main() -> None:
    """Measure every setting, print a table to stderr and one JSON line to stdout."""
    asked = arguments()
    known = {card.name for card in TASKS}
    chosen = [s for s in SETTINGS if asked.only is None or s.name in asked.only]
    missing = sorted({s.task for s in chosen if s.task not in known})
    chosen = [s for s in chosen if s.task in known]
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        say(f"load average {load:.2f}: the machine is not free, and these figures will show it")
    for task in missing:
        say(f"{task} is not registered: left out")
    rows = table(chosen, asked)
    result = {
        "bench": "throughput",
        "threads": asked.threads,
        "repetitions": asked.repetitions,
        "load_before": round(load, 2),
        "passed": all(row["passed"] for row in rows),
        "missing": missing,
        "rows": rows,
    }
    line = json.dumps(result)
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")

def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a training, about")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the parts in a repetition")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SETTINGS], help="leave out the other lines")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    return parser.parse_args()


def table(settings: Sequence[Setting], asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each setting. Repetitions go around all settings, so that a drift meets all alike."""
    prepare()
    measured: dict[str, list[tuple[Parts, Mapping[str, float]]]] = {s.name: [] for s in settings}
    say(f"{'':<28}{'env steps/s':>12}{'bound':>9}{'share':>7}{'step':>8}{'inference':>11}{'update':>8}  (us)")
    for _ in range(asked.repetitions):
        for setting in settings:
            with TemporaryDirectory(prefix="vbotd-bench-") as folder, contextlib.chdir(folder):
                parts = measure_parts(setting, asked.threads, asked.rounds, Path(folder) / "parts")
                env_steps = math.ceil(parts.bound * asked.seconds)
                result = train_here(
                    setting.task, Path(folder) / "train", setting.params, env_steps, None, 1, asked.threads
                )
            measured[setting.name].append((parts, result["perf"]))
            say(line_of(setting.name, parts, result["perf"]["env_steps_per_s"]))
    return [row(setting, measured[setting.name], asked.threads) for setting in settings]


def measure_parts(setting: Setting, threads: int, rounds: int, folder: Path) -> Parts:
    """Return what the parts cost alone; medians of `rounds`, each on a new rollout of the training."""
    from vbotd.train import loop, worker  # loads torch
    from vbotd.train.precision import name_of

    training = worker.prepare(
        make_folder(folder, kind="train", task=setting.task, seed=1, threads=threads, params=dict(setting.params))
    )
    ppo, lanes = training.ppo, training.lanes
    lanes.local = [Repeating(lane) for lane in lanes.local]  # type: ignore[misc]  # as good as a lane
    lanes.spread(threads, lambda: None)
    seconds: dict[str, list[float]] = {"step": [], "inference": [], "update": []}
    for _ in range(WARM_UP + rounds):
        loop.collect(training)
        seconds["step"].append(max(lanes.each("step_again")))
        seconds["update"].append(timed(lambda: loop.improve(training)))
        # Order: after the update, whose rollout these actions overwrite.
        seconds["inference"].append(max(lanes.each("act_again")))
    lanes.close()
    cost_us = {
        name: 1e6 * statistics.median(values[WARM_UP:]) / ppo.rollout.num_samples for name, values in seconds.items()
    }
    return Parts(
        step_us=cost_us["step"],
        inference_us=cost_us["inference"],
        update_us=cost_us["update"],
        num_envs=training.num_envs,
        physics_steps=training.env.options.physics_steps,
        hidden=tuple(ppo.settings.hidden),
        precision=name_of(ppo.products),
    )


def row(setting: Setting, measured: Sequence[tuple[Parts, Mapping[str, float]]], threads: int) -> dict[str, Any]:
    """Return the medians over the repetitions, and whether they pass."""
    parts = [p for p, _ in measured]
    rates = [perf["env_steps_per_s"] for _, perf in measured]
    share = statistics.median(rate / p.bound for p, rate in zip(parts, rates, strict=True))
    rate = statistics.median(rates)
    fast_enough = setting.bar is None or threads < BAR_THREADS or rate >= setting.bar
    return {
        "name": setting.name,
        "task": setting.task,
        "hidden": [int(width) for width in parts[0].hidden],
        "update_precision": parts[0].precision,
        "num_envs": parts[0].num_envs,
        "physics_steps": parts[0].physics_steps,
        "env_steps_per_s": round(rate),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
        "bound": round(statistics.median(p.bound for p in parts)),
        "share": round(share, 3),
        "min_share": MIN_SHARE,
        "bar": setting.bar,
        "goal": setting.goal,
        "passed": fast_enough and share >= MIN_SHARE,
        **{
            f"{name}_us": round(statistics.median(getattr(p, f"{name}_us") for p in parts), 2)
            for name in ("step", "inference", "update")
        },
        "shares_of_training": {
            name: round(statistics.median(perf[name] for _, perf in measured), 3)
            for name in ("simulation", "inference", "environment", "update")
        },
    }


def line_of(name: str, parts: Parts, rate: float) -> str:
    share = rate / parts.bound
    costs = f"{parts.step_us:>8.1f}{parts.inference_us:>11.1f}{parts.update_us:>8.1f}"
    return f"{name:<28}{rate:>12,.0f}{parts.bound:>9,.0f}{share:>7.0%}{costs}"


def timed(do: Callable[[], Any]) -> float:
    """Return how many seconds something takes."""
    began_s = time.perf_counter()
    do()
    return time.perf_counter() - began_s


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
