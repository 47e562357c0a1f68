"""What a plugin publishes about a task and about a kind of run, without loading torch or mujoco."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vbotd.domain.metric import MetricCard

ParamValue = bool | int | float | str | tuple[float, ...]
ParamScale = Literal["linear", "log", "fixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamCard:
    """One setting of a task that a campaign may override or search.

    `key` is `ppo.<name>`, `reward.<term>` or `env.<option>`. `low` and `high` bound what is allowed
    (None: unbounded on that side); `scale` says how a search should move in it, and `search` where it should look,
    from low to high (None: around the default). `evaluated_as` is the value that an evaluation takes whatever the run
    trained with: a curriculum is an aid to learning, not a discount.
    """

    key: str
    default: ParamValue
    low: float | None = None
    high: float | None = None
    choices: tuple[ParamValue, ...] = ()
    scale: ParamScale = "linear"
    unit: str = ""
    summary: str = ""
    evaluated_as: ParamValue | None = None
    search: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCard:
    """The published description of a task: what the daemon, the CLI and an agent may know of it.

    `factory` is the `module:callable` that builds the environments inside a worker.
    `metric` is the score of a trial (success, a rate in 0-1, measured on held-out episodes);
    `quality` breaks its ties. `entries` replaces the worker of a run kind for this task alone.
    `reference` is the `module:callable` that returns the task's `TaskReference` ("": there is none). It is called
    with the card, when somebody asks, and may load what it likes.
    """

    name: str
    summary: str
    factory: str
    metric: MetricCard = MetricCard(tag="eval/success_rate", direction="max", unit="rate")
    quality: MetricCard | None = None
    params: tuple[ParamCard, ...] = ()
    env_steps: int = 2_000_000
    num_envs: int = 1024
    episode_s: float = 20.0
    entries: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""

    def param(self, key: str) -> ParamCard | None:
        """Return the card of one setting, or None where the task has no such key."""
        return next((p for p in self.params if p.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKindCard:
    """A kind of run and the `module:callable` that does it, called with the run's folder.

    `preflight_of` names a skill: campaigns that name it do one such run after the audit and before their first
    training, and an error among the `findings` of its `result.json` holds the campaign as an audit's does.
    """

    name: str
    entry: str
    summary: str = ""
    preflight_of: str = ""
