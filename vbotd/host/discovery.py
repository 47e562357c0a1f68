"""Which plugins there are, found without importing any of them.

A plugin comes from an entry point of group `vbotd` or from the `plugins/` folder of a workspace.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from vbotd.host.catalogue import PluginFailure, same_name

GROUP = "vbotd"
WORKSPACE_PACKAGE = "vbotd_workspace"  # the name under which a workspace's plugins/ folder is importable


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A plugin that could be loaded. `path` is its file where that is known without importing it."""

    name: str
    module: str
    source: str
    version: str = ""
    path: Path | None = None


def find(home: Path | None, allowed: Sequence[str] | None = None) -> tuple[list[Candidate], list[PluginFailure]]:
    """Return the plugins that may be loaded, entry points first, and those whose name is taken.

    Args:
        home: the workspace, whose `plugins/` folder is looked at; None for entry points alone.
        allowed: the names that may load (None: all); the variable VBOTD_PLUGINS narrows it further.
    """
    found: list[Candidate] = []
    failures: list[PluginFailure] = []
    for candidate in [*_from_entry_points(), *(_from_folder(home / "plugins") if home else [])]:
        if not _is_allowed(candidate.name, allowed):
            continue
        if candidate.path and any(candidate.path == other.path for other in found):
            continue  # the bundled plugins of a source checkout: an entry point already provides this file
        taken = next((other for other in found if same_name(other.name, candidate.name)), None)
        if taken:
            failures.append(PluginFailure(
                name=candidate.name, source=candidate.source,
                error=f"plugin '{candidate.name}' comes from both {taken.source} and {candidate.source} — names are "
                      "unique, the first is used — rename one"))
            continue
        found.append(candidate)
    return found, failures


def _is_allowed(name: str, allowed: Sequence[str] | None) -> bool:
    lists = [] if allowed is None else [list(allowed)]
    if (variable := os.environ.get("VBOTD_PLUGINS")) is not None:
        lists.append([part.strip() for part in variable.split(",") if part.strip()])
    return all(any(same_name(name, entry) for entry in entries) for entries in lists)


def _from_entry_points() -> list[Candidate]:
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [Candidate(name=point.name, module=point.module, version=point.dist.version if point.dist else "",
                      source=f"entry point {point.value}", path=_file_of(point.module)) for point in points]


def _file_of(module: str) -> Path | None:
    """Return the file behind a dotted name without importing any part of it, or None."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin).resolve() if spec.origin else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder, *rest)
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return path.resolve()
    return None


def _from_folder(folder: Path) -> list[Candidate]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    found = []
    for entry in entries:
        path = entry / "__init__.py" if entry.is_dir() else entry
        if entry.name.startswith(("_", ".")) or path.suffix != ".py" or not path.is_file():
            continue
        found.append(Candidate(name=entry.stem, module=f"{WORKSPACE_PACKAGE}.{entry.stem}",
                               source=f"plugins/{entry.name}", path=path.resolve()))
    return found


def source_files(home: Path | None, allowed: Sequence[str] | None = None) -> list[Path]:
    """Return every Python file that the catalogue may depend on, as far as that is known without importing."""
    files: set[Path] = set()
    for candidate in find(home, allowed)[0]:
        if candidate.path is None:
            continue
        alone = candidate.module.startswith(WORKSPACE_PACKAGE) and candidate.path.name != "__init__.py"
        files.update([candidate.path] if alone else candidate.path.parent.rglob("*.py"))
    return sorted(files)


def mount_workspace(folder: Path) -> None:
    """Make the modules in a workspace's `plugins/` folder importable as `vbotd_workspace.<name>`.

    A worker calls this before it imports the `module:callable` of a task that such a plugin offers.
    """
    package = sys.modules.setdefault(WORKSPACE_PACKAGE, ModuleType(WORKSPACE_PACKAGE))
    package.__path__ = [str(folder.resolve())]
