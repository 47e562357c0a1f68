"""What must a health rule know of a run besides its series? Facts from the spec, the heartbeat and the task's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from vbotd.domain.metric import Direction, MetricCard

KL_TARGET = 0.01  # of a run whose spec names none
TRAINING_TAGS = {
    "eval/success_rate": "train/success_rate", "eval/fall_rate": "train/fall_rate",
    "eval/timeout_rate": "train/timeout_rate", "eval/diverged_rate": "train/diverged_rate",
    "eval/episode_return": "train/episode_return", "eval/episode_length_s": "train/episode_length_s",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A checkpoint that is there to go back to: its path as `vbotd train --from` takes it, and its age."""

    path: str
    env_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A run's circumstances. `metric_tag` is what training logs of the task's score, `target` where it is good enough.

    `learning_rate` is the first one (None: as the task has it), `silent_s` how long ago it last wrote, `gap_s` the
    usual time between two writings (None: nobody looked at a clock, as with a run of the past). `total_env_steps` may
    be 0: unknown.
    """

    run: str = ""
    task: str = ""
    env_steps: int = 0
    total_env_steps: int = 0
    metric_tag: str = "train/success_rate"
    metric_direction: Direction = "max"
    metric_is_rate: bool = True
    target: float | None = None
    kl_target: float = KL_TARGET
    schedule: str = "adaptive"
    learning_rate: float | None = None
    learning_rate_min: float | None = None
    warm_started: bool = False
    checkpoints: tuple[Kept, ...] = ()
    silent_s: float | None = None
    gap_s: float | None = None


def training_tag(tag: str) -> str:
    """Return the tag under which training logs what an evaluation calls `tag`."""
    return TRAINING_TAGS.get(tag, f"task/{tag.removeprefix('eval/')}")


def context_of(spec: Mapping[str, Any], beat: Mapping[str, Any], metric: MetricCard | None = None, *,
               checkpoints: tuple[Kept, ...] = (), silent_s: float | None = None, gap_s: float | None = None
               ) -> Context:
    """Return what a run's `spec.json` and `heartbeat.json` say; nonsense in them is as if it were not there."""
    params = _mapping(spec.get("params"))
    card = metric or MetricCard(tag="eval/success_rate", unit="rate")
    return Context(
        run=str(spec.get("run") or ""), task=str(spec.get("task") or ""),
        env_steps=int(_number(beat, "env_steps") or 0),
        total_env_steps=int(_number(beat, "total_env_steps") or _number(_mapping(spec.get("train")), "env_steps") or 0),
        metric_tag=training_tag(card.tag), metric_direction=card.direction,
        metric_is_rate=card.unit in ("rate", "share") or card.tag.endswith("_rate"),  # a mean of 0-1 scatters no wider
        kl_target=_number(params, "ppo.kl_target") or KL_TARGET,
        schedule=str(params.get("ppo.schedule", "adaptive")), learning_rate=_number(params, "ppo.learning_rate"),
        learning_rate_min=_number(params, "ppo.learning_rate_min"), warm_started=bool(spec.get("warm_start")),
        checkpoints=checkpoints, silent_s=silent_s, gap_s=gap_s)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number and value > 0 else None  # type: ignore[arg-type,operator]  # checked above
