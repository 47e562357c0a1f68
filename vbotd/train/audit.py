"""Is a task worth training on, as it is set? Two real iterations, and what simple probes earn; before compute is spent.

Reads: spec.json. Writes: audit.json (everything that was measured) and result.json (the findings).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vbotd.core.probe_sums import Measured
from vbotd.core.reward_budget import check
from vbotd.core.reward_remedy import remedies
from vbotd.domain.finding import Finding
from vbotd.domain.task import TaskCard
from vbotd.store.files import write_json_atomic
from vbotd.store.tfevents import RunTail
from vbotd.train import loop, probes
from vbotd.train.runio import RunFolder, RunSpec
from vbotd.train.session import make_folder
from vbotd.train.tasks import registry
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.settings import Settings, resolve
from vbotd.train.worker import build, prepare

ITERATIONS = 2
PROBE_ENV_STEPS = 150_000  # of all probes together, where episodes are short enough
EPISODES = (4, 32)  # of one probe, at least and at most
MAX_CONTROL_STEPS = 6_000  # of a probe that are simulated; beyond, its last reward rate goes on
PROBES_S = 80.0  # so long may the probes take, by the rates that were measured just before
STEPPING_S = 0.5  # how long stepping alone is measured
STEPPING_SHARE = 0.5  # norm: training is half as fast as stepping alone (measured; docs: bench throughput)
FULL_ENVS = 256  # with fewer environments the update outweighs the stepping on any machine
FIXED_TAGS = (
    "ppo/kl", "ppo/clip_fraction", "ppo/grad_norm", "ppo/explained_variance", "ppo/action_std", "ppo/entropy",
    "ppo/learning_rate", "ppo/policy_loss", "ppo/value_loss", "train/episodes", "train/curriculum_level",
    "perf/env_steps_per_s",
)  # fmt: skip

Tell = Callable[[str, float], None]  # what is being done, and the share 0-1 of the whole that is done


class Stopped(Exception):
    """Somebody asked the audit to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """Two real iterations of training: how fast, against stepping alone, and what is missing or not finite."""

    env_steps: int
    env_steps_per_s: float
    stepping_per_s: float
    missing_tags: tuple[str, ...]
    reason: str  # why the training stopped making sense; "" where it did not

    @property
    def share(self) -> float:
        """The training's rate as a share of stepping alone, on this machine at this moment."""
        return self.env_steps_per_s / max(self.stepping_per_s, 1e-9)


def audit(folder: RunFolder) -> None:
    """Audit as `spec.json` says: a run like any other, whose result holds findings."""
    conduct(folder, "audit", examine)


def conduct(folder: RunFolder, what: str, examined: Callable[[RunSpec, Tell], dict[str, Any]]) -> None:
    """Do an examination as a run: heartbeats, a stop where one is asked for, its report and its findings.

    Writes: `<what>.json` with the report, spaces as `_`; `result.json`.
    """
    began_s = time.perf_counter()
    spec = folder.spec()

    def tell(doing: str, share: float) -> None:
        if folder.stop_requested():
            raise Stopped
        folder.heartbeat(phase=f"{what}: {doing}", env_steps=round(1000 * share), total_env_steps=1000,
                         env_steps_per_s=0.0, success_rate=None)  # fmt: skip

    try:
        report = examined(spec, tell)
    except Stopped:
        folder.write_result({"outcome": "stopped", "reason": "asked to stop", "env_steps": 0, "metrics": {}})
        return
    write_json_atomic(folder.path / f"{what.replace(' ', '_')}.json", report)
    folder.write_result(
        {
            "outcome": "finished",
            "reason": "",
            "env_steps": report["env_steps"],
            "wall_s": round(time.perf_counter() - began_s, 3),
            "simulated_s": report["env_steps"] * report["control_dt_s"],
            "checkpoint": None,
            "metrics": {},
            "findings": report["findings"],
        }
    )


