"""A campaign file over which the daemon dies again and again is put aside, so that the next start survives it.

Before a file is parsed its hash is noted, without fsync: the note has to outlive this process, not the machine.
A start that finds a note knows who was read when the daemon before it died.

Reads and writes: `state/reading.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vbotd.domain.finding import Problem
from vbotd.store.files import UnreadableFile, read_json, write_json_atomic

DEATHS = 3  # one is chance (somebody killed it just then), three are not


class Poison:
    """Counts the deaths over each file that was being read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._deaths = {sha: deaths + 1 for sha, deaths in _noted(path).items()}
        self._reading: dict[str, int] = {}

    def refusal(self, sha256: str) -> tuple[Problem, ...] | None:
        """Return why a file is not read any more, None while it may be."""
        deaths = self._deaths.get(sha256, 0)
        if deaths < DEATHS:
            return None
        return (Problem(line=1, column=1, where="", message=f"the daemon died {deaths} times while it read this file",
                        fix="look into state/vbotd.log, mend the file (a change of any kind gives it another chance), "
                            "and please report it with the file"),)

    def begin(self, sha256: str, name: str) -> None:
        """Note that a file is being read. Raises: OSError when the note cannot be written."""
        self._reading[sha256] = self._deaths.get(sha256, 0)
        write_json_atomic(self._path, {"deaths": self._reading, "last": name}, durable=False)

    def end(self) -> None:
        """Take the note back: everything that was read is decided."""
        if self._reading:
            for sha in self._reading:
                self._deaths.pop(sha, None)
            self._reading = {}
            self._path.unlink(missing_ok=True)


def _noted(path: Path) -> dict[str, int]:
    try:
        said: Any = (read_json(path) or {}).get("deaths")
    except UnreadableFile:
        return {}
    return {str(sha): deaths for sha, deaths in said.items() if isinstance(deaths, int)} if isinstance(
        said, dict) else {}
