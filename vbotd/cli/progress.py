"""How far is a training run, as one line that a person can watch?"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from vbotd.cli.checking import count

LINE_EVERY_S = 10.0  # where the output is no terminal, a log that can still be read


def progress_line(beat: Mapping[str, Any], total_env_steps: int) -> str:
    """Return a heartbeat as a line: env steps, rate, success so far, time left."""
    env_steps, rate = int(beat.get("env_steps") or 0), float(beat.get("env_steps_per_s") or 0.0)
    total = int(beat.get("total_env_steps") or total_env_steps)
    success = beat.get("success_rate")
    left = f"{clock((total - env_steps) / rate)} left" if rate > 0 else "starting"
    shown = "-" if success is None else f"{success:.0%}"
    return (f"{count(env_steps):>8} of {count(total)} env steps  {env_steps / max(total, 1):>4.0%}  "
            f"{rate:>8,.0f}/s  success {shown:>4}  {left}")


def clock(seconds: float) -> str:
    """Return a duration as 1:02:03 or 2:03."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


class ProgressPrinter:
    """Prints progress: on a terminal one line that changes, elsewhere a line every ten seconds."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._terminal, self._now = sys.stderr.isatty(), now
        self._last_s: float | None = None
        self._width = 0

    def show(self, line: str) -> None:
        """Show a line, if it is time to."""
        now = self._now()
        every_s = 0.2 if self._terminal else LINE_EVERY_S
        if self._last_s is not None and now - self._last_s < every_s:
            return
        self._last_s = now
        if self._terminal:
            click.echo("\r" + line.ljust(self._width), err=True, nl=False)
            self._width = len(line)
        else:
            click.echo(line, err=True)

    def end(self) -> None:
        """Leave the line as it is and go on below it."""
        if self._terminal and self._width:
            click.echo("", err=True)
            self._width = 0