def examine(spec: RunSpec, tell: Tell = lambda doing, share: None) -> dict[str, Any]:
    """Return the report on a run's task and settings, as audit.json holds it.

    Raises: SpecError where the settings cannot be.
    """
    began_s = time.perf_counter()
    card = registry.find(spec.task)
    # As an evaluation would: what aids learning, such as starting near the goal, is not what the reward is for.
    bare = {p.key: p.evaluated_as for p in card.params if p.evaluated_as is not None}
    settings = resolve(card, {**spec.params, **bare})
    tell("two iterations of training", 0.0)
    iteration, training = iterate(spec)
    tell("probes", 0.1)
    rolled, chosen = roll_probes(card, settings, spec, iteration, lambda share: tell("probes", 0.1 + 0.9 * share))
    measured = measured_of(settings, rolled)
    bounds = {p.key.removeprefix("reward."): (p.low, p.high) for p in card.params if p.key.startswith("reward.")}
    findings = (*iteration_findings(iteration, training.num_envs), *probe_findings(rolled), *check(measured),
                *(remedy.finding() for remedy in remedies(measured, bounds)))  # fmt: skip
    return {
        "version": 1,
        "task": spec.task,
        "params": dict(spec.params),
        "seed": spec.seed,
        "episode_s": measured.episode_s,
        "control_dt_s": measured.control_dt_s,
        "gamma": measured.gamma,
        "num_envs": training.num_envs,
        "iteration": asdict(iteration) | {"share": iteration.share},
        "episodes_per_probe": rolled.episodes,
        "extended_s": rolled.extended_s,
        "reference": measured.reference.name if measured.reference else None,
        "probes": [probe_json(probe, rolled) for probe in chosen],
        "findings": [asdict(finding) for finding in findings],
        "env_steps": iteration.env_steps + rolled.env_steps,
        "wall_s": round(time.perf_counter() - began_s, 1),
    }


def iterate(spec: RunSpec) -> tuple[Iteration, loop.Training]:
    """Train two iterations exactly as a run would, in a folder that is thrown away, and look at what it wrote."""
    with TemporaryDirectory(prefix="vbotd-audit-") as name:
        sizes = {key: value for key, value in spec.train.items() if key == "num_envs"}
        folder = make_folder(Path(name), kind="train", task=spec.task, seed=spec.seed, threads=spec.threads,
                             params=dict(spec.params), train={"env_steps": 1, **sizes})  # fmt: skip
        training = prepare(folder)
        training.total_env_steps = training.until = ITERATIONS * training.ppo.rollout.num_samples
        loop.run(training)
        counts = Counter(point.tag for point in RunTail(Path(name)).poll().points)
    terms = {f"reward/{term}" for term in training.env.task.rewards.names}
    missing = sorted(tag for tag in {*FIXED_TAGS, *terms} if counts[tag] < ITERATIONS and not training.reason)
    # Of the second one: the first also waits for memory, and for the lanes' processes.
    rate = training.scalars["perf/env_steps_per_s_now"]
    stepping_per_s = len(training.lanes) * stepping_rate(training.env)
    return Iteration(
        env_steps=training.env_steps, env_steps_per_s=rate, stepping_per_s=stepping_per_s,
        missing_tags=tuple(missing), reason=training.reason,
    ), training  # fmt: skip


def stepping_rate(env: Environment) -> float:
    """Return env steps per second of the simulation alone, holding the pose."""
    targets_rad = np.tile(env.hold_targets_rad, (env.num_envs, 1))
    steps, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < STEPPING_S:
        env.sim.step(targets_rad, env.options.physics_steps)
        steps += env.num_envs
    return steps / (time.perf_counter() - began_s)


