"""What a run does: `train` and `evaluate`, each called with the run's folder as its only argument."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vbotd.core.accounts import account_of
from vbotd.domain.task import TaskCard
from vbotd.store.files import sha256_of
from vbotd.train import checkpoint, loop, threads, warm_start
from vbotd.train.acting import Actor
from vbotd.train.backend import choose
from vbotd.train.evaluate import Episodes, check_instances, run_episodes
from vbotd.train.lane import Lane
from vbotd.train.lanes import Lanes, bounds, how_many
from vbotd.train.ppo import Ppo, PpoSettings
from vbotd.train.runio import RunFolder, RunSpec, SpecError
from vbotd.train.tasks import registry
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.robot import NUM_JOINTS
from vbotd.train.tasks.settings import Settings, resolve, unknown_key
from vbotd.train.transfer import Play
from vbotd.train.transfer_episodes import INSTANCES, player

# No training has such a seed, so an evaluation walks on ground that nobody has trained on.
HELD_OUT_TERRAIN = 2**40
TRAIN_KEYS = ("env_steps", "num_envs", "until")


def train(folder: RunFolder) -> None:
    """Train as `spec.json` says, and write `result.json`."""
    began_s = time.perf_counter()
    training = prepare(folder)
    outcome = loop.run(training)
    saved = checkpoint.read_index(folder.path)
    chosen = checkpoint.best(saved) if saved else None  # None: diverged before the first checkpoint
    finding = training.transfer.finding if training.transfer else None
    if finding is not None:
        chosen = None  # a poisoned policy is not worth an evaluation
    folder.write_result(
        {
            "outcome": outcome,
            "reason": training.reason or ("asked to stop" if outcome == "stopped" else ""),
            "env_steps": training.env_steps,
            "wall_s": round(time.perf_counter() - began_s, 3),
            "simulated_s": training.env_steps * training.env.options.control_dt_s,
            "checkpoint": chosen and {"path": chosen.path, "sha256": chosen.sha256, "env_steps": chosen.env_steps},
            "metrics": loop.training_metrics(training),
            "findings": [asdict(finding)] if finding else [],
            "transfer": training.transfer.figures() if training.transfer else {},
            "perf": {"env_steps_per_s": training.env_steps_per_s, "threads": training.spec.threads}
            | training.shares.rates(),
        }
    )


def evaluate(folder: RunFolder) -> None:
    """Measure a checkpoint on held-out episodes, and write `episodes.csv` and `result.json`."""
    began_s = time.perf_counter()
    spec = folder.spec()
    asked = _evaluation(spec)
    saved = checkpoint.load(asked["checkpoint"])
    threads.apply(1)  # a matrix product's last bit depends on how it is split
    card = registry.find(spec.task)
    settings = resolve(card, evaluation_params(card, saved, spec.params))
    episodes = run_episodes(
        make_environment=lambda num_envs: build(
            card, settings, num_envs, HELD_OUT_TERRAIN + asked["instances"], spec.threads
        ),
        policy_of=lambda env: load_policy(saved, settings, env),
        episodes=asked["episodes"],
        instances=asked["instances"],
        folder=folder,
    )
    episodes.write_csv(folder.path / "episodes.csv")
    folder.write_result(
        {
            "outcome": "stopped" if episodes.stopped else "finished",
            "reason": "asked to stop" if episodes.stopped else "",
            "env_steps": episodes.env_steps,
            "wall_s": round(time.perf_counter() - began_s, 3),
            "simulated_s": episodes.env_steps * float(settings.env["control_dt_s"]),
            "checkpoint": {
                "path": str(asked["checkpoint"]),
                "sha256": sha256_of(Path(asked["checkpoint"])),
                "env_steps": saved["env_steps"],
            },
            "metrics": _metrics(episodes),
        }
    )


def prepare(folder: RunFolder) -> loop.Training:
    """Build a training run from its spec: fresh, warm-started, or resumed."""
    spec = folder.spec()
    card = registry.find(spec.task)
    settings = resolve(card, spec.params)
    env_steps, num_envs, until = _sizes(card, spec)
    saved = None if spec.resume_from is None else checkpoint.load(spec.resume_from)
    lanes, ppo = _lanes(card, settings, spec, num_envs, saved)
    training = loop.Training(
        folder=folder,
        spec=spec,
        params=spec.params,
        total_env_steps=env_steps,
        until=until,
        lanes=lanes,
        ppo=ppo,
        score_account=account_of(card.metric.tag) if card.metric.direction == "max" else "success",
    )
    if saved is not None:
        resume(training, saved)
        return training
    if spec.warm_start is not None:
        warm = warm_start.parse(spec.warm_start, ppo.settings)
        begun = checkpoint.load(warm.checkpoint)
        # At what the checkpoint could do: at the new stage it may have nothing to lose yet.
        same = begun["task"] == spec.task
        known = evaluation_params(card, begun if same else {"params": {}}, {} if same else spec.params)
        warm_start.apply(training, begun, warm, _player(training, card), known)
    for lane in lanes.local:
        lane.env.start(stagger=True)
    return training


def _lanes(
    card: TaskCard, settings: Settings, spec: RunSpec, num_envs: int, saved: Mapping[str, Any] | None
) -> tuple[Lanes, Ppo]:
    """Build a run's lanes and their learner: as many lanes as a checkpoint has, or as the run has threads for."""
    count = len(checkpoint.lanes_of(saved)) if saved else 1 if choose() == "gpu" else how_many(num_envs, spec.threads)
    # Where there are lanes, each is a process of one thread, and torch must not have begun others before they fork.
    threads.apply(1 if count > 1 else spec.threads)
    shares = bounds(num_envs, count)
    envs = [build(card, settings, last - first, spec.seed, max(spec.threads // count, 1)) for first, last in shares]
    observation = envs[0].task.observation.size
    ppo = Ppo(PpoSettings.of(settings.ppo), observation, NUM_JOINTS, num_envs, spec.seed, count)
    lanes = []
    for index, (env, (first, last)) in enumerate(zip(envs, shares, strict=True)):
        # Of the run's seed, and of its own: the first lane's episodes are those of a run that has no other.
        env.rng = np.random.default_rng(spec.seed if index == 0 else [spec.seed, index])
        noise = torch.Generator().manual_seed(int(np.random.SeedSequence([spec.seed, index]).generate_state(1)[0]))
        actor = Actor(ppo.policy, ppo.normaliser, ppo.rollout.columns(first, last), noise,
                      gamma=ppo.settings.gamma, lam=ppo.settings.gae_lambda)  # fmt: skip
        lanes.append(Lane(index, env, actor, ppo))
    return Lanes(lanes), ppo


def resume(training: loop.Training, saved: Mapping[str, Any]) -> None:
    """Continue from a checkpoint of the same trial; SpecError where it is another's."""
    mine = {"task": training.spec.task, "seed": training.spec.seed, "num_envs": training.num_envs}
    for key, value in mine.items():
        if saved[key] != value:
            raise SpecError(f"resume_from: its {key} is {saved[key]!r}, the spec's {value!r} — use warm_start")
    warm_start.go_on(training, saved, _player(training, registry.find(training.spec.task)))
    try:
        loop.restore(training, saved)
    except (ValueError, RuntimeError, KeyError) as err:
        path = training.spec.resume_from
        raise SpecError(f"resume_from: {path} does not fit this spec ({_first_line(err)}) — use warm_start") from err


def build(card: TaskCard, settings: Settings, num_envs: int, seed: int, threads: int) -> Environment:
    """Build a task's environments by the factory that its card names."""
    try:
        env = registry.call_target(card.factory)(settings, num_envs, seed, threads)
    except ValueError as err:
        raise SpecError(f"{card.name}: {_first_line(err)}") from err
    return env


def load_policy(saved: Mapping[str, Any], settings: Settings, env: Environment) -> Any:
    """Return the networks and the normaliser of a checkpoint."""
    ppo = Ppo(PpoSettings.of(settings.ppo), env.task.observation.size, NUM_JOINTS, 1, seed=0)
    try:
        ppo.policy.load_state_dict(saved["policy"])
        ppo.normaliser.load_state_dict(saved["normaliser"])
    except (RuntimeError, KeyError) as err:
        raise SpecError(f"the checkpoint's networks do not fit this task or ppo.hidden ({_first_line(err)})") from err
    return ppo.policy, ppo.normaliser


def _player(training: loop.Training, card: TaskCard) -> Play:
    """Return what plays the episodes of a transfer check, on ground that nobody has trained on."""

    def build_for(params: Mapping[str, Any], num_envs: int) -> Environment:
        return build(card, resolve(card, params), num_envs, HELD_OUT_TERRAIN + INSTANCES, training.spec.threads)

    return player(training, build_for)


def _sizes(card: TaskCard, spec: RunSpec) -> tuple[int, int, int]:
    for key in spec.train:
        if key not in TRAIN_KEYS:
            raise SpecError(unknown_key("train", f"train.{key}", [f"train.{k}" for k in TRAIN_KEYS]))
    sizes = {"env_steps": card.env_steps, "num_envs": card.num_envs} | dict(spec.train)
    sizes.setdefault("until", sizes["env_steps"])
    for key, value in sizes.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 1 or value != int(value):
            raise SpecError(f"train.{key} is {value!r} — it must be a whole number above 0")
    return int(sizes["env_steps"]), int(sizes["num_envs"]), int(sizes["until"])


def _evaluation(spec: RunSpec) -> dict[str, Any]:
    asked = dict(spec.evaluate or {})
    if not isinstance(asked.get("checkpoint"), str):
        raise SpecError("evaluate.checkpoint is missing — give the path of a ckpt_*.pt file")
    for key, default in (("episodes", 256), ("instances", 100_001)):
        value = asked.setdefault(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpecError(f"evaluate.{key} is {value!r} — it must be a whole number above 0")
    check_instances(asked["instances"])
    return asked


def evaluation_params(card: TaskCard, saved: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint's own settings, then the spec's; but the networks are what they are, and no aid to learning."""
    known = {key: value for key, value in saved["params"].items() if card.param(key) is not None}
    bare = {p.key: p.evaluated_as for p in card.params if p.evaluated_as is not None}
    return known | bare | {key: value for key, value in params.items() if key not in ("ppo.hidden", *bare)}


def _metrics(episodes: Episodes) -> Mapping[str, Any]:
    return episodes.metrics() if episodes.num_done else {}


def _first_line(err: Exception) -> str:
    return str(err).strip().split("\n")[0] or type(err).__name__
