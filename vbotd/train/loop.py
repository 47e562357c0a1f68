"""The training loop, as a table of contents: collect, improve, tell, keep; until done, stopped or diverged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from vbotd.core import interval
from vbotd.train import advantage_share, checkpoint, precision
from vbotd.train.episodes import RecentEpisodes
from vbotd.train.lane import Collected
from vbotd.train.lanes import Lanes, bounds
from vbotd.train.ppo import Ppo
from vbotd.train.runio import RunFolder, RunSpec
from vbotd.train.tasks.environment import Environment
from vbotd.train.telemetry import Shares, Telemetry, not_finite
from vbotd.train.transfer import Transfer
from vbotd.train.vitals import EVERY_ITERATIONS, vitals

SAVES_PER_RUN = 10  # besides the one at the end
MAX_DIVERGED_RATE = 0.5  # of recent episodes; beyond, the physics is what is being trained

Outcome = Literal["finished", "stopped", "diverged"]


@dataclass(slots=True)
class Training:
    """Everything that one training run holds."""

    folder: RunFolder
    spec: RunSpec
    params: Mapping[str, Any]  # the overrides that the run was asked for
    total_env_steps: int
    lanes: Lanes
    ppo: Ppo
    recent: RecentEpisodes = field(default_factory=RecentEpisodes)
    shares: Shares = field(default_factory=Shares)
    transfer: Transfer | None = None  # None: it does not begin with another training's policy
    score_account: str = "success"  # of the episodes; what the task's metric is measured from, more is better
    until: int | None = None  # env steps at which the run pauses, before `total_env_steps`; None: it does not
    env_steps: int = 0
    begun_env_steps: int = 0  # where this process began; above 0 when resumed
    scalars: dict[str, float] = field(default_factory=dict)
    term_scalars: dict[str, float] = field(default_factory=dict)  # of the last rollout: rates; shares where due
    reason: str = ""

    @property
    def env(self) -> Environment:
        """The environments of the first lane: any lane's, where they are asked about the task or its options."""
        return self.lanes.local[0].env

    @property
    def num_envs(self) -> int:
        """How many environments all lanes have together."""
        return self.ppo.rollout.num_envs

    @property
    def progress(self) -> float:
        """Share 0-1 of the run's env steps that are done."""
        return min(self.env_steps / self.total_env_steps, 1.0)

    @property
    def final_env_steps(self) -> int:
        """Where the run will end: the env steps that were asked for, filled up to a whole rollout."""
        samples = self.ppo.rollout.num_samples
        return math.ceil(self.end_env_steps / samples) * samples

    @property
    def end_env_steps(self) -> int:
        """How far the run is to go; its schedules are laid out for `total_env_steps` whatever this is."""
        return min(self.until or self.total_env_steps, self.total_env_steps)

    @property
    def env_steps_per_s(self) -> float:
        """Throughput of this process since its start."""
        return (self.env_steps - self.begun_env_steps) / max(self.shares.wall_s, 1e-9)


def run(training: Training) -> Outcome:
    """Train until the env steps are done; resumed equals uninterrupted, bit for bit on the CPU."""
    training.lanes.spread(training.spec.threads, lambda: beat(training))
    telemetry = Telemetry(training.folder.path)
    try:
        while training.env_steps < training.end_env_steps:
            if training.transfer is not None:
                training.transfer.begin(training)
            collect(training)
            improve(training)
            tell(training, telemetry)
            training.reason = why_diverged(training)
            if training.reason:
                return "diverged"
            training.reason = training.transfer.verdict(training) if training.transfer is not None else ""
            if training.reason:
                return "stopped"
            stopping = training.folder.stop_requested()
            keep(training, now=stopping)
            if stopping:
                return "stopped"
        keep(training, now=True)
        return "finished"
    finally:
        telemetry.close()
        training.lanes.close()


def collect(training: Training) -> None:
    """Fill a rollout with the exploring policy."""
    ppo, lanes = training.ppo, training.lanes
    measured = advantage_share.is_due(training.env_steps, ppo.rollout.num_samples)
    with training.shares.measure("waiting"):
        collected: list[Collected] = lanes.each("collect", measured)
    for name in collected[0].seconds:
        training.shares.move("waiting", name, sum(c.seconds[name] for c in collected) / len(lanes))
    for lane in collected:
        for finished in lane.finished:
            training.recent.add(finished)
    if any(lane.lessons for lane in collected):
        lanes.each("learn", [lane.lessons for lane in collected])
    training.term_scalars = _of_terms(training, collected)
    training.env_steps += ppo.rollout.num_samples


def improve(training: Training) -> None:
    """Update the networks on the rollout."""

    def descend(minibatch: int, entropy_weight: float) -> None:
        training.lanes.each("descend", minibatch, entropy_weight)

    with training.shares.measure("update"):
        training.scalars = training.ppo.update(training.progress, descend, alive=lambda: beat(training))


def tell(training: Training, telemetry: Telemetry) -> None:
    """Write the iteration's record and a heartbeat."""
    training.scalars |= training.term_scalars
    training.scalars |= training.recent.take_scalars()
    training.scalars["train/curriculum_level"] = training.env.task.level
    if training.env_steps // training.ppo.rollout.num_samples % EVERY_ITERATIONS == 0:
        training.scalars |= vitals(training.ppo, training.env.options.control_dt_s)
    training.scalars["perf/env_steps_per_s"] = training.env_steps_per_s
    training.scalars["perf/env_steps_per_s_now"] = training.ppo.rollout.num_samples / training.shares.lap_s()
    training.scalars |= {f"perf/{name}_rate": rate for name, rate in training.shares.rates().items()}
    telemetry.write(training.scalars, training.env_steps)
    beat(training)


