"""What a health rule or a plugin saw, and what a refused file got wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation about a run, with the number that shows it. Only an error may ask to stop the run."""

    rule: str
    level: Level
    message: str
    tag: str = ""
    value: float | None = None
    env_steps: int | None = None
    fix: str = ""
    stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a file: where, the value, what is allowed, what to do. Lines count from 1."""

    line: int
    column: int
    where: str
    message: str
    fix: str = ""

    def render(self, file: str) -> str:
        """Return the one-line form, `file:line:column: where: message — fix`."""
        place = f"{file}:{self.line}:{self.column}"
        parts = [f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"]
        return " — ".join(parts + ([self.fix] if self.fix else []))
