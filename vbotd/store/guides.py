"""The guides for agents that come with the package, and their copies in other projects.

Writes: `<folder>/<name>/SKILL.md`, whole or not at all; a file that somebody has changed is never replaced.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import resources
from pathlib import Path

from vbotd.store.files import write_atomic

PAGE = "SKILL.md"


def guides() -> dict[str, str]:
    """Return the guides that are installed, by name."""
    found = {}
    with suppress(ModuleNotFoundError, OSError):
        for folder in sorted(resources.files("vbotd_skills").iterdir(), key=lambda entry: entry.name):
            page = folder / PAGE
            if page.is_file():
                found[folder.name] = page.read_text(encoding="utf-8")
    return found


def described(text: str) -> str:
    """Return the description in a guide's front matter, "" where it has none."""
    lines = text.split("---\n", 2)[1].splitlines() if text.startswith("---\n") else []
    return next((line.removeprefix("description:").strip() for line in lines if line.startswith("description:")), "")


def install(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy all guides below a folder; return what lies there as it came, and what was changed and left alone."""
    there, kept = [], []
    for name, text in guides().items():
        path = folder / name / PAGE
        if path.exists() and path.read_text(encoding="utf-8") != text:
            kept.append(path)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
        there.append(path)
    return there, kept


def uninstall(folder: Path) -> tuple[list[Path], list[Path]]:
    """Take the copies away; return what went, and what was changed and left alone."""
    gone, kept = [], []
    for name, text in guides().items():
        path = folder / name / PAGE
        if not path.exists():
            continue
        if path.read_text(encoding="utf-8") != text:
            kept.append(path)
            continue
        path.unlink()
        with suppress(OSError):
            path.parent.rmdir()
        gone.append(path)
    return gone, kept
