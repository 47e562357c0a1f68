"""How does a tool write numbers and times? Short, since every character is a part of a token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from vbotd.agent.untrusted import show_tag
from vbotd.core.wording import when
from vbotd.domain.metric import Measurement
from vbotd.store.present import utc_offset_s

MOST_METRICS = 12


def short(value: float) -> float | int:
    """Return a number with four significant digits; a whole number stays whole."""
    if isinstance(value, bool | int) or not math.isfinite(value):
        return value
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def measured(value: Measurement | None) -> str:
    """Return a measurement as '0.984 [0.961, 0.994] n=256'; the interval is that of 95 %."""
    return "" if value is None else f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}] n={value.n}"


def metrics_of(metrics: Mapping[str, Measurement]) -> dict[str, str]:
    """Return the metrics of a run, by tag."""
    return {show_tag(tag): measured(value) for tag, value in list(metrics.items())[:MOST_METRICS]}


def setting_of(value: Any) -> Any:
    """Return a setting's value as JSON has it, floats in four digits."""
    if isinstance(value, list | tuple):
        return [setting_of(item) for item in value][:20]
    return short(value) if isinstance(value, float) else value


def clock(at: float | None) -> str:
    """Return a time of the machine's own zone, '' for none."""
    return "" if at is None else when(at, utc_offset_s(at), "%m-%d %H:%M:%S")


def page(items: Iterable[str], after: str, limit: int) -> tuple[list[str], str]:
    """Return at most `limit` ids behind `after`, and the last of them where there are more ("" where not)."""
    ids = list(items)
    start = ids.index(after) + 1 if after in ids else 0
    chosen = ids[start:start + limit]
    return chosen, chosen[-1] if chosen and start + limit < len(ids) else ""
