"""A campaign as it was accepted: what to train, how to search, what it may cost, when it is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vbotd.domain.space import SearchSpace
from vbotd.domain.task import ParamValue

GateOp = Literal[">=", "<=", ">", "<"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a campaign may spend. None: no limit of that kind (trials always has one)."""

    trials: int
    hours: float | None = None
    env_steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How one trial is trained. None: the task's own default. `seed` is the first run seed."""

    env_steps: int | None = None
    num_envs: int | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """How a trial is judged: so many held-out episodes, and again as many fresh ones to confirm the champion."""

    episodes: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A bar on a metric: the lower end of its 95 % interval (upper, where less is better) must pass it."""

    tag: str
    op: GateOp
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillUse:
    """A skill that the campaign asks for, and the options of its own block."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a curriculum; interpreted by the skill `curriculum`. `env_steps` None: the campaign's own."""

    name: str
    task: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    warm_start: Mapping[str, Any] = field(default_factory=dict)
    env_steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a campaign starts: exactly one of the three. Times are local to the daemon's time zone.

    `cron`: five fields, weekdays by name. `at`: ISO date and time, once. `every_s`: seconds between starts.
    """

    cron: str | None = None
    at: str | None = None
    every_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """The accepted content of a campaign file, defaults filled in; `params` are fixed overrides of the task."""

    version: int
    name: str
    task: str
    budget: Budget
    skills: tuple[SkillUse, ...] = ()
    deadline: str | None = None
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    space: SearchSpace = SearchSpace()
    gates: tuple[Gate, ...] = ()
    allow: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    schedule: Schedule | None = None
    note: str = ""

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of its stages, the first to be trained first."""
        return tuple(stage.name for stage in self.stages)

    def skill(self, name: str) -> SkillUse | None:
        """Return how a skill is used, None where the campaign does not name it; `-` and `_` are the same."""
        wanted = name.replace("_", "-")
        return next((use for use in self.skills if use.name.replace("_", "-") == wanted), None)
