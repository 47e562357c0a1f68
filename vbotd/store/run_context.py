"""What do a run's own files say that the health rules must know? Its spec, its heartbeat, and its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vbotd.core.health.context import Context, Kept, context_of
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.present import metric_cards


def context_of_run(folder: Path, layout: Layout, beat: Mapping[str, Any], spec: Mapping[str, Any], *,
                   silent_s: float | None = None, gap_s: float | None = None) -> Context:
    """Return a run's circumstances. What cannot be read is as if it were not there."""
    metric = (metric_cards(layout) or {}).get(str(spec.get("task")))
    return context_of(spec, beat, metric, checkpoints=kept_checkpoints(folder, layout), silent_s=silent_s, gap_s=gap_s)


def kept_checkpoints(folder: Path, layout: Layout) -> tuple[Kept, ...]:
    """Return the checkpoints that a run's index lists, oldest first; paths as they are pasted in the workspace."""
    try:
        rows = (read_json(folder / "checkpoints" / "index.json") or {}).get("checkpoints")
    except UnreadableFile:
        return ()
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    kept = [Kept(path=_from_home(folder / row["path"], layout), env_steps=row["env_steps"]) for row in found
            if isinstance(row.get("path"), str) and isinstance(row.get("env_steps"), int)]
    return tuple(sorted(kept, key=lambda one: one.env_steps))


def _from_home(path: Path, layout: Layout) -> str:
    return str(path.relative_to(layout.home) if path.is_relative_to(layout.home) else path)
