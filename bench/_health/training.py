"""Short real runs for the health rules: most are made to fail, each in a known way. What is kept is their series."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ENV_STEPS, NUM_ENVS, POINTS = 60_000, 64, 80
WALK, GOAL = "vbot_walk_flat", "vbot_navigation_section001"
# Episodes short enough to end often in so short a run; goals near enough to be reached by chance.
SHORT = {"env.episode_s": 4.0, "ppo.rollout": 12, "ppo.epochs": 2, "ppo.minibatches": 2}
ENV = {WALK: SHORT, GOAL: SHORT | {"env.spawn_radius_m": [0.6, 1.5]}}
FAILING = ("learning-rate", "entropy", "lazy", "sprint", "nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run to be trained: what goes wrong with it ("" for a healthy one), and its settings.

    `beyond` are settings of the learner that a task's card would not allow; `nan_from` is the env step from which the
    reward is no number.
    """

    name: str
    label: str
    task: str
    seed: int
    params: Mapping[str, Any]
    beyond: Mapping[str, Any] = field(default_factory=dict)
    nan_from: int | None = None


def plans(healthy: int, failing: int) -> list[Plan]:
    """Return `healthy` runs and `failing` of each kind, taking turns, so that whatever is done by then is balanced."""
    rows = [[_healthy(number) for number in range(healthy)],
            *([_failing(label, number) for number in range(failing)] for label in FAILING)]
    found = []
    while any(rows):
        for row in rows:
            share = 5 if row is rows[0] else 1
            found += row[:share]
            del row[:share]
    return found


def _healthy(number: int) -> Plan:
    draw = random.Random(f"healthy {number}")
    task = (WALK, GOAL)[number % 2]
    params = ENV[task] | {
        "ppo.learning_rate": draw.choice((3e-4, 5e-4, 1e-3)), "ppo.entropy": draw.uniform(0.001, 0.008),
        "ppo.gamma": draw.choice((0.98, 0.99, 0.995)), "ppo.init_std": draw.uniform(0.5, 1.0)}
    if number % 4 >= 2:
        params |= {"ppo.schedule": "linear"}
    return Plan(name=f"healthy-{number:02d}", label="", task=task, seed=100 + number, params=params)


def _failing(label: str, number: int) -> Plan:
    draw = random.Random(f"{label} {number}")
    task = GOAL if label in ("lazy", "sprint") else (WALK, GOAL)[number % 2]
    params: dict[str, Any] = dict(ENV[task])
    if label in ("lazy", "sprint"):
        params = _preset({"lazy": "lazy-robot", "sprint": "sprint-crash"}[label]) | params
        params["env.spawn_radius_m"] = [1.5, 3.0]
    return Plan(
        name=f"{label}-{number:02d}", label=label, task=task, seed=200 + number, params=params,
        beyond={"learning-rate": {"learning_rate": 0.1, "schedule": "fixed"},
                "entropy": {"entropy": 0.15, "entropy_final": 0.15}}.get(label, {}),
        nan_from=int(ENV_STEPS * draw.uniform(0.2, 0.9)) if label == "nan" else None)


def _preset(name: str) -> dict[str, Any]:
    """Return the rewards and rules of a preset, with our own learner: its own would need 50 times the env steps."""
    from vbotd.store.presets import load_preset
    from vbotd.train.tasks import registry

    settings = load_preset(name).settings(registry.find(GOAL))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()
            if not key.startswith("ppo.")}


def train_missing(folder: Path, wanted: list[Plan]) -> None:
    """Train every run whose series are not in `folder` yet; several processes may share the work."""
    folder.mkdir(parents=True, exist_ok=True)
    for plan in wanted:
        try:
            (folder / f"{plan.name}.taken").touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            kept = trained(plan)
            (folder / f"{plan.name}.json.tmp").write_text(json.dumps(kept), encoding="utf-8")
            os.replace(folder / f"{plan.name}.json.tmp", folder / f"{plan.name}.json")
        finally:
            if not (folder / f"{plan.name}.json").exists():
                (folder / f"{plan.name}.taken").unlink()


def trained(plan: Plan) -> dict[str, Any]:
    """Train one run in a folder of its own, and return what is kept of it."""
    from vbotd.store.tfevents import RunTail, SeriesBook
    from vbotd.train import loop, worker
    from vbotd.train.session import make_folder

    with TemporaryDirectory(prefix="vbotd-bench-") as home, contextlib.chdir(home):
        folder = make_folder(Path(home) / "run", kind="train", task=plan.task, seed=plan.seed, threads=1,
                             params=dict(plan.params), train={"env_steps": ENV_STEPS, "num_envs": NUM_ENVS})
        training = worker.prepare(folder)
        training.ppo.settings = replace(training.ppo.settings, **plan.beyond)
        if "learning_rate" in plan.beyond:
            training.ppo._set_rate(plan.beyond["learning_rate"])
        if plan.nan_from is not None:
            _poison(training, plan.nan_from)
        outcome = loop.run(training)
        book, tail = SeriesBook(), RunTail(folder.path)
        while (polled := tail.poll()).bytes_read:
            book.absorb(polled.points)
        shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
    series = {tag: points for tag, points in book.points(POINTS).items()
              if tag.startswith("train/") or (not tag.startswith("perf/") and any(value for _, value in points))}
    return {"name": plan.name, "label": plan.label, "task": plan.task, "seed": plan.seed, "outcome": outcome,
            "params": {key: plan.params[key] for key in plan.params if key.startswith("ppo.")}, "env_steps": ENV_STEPS,
            "series": {tag: [[step for step, _ in points], [float(f"{value:.4g}") for _, value in points]]
                       for tag, points in series.items()}}


def _poison(training: Any, env_step: int) -> None:
    """Make one environment's reward not-a-number from an env step on."""
    reward = training.env.task.reward

    def poisoned(robot: Any) -> Any:
        paid = reward(robot)
        if training.env_steps >= env_step:
            paid[0] = float("nan")
        return paid

    training.env.task.reward = poisoned