def keep(training: Training, *, now: bool) -> None:
    """Save a checkpoint where one is due, and delete those that nobody needs."""
    spacing = max(training.total_env_steps // SAVES_PER_RUN, 1)
    rollout = training.ppo.rollout.num_samples
    due = training.env_steps // spacing > (training.env_steps - rollout) // spacing
    if not (now or due):
        return
    newest = checkpoint.read_index(training.folder.path)[-1:]
    if newest and newest[0].env_steps == training.env_steps:
        return
    checkpoint.save(training.folder.path, snapshot(training), training.env_steps, score(training))
    checkpoint.prune(training.folder.path)


def score(training: Training) -> float | None:
    """Return what the checkpoints of a run are compared by: the task's metric lately, times the curriculum's level.

    Without the level an early checkpoint, good at easy episodes, would beat a later one, nearly as good at hard ones.
    None before an episode could have lasted to the clock: until then only the quick ones have ended, and where success
    is quick, they are nearly all successes.
    """
    if training.env_steps < training.num_envs * training.env.options.episode_steps:
        return None
    value = training.recent.mean(training.score_account)
    return None if value is None else value * training.env.task.level


def why_diverged(training: Training) -> str:
    """Return why the run makes no sense any more, or an empty string."""
    if tags := not_finite(training.scalars):
        return f"{', '.join(tags)} not finite at {training.env_steps} env steps"
    if not all(bool(torch.isfinite(p).all()) for p in training.ppo.policy.parameters()):
        return f"a weight is not finite at {training.env_steps} env steps"
    rate = training.recent.mean("diverged")
    if rate is not None and rate > MAX_DIVERGED_RATE:
        return f"the simulation diverged in {rate:.0%} of the recent episodes"
    return ""


def beat(training: Training) -> None:
    """Say how far the run is, once a second."""
    if not training.folder.heartbeat_due():
        return
    rate = training.env_steps_per_s
    training.folder.heartbeat(
        phase="train",
        env_steps=training.env_steps,
        total_env_steps=training.final_env_steps,
        env_steps_per_s=round(rate, 1) if math.isfinite(rate) else 0.0,
        success_rate=training.recent.mean("success"),
    )


def snapshot(training: Training) -> dict[str, Any]:
    """Return everything that the next iteration depends on, and what a reader must know to use the policy."""
    ppo = training.ppo
    return {
        "task": training.spec.task,
        "run": training.spec.run,
        "params": {k: list(v) if isinstance(v, tuple) else v for k, v in training.params.items()},
        "num_envs": training.num_envs,
        "seed": training.spec.seed,
        "threads": training.spec.threads,
        "policy": ppo.policy.state_dict(),
        "normaliser": ppo.normaliser.state_dict(),
        "optimiser": ppo.optimiser.state_dict(),
        "learning_rate": ppo.learning_rate,
        "update_precision": precision.name_of(ppo.products),
        "rng_torch": ppo.generator.get_state(),
        "lanes": [_as_tensors(lane) for lane in training.lanes.each("save")],
        "recent": training.recent.save(),
        "transfer": training.transfer and training.transfer.state(),
    }


def _as_tensors(lane: Mapping[str, Any]) -> dict[str, Any]:
    return {**lane, "env": checkpoint.tensors(lane["env"]), "rng_torch": torch.from_numpy(lane["rng_torch"])}


def restore(training: Training, saved: Mapping[str, Any]) -> None:
    """Go on exactly where `snapshot` was taken, with as many lanes; before they are spread."""
    ppo = training.ppo
    ppo.policy.load_state_dict(saved["policy"])
    ppo.normaliser.load_state_dict(saved["normaliser"])
    ppo.optimiser.load_state_dict(saved["optimiser"])
    ppo.learning_rate = saved["learning_rate"]
    # What it was on the machine where it began, whatever this one would choose; once there was float32 alone.
    ppo.multiply_in(precision.dtype_of(saved.get("update_precision", "float32"), ppo.settings.hidden))
    ppo.generator.set_state(saved["rng_torch"])
    for lane, state in zip(training.lanes.local, checkpoint.lanes_of(saved), strict=True):
        lane.restore(state)
    training.recent.restore(saved["recent"])
    training.env_steps = training.begun_env_steps = saved["env_steps"]


def training_metrics(training: Training) -> dict[str, interval.Measured]:
    """Return the last training metrics, over the window of recent episodes, for `result.json`."""
    measured: dict[str, interval.Measured] = {}
    for name, tag in (("success", "train/success_rate"), ("fall", "train/fall_rate")):
        values = training.recent.values(name)
        if len(values):
            measured[tag] = interval.of_rate(int(np.sum(values)), len(values))
    for name, tag in (("total_reward", "train/episode_return"), ("length_s", "train/episode_length_s")):
        values = training.recent.values(name)
        if len(values):
            measured[tag] = interval.of_mean(values.tolist())
    return measured


def _of_terms(training: Training, collected: Sequence[Collected]) -> dict[str, float]:
    """Return `reward/<term>`, what each paid per second, and in iterations that are measured its `share/<term>`."""
    rollout = training.ppo.rollout
    weights = [(last - first) / rollout.num_envs for first, last in bounds(rollout.num_envs, len(collected))]
    rates = {f"reward/{name}": sum(w * lane.rates[name] for w, lane in zip(weights, collected, strict=True))
             for name in collected[0].rates}  # fmt: skip
    paid = {name: np.concatenate([lane.paid[name] for lane in collected], axis=1) for name in collected[0].paid}
    ended = (rollout.terminated | rollout.timed_out).numpy()
    return rates | advantage_share.shares(paid, ended, training.ppo.settings.gamma)
