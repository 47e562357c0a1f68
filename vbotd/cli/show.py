"""How does a verb show things? The same times, measurements, progress bars and JSON everywhere."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import click

from vbotd.core.heartbeat import Heartbeat
from vbotd.core.wording import clean, count, duration, interval, number, when
from vbotd.domain.metric import Measurement
from vbotd.store.present import utc_offset_s

COLOURS = {"open": "green", "reached": "green", "finished": "green", "running": "green", "keep": "green",
           "promote": "green", "paused": "yellow", "closing": "yellow", "stopped": "yellow", "inconclusive": "yellow",
           "failed": "red", "diverged": "red", "lost": "red", "refused": "red"}


def json_option(command: Any) -> Any:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: Any) -> None:
    """Print a value as one JSON document; numbers that are not finite become null, since JSON has none."""
    click.echo(json.dumps(plain(value), indent=1, allow_nan=False, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Return dataclasses, tuples and mappings as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def local_time(at: float | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return an epoch time in the machine's own zone."""
    return when(at, utc_offset_s(at) if at is not None else 0.0, form)


def measured(value: Measurement | None, tag: str = "") -> str:
    """Return a measurement with its interval and episodes, as in '98.4 % [96.1-99.4 %] of 256'."""
    if value is None:
        return "-"
    return f"{number(value.value, tag)} [{interval(value, tag)}] of {count(value.n)}"


def coloured(word: str) -> str:
    """Return a status or an outcome in its colour (click drops the colour where the output is no terminal)."""
    return click.style(word, fg=COLOURS[word]) if word in COLOURS else word


def progress_bar(share: float, width: int = 20) -> str:
    """Return a share in 0-1 as a bar and a percentage."""
    full = round(min(1.0, max(0.0, share)) * width)
    return f"{'#' * full}{'.' * (width - full)} {share * 100:5.1f} %"


def heartbeat_cells(beat: Heartbeat | None, now: float) -> tuple[str, str, str, str]:
    """Return (progress, rate, time left, success so far) of a live run."""
    if beat is None:
        return "no heartbeat yet", "-", "-", "-"
    share = beat.env_steps / beat.total_env_steps if beat.total_env_steps > 0 else 0.0
    success = "-" if beat.success_rate is None else number(beat.success_rate, "_rate")
    silent = f" (silent for {duration(now - beat.at)})" if now - beat.at > 60 else ""
    rate = f"{count(beat.env_steps_per_s)}/s" if beat.env_steps_per_s > 0 else "-"  # an evaluation says none
    left = duration(beat.remaining_s) if beat.remaining_s is not None else "-"
    return f"{progress_bar(min(1.0, share))} of {count(beat.total_env_steps)}", rate, f"{left}{silent}", success


def text(value: object, most: int = 200) -> str:
    """Return foreign text for a terminal: one line, no control characters."""
    return clean(value, most)


def now() -> float:
    """Return the time, seconds since the epoch."""
    return time.time()
