"""How are measured numbers shown? With their 95 % interval and the episodes behind them, the score first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The instances of evaluations by hand. Campaigns choose and report on others, so a look by hand spoils neither.
HELD_OUT_INSTANCES = 500_001


def score_lines(metrics: Mapping[str, Any], *, first: str = "") -> list[str]:
    """Return a line a metric: its tag, value, interval and number of episodes."""
    tags = sorted(metrics, key=lambda tag: (tag != first, tag))
    width = max((len(tag) for tag in tags), default=0)
    return [f"{tag:<{width}}  {score_text(metrics[tag])}" for tag in tags]


def score_text(measured: Any) -> str:
    """Return a measurement as `0.980 [0.950, 0.990] n=256`."""
    value, low, high, n = (_part(measured, name) for name in ("value", "low", "high", "n"))
    return f"{value:.4g} [{low:.4g}, {high:.4g}] n={n:.0f}"


def _part(measured: Any, name: str) -> float:
    return float(measured[name] if isinstance(measured, Mapping) else getattr(measured, name))
