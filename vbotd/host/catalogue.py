"""What the plugins offer, as one value, and the file that keeps it between two looks.

Reads and writes: `state/catalogue.json` (a view: it may be deleted at any time; after a crash half-way the
old file stands).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vbotd.domain.skill import SkillCard, ToolCard, Turn
from vbotd.domain.task import RunKindCard, TaskCard
from vbotd.host.wire import adapter
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, write_json_atomic

MAX_CATALOGUE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginCard:
    """A plugin that loaded: where it came from, the hooks it answers (without `vbotd_`), the skills it declares."""

    name: str
    source: str
    version: str = ""
    hooks: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFailure:
    """A plugin, or one noun of it, that was left out, and why."""

    name: str
    source: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that the plugins offer, in the order they were loaded."""

    tasks: tuple[TaskCard, ...] = ()
    run_kinds: tuple[RunKindCard, ...] = ()
    tools: tuple[ToolCard, ...] = ()
    skills: tuple[SkillCard, ...] = ()
    plugins: tuple[PluginCard, ...] = ()
    failures: tuple[PluginFailure, ...] = ()

    def task(self, name: str) -> TaskCard | None:
        """Return the task of this name, or None."""
        return next((task for task in self.tasks if task.name == name), None)

    def skill(self, name: str) -> SkillCard | None:
        """Return the skill of this name, or None; `-` and `_` are the same."""
        return next((skill for skill in self.skills if same_name(skill.name, name)), None)

    def owner(self, skill: str) -> str | None:
        """Return the plugin that declares a skill, or None."""
        return next((plugin.name for plugin in self.plugins if any(same_name(skill, own) for own in plugin.skills)),
                    None)

    @property
    def mute(self) -> frozenset[str]:
        """The skills, written with `-`, whose plugin never proposes a trial."""
        return frozenset(skill.replace("_", "-") for plugin in self.plugins if "propose" not in plugin.hooks
                         for skill in plugin.skills)

    @property
    def turns(self) -> dict[str, Turn]:
        """When each plugin proposes: the turn of the first skill that it declares."""
        return {plugin.name: card.turn for plugin in self.plugins if plugin.skills
                and (card := self.skill(plugin.skills[0])) is not None}

    @property
    def preflights(self) -> dict[str, tuple[str, ...]]:
        """The run kinds that are done before anything is trained, by the skill that wants them."""
        wanted: dict[str, tuple[str, ...]] = {}
        for kind in self.run_kinds:
            if kind.preflight_of:
                wanted[kind.preflight_of] = (*wanted.get(kind.preflight_of, ()), kind.name)
        return wanted

    @property
    def sha256(self) -> str:
        """The hash of the content; equal catalogues have equal hashes."""
        return hashlib.sha256(json.dumps(to_plain(self), sort_keys=True).encode()).hexdigest()


def same_name(one: str, other: str) -> bool:
    """Say whether two names of plugins or skills are the same name."""
    return one.replace("-", "_") == other.replace("-", "_")


def to_plain(catalogue: Catalogue) -> dict[str, Any]:
    """Return a catalogue as plain JSON values."""
    plain: dict[str, Any] = adapter(Catalogue).dump_python(catalogue, mode="json")
    return plain


def from_plain(plain: Any) -> Catalogue:
    """Return the catalogue behind plain JSON values."""
    catalogue: Catalogue = adapter(Catalogue).validate_python(plain)
    return catalogue


def read_catalogue(home: Path, *, key: str | None = None) -> Catalogue | None:
    """Return the kept catalogue, or None where there is none (or, given a key, none of this key)."""
    try:
        kept = read_json(Layout(home).catalogue, max_bytes=MAX_CATALOGUE_BYTES)
        if kept is None or (key is not None and kept["key"] != key):
            return None
        return from_plain(kept["catalogue"])
    except (UnreadableFile, ValueError, KeyError):
        return None  # of an older version, or damaged: it is only a copy of what the plugins say


def keep_catalogue(home: Path, catalogue: Catalogue, *, key: str) -> None:
    """Write `state/catalogue.json` in one rename."""
    path = Layout(home).catalogue
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomic(path, {"key": key, "sha256": catalogue.sha256, "catalogue": to_plain(catalogue)})


def fingerprint(files: Sequence[Path], *words: str) -> str:
    """Return a hash of files' paths, sizes and times, and of anything else that the catalogue depends on."""
    parts = list(words)
    for path in sorted(files):
        try:
            stat = path.stat()
        except OSError:
            continue
        parts.append(f"{path}:{stat.st_size}:{stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
