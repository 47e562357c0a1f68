"""Which presets are there? Those that come with the package, read from their files."""

from __future__ import annotations

import difflib
from importlib import resources
from importlib.resources.abc import Traversable

from vbotd.core.presets import Preset, parse_preset
from vbotd.errors import NotFound


def load_presets() -> tuple[Preset, ...]:
    """Return every preset, by task and name."""
    found = [parse_preset(file.read_bytes(), name) for name, file in _files().items()]
    return tuple(sorted(found, key=lambda preset: (preset.task, preset.name)))


def load_preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises: NotFound with the nearest name.
    """
    files = _files()
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "'vbotd new --list-presets' lists them"
        raise NotFound(f"there is no preset '{name}' — {hint}")
    return parse_preset(files[name].read_bytes(), name)


def _files() -> dict[str, Traversable]:
    folders = [entry for entry in (resources.files("vbotd") / "presets").iterdir() if entry.is_dir()]
    return {file.name.removesuffix(".yaml"): file
            for folder in folders for file in folder.iterdir() if file.name.endswith(".yaml")}
