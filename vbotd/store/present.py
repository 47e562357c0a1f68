"""What do the workspace's files say of this very moment? Heartbeats, the catalogue's metrics, the cores to use.

Nothing here needs pydantic or the event store, so that `vbotd status` starts at once.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from vbotd.core.heartbeat import Heartbeat
from vbotd.domain.metric import Direction, MetricCard
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json

LARGEST_CATALOGUE = 16 << 20
LARGEST_HEARTBEAT = 64 << 10

_SLOTS = re.compile(rb"^slots:[ \t]*([1-9][0-9]{0,3})[ \t]*(?:#.*)?$", re.MULTILINE)


def heartbeats(layout: Layout, runs: Iterable[str]) -> dict[str, Heartbeat]:
    """Return the last sign of life of each of these runs that has given one."""
    found = {}
    for run in runs:
        try:
            said = read_json(layout.run(run) / "heartbeat.json", max_bytes=LARGEST_HEARTBEAT)
        except UnreadableFile:
            continue  # the run's own trouble, told by the health rules
        if said is not None:
            found[run] = _heartbeat(run, said)
    return found


def metric_cards(layout: Layout) -> dict[str, MetricCard] | None:
    """Return the score of each task in the kept catalogue; None where there is no catalogue."""
    return score_cards(layout)[0]


def score_cards(layout: Layout) -> tuple[dict[str, MetricCard] | None, dict[str, MetricCard]]:
    """Return the score of each task in the kept catalogue, None where there is none, and the quality of those with one.

    The quality decides between trials of equal score.
    """
    try:
        kept = read_json(layout.catalogue, max_bytes=LARGEST_CATALOGUE)
    except UnreadableFile:
        return None, {}
    tasks = kept.get("catalogue", {}).get("tasks") if kept and isinstance(kept.get("catalogue"), dict) else None
    if not isinstance(tasks, list):
        return None, {}
    cards = {str(task.get("name")): task for task in tasks if isinstance(task, dict)}
    return ({name: _metric(card.get("metric")) for name, card in cards.items()},
            {name: _metric(card.get("quality")) for name, card in cards.items() if card.get("quality")})


def usable_cores(layout: Layout) -> int:
    """Return how many cores runs may use: `slots:` of `vbotd.yaml`, else those that this process may use."""
    try:
        said = _SLOTS.search(layout.config.read_bytes())
    except OSError:
        said = None
    if said:
        return int(said[1])
    # Containers and taskset allow fewer than there are.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def utc_offset_s(now: float) -> float:
    """Return how far the machine's own time zone is ahead of UTC at that moment."""
    return float(time.localtime(now).tm_gmtoff)


def _heartbeat(run: str, said: Mapping[str, Any]) -> Heartbeat:
    """Return a heartbeat from what a worker wrote; what is no number counts as not said."""
    return Heartbeat(
        run=run, phase=str(said.get("phase", ""))[:40], env_steps=int(_number(said.get("env_steps")) or 0),
        total_env_steps=int(_number(said.get("total_env_steps")) or 0),
        env_steps_per_s=max(0.0, _number(said.get("env_steps_per_s")) or 0.0),
        success_rate=_number(said.get("success_rate")), at=_number(said.get("at")) or 0.0)


def _metric(said: Any) -> MetricCard:
    metric = said if isinstance(said, dict) else {}
    direction: Direction = "min" if metric.get("direction") == "min" else "max"
    return MetricCard(tag=str(metric.get("tag", "eval/success_rate")), direction=direction,
                      unit=str(metric.get("unit", "")))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
