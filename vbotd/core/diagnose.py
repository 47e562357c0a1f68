"""How does a run go? Its key metrics in a line each, how far it is, and what the health rules say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from vbotd.core.health import Context, SeriesByTag, context_of, examine
from vbotd.core.health.watched import ENTROPY, FALLS, KL, LENGTH, RETURN, STD, SUCCESS
from vbotd.core.trend import KeyMetric, key_metric
from vbotd.domain.finding import Finding

KEY_TAGS = (SUCCESS, RETURN, LENGTH, FALLS, KL, STD, ENTROPY, "ppo/explained_variance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """How a run goes. `left_s` is None while the rate is unknown, `success_rate` before an episode has ended."""

    phase: str
    env_steps: int
    total_env_steps: int
    env_steps_per_s: float
    left_s: float | None
    success_rate: float | None
    metrics: tuple[KeyMetric, ...]
    reward_terms: tuple[KeyMetric, ...]
    findings: tuple[Finding, ...]


def diagnose(series: SeriesByTag, heartbeat: Mapping[str, Any], context: Context | None = None) -> Diagnosis:
    """Return what the series and the last heartbeat (empty before the first) say about a run.

    `context` is what its spec says; None: nothing beyond the heartbeat is known.
    """
    env_steps, total = int(_number(heartbeat, "env_steps")), int(_number(heartbeat, "total_env_steps"))
    rate, success = _number(heartbeat, "env_steps_per_s"), heartbeat.get("success_rate")
    return Diagnosis(
        phase=str(heartbeat.get("phase", "unknown")), env_steps=env_steps, total_env_steps=total,
        env_steps_per_s=rate, left_s=max(0, total - env_steps) / rate if rate > 0 else None,
        success_rate=float(success) if isinstance(success, int | float) else None,
        metrics=tuple(key_metric(tag, series[tag]) for tag in KEY_TAGS if tag in series),
        reward_terms=tuple(key_metric(tag, series[tag]) for tag in sorted(series) if tag.startswith("reward/")),
        findings=examine(series, context or context_of({}, heartbeat)))


def _number(heartbeat: Mapping[str, Any], key: str) -> float:
    value = heartbeat.get(key)
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0