def roll_probes(card: TaskCard, settings: Settings, spec: RunSpec, iteration: Iteration,
                alive: Callable[[float], None]) -> tuple[probes.Rolled, list[probes.Probe]]:  # fmt: skip
    """Run the probes that fit the task, as many episodes of each as the budget allows."""
    chosen = probes.probes_for(build(card, settings, 1, spec.seed, 1))
    env = build(card, settings, len(chosen), spec.seed, 1)
    steps = min(env.options.episode_steps, MAX_CONTROL_STEPS)
    least, most = EPISODES
    each = int(np.clip(PROBE_ENV_STEPS // (len(chosen) * steps), least, most))
    env = build(card, settings, each * len(chosen), spec.seed, spec.threads)
    rate = max(iteration.env_steps_per_s, STEPPING_SHARE * iteration.stepping_per_s)
    affordable = PROBES_S * rate / env.num_envs
    steps = min(steps, max(int(affordable), 200))
    return probes.roll(env, chosen, settings.ppo["gamma"], steps, spec.seed, alive), chosen


def measured_of(settings: Settings, rolled: probes.Rolled) -> Measured:
    """Return what the rules look at."""
    return Measured(
        episode_s=float(settings.env["episode_s"]), control_dt_s=float(settings.env["control_dt_s"]),
        gamma=settings.ppo["gamma"], weights=settings.reward, probes=rolled.probes)  # fmt: skip


def iteration_findings(iteration: Iteration, num_envs: int) -> list[Finding]:
    """Return what two iterations showed: not finite, blind, or slow (few environments are slow by nature)."""
    found = []
    if iteration.reason:
        found.append(Finding(rule="audit/diverged", level="error", message=iteration.reason,
                             fix="lower ppo.learning_rate, or look at the reward terms"))  # fmt: skip
    if iteration.missing_tags:
        found.append(Finding(
            rule="audit/missing-tags", level="error", fix="the daemon and 'vbotd monitor' would be blind",
            message=f"two iterations did not write twice: {', '.join(iteration.missing_tags)}"))  # fmt: skip
    if iteration.share < 0.5 * STEPPING_SHARE:
        found.append(Finding(
            rule="audit/slow", level="warning" if num_envs >= FULL_ENVS else "info", value=round(iteration.share, 3),
            message=f"training makes {iteration.env_steps_per_s:,.0f} env steps/s, {iteration.share:.0%} of the "
                    f"{iteration.stepping_per_s:,.0f} of stepping alone; the norm is {STEPPING_SHARE:.0%}",
            fix="look at 'vbotd doctor' for what else runs, then at ppo.epochs and ppo.hidden"))  # fmt: skip
    return found


def probe_findings(rolled: probes.Rolled) -> list[Finding]:
    """Return what the probes showed besides the rewards' budget: numbers that are none, a reference that fails."""
    bad = [p.name for p in rolled.probes.values() if not math.isfinite(p.total)]
    found = []
    if bad:
        found.append(Finding(rule="audit/not-finite", level="error", fix="look at the terms' functions",
                             message=f"the reward of {', '.join(bad)} is not a finite number"))  # fmt: skip
    if rolled.extended_s:
        found.append(Finding(
            rule="audit/extended", level="info", value=rolled.extended_s,
            message=f"the last {rolled.extended_s:g} s of an episode were not simulated: the rates of the time before "
                    "were taken to go on"))  # fmt: skip
    return found


def probe_json(probe: probes.Probe, rolled: probes.Rolled) -> Mapping[str, Any]:
    """Return one probe as audit.json holds it."""
    sums = rolled.probes[probe.name]
    seconds = max(sums.length_s, 1e-9)
    plain = asdict(sums) | {"summary": probe.summary, "rate_per_s": sums.rate}
    for name in ("terms_discounted", "terms_first_half", "terms_at_goal", "terms_flow"):
        del plain[name]
    plain["terms"] = {
        name: {"sum": paid, "rate_per_s": paid / seconds, "discounted": sums.terms_discounted[name]}
        for name, paid in sums.terms.items()
    }
    return plain


def audit_here(task: str, params: Mapping[str, Any], num_envs: int | None, seed: int, num_threads: int,
               tell: Tell) -> dict[str, Any]:  # fmt: skip
    """Audit in this process, and return the report. None: the task's number of environments. Raises: SpecError."""
    spec = RunSpec(run="audit", kind="audit", entry="vbotd.train.audit:audit", task=task, seed=seed,
                   threads=num_threads, params=params,
                   train={} if num_envs is None else {"num_envs": num_envs})  # fmt: skip
    return examine(spec, tell)
