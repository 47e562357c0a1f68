"""How does a tool use a verb of the command line? As a process of its own, with a deadline, and without our secrets.

Torch and MuJoCo are loaded there and nowhere else, and whatever a verb prints stays out of a transport's stdout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from vbotd.agent.context import without_secrets
from vbotd.agent.registry import ToolError
from vbotd.core.wording import clean
from vbotd.layout import Layout
from vbotd.store.configuration import read_config

VERB_S = 90.0
LARGEST_OUTPUT = 16 << 20


def verb_command(layout: Layout, words: Sequence[str]) -> list[str]:
    """Return the command line of a verb over this workspace."""
    return [sys.executable, "-m", "vbotd", "--home", str(layout.home), *words]


def verb_environment(layout: Layout) -> dict[str, str]:
    """Return the environment of a verb: ours, without secrets, with this very package first on the path."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environ = without_secrets(read_config(layout), os.environ)
    return environ | {"PYTHONPATH": os.pathsep.join(filter(None, (package, environ.get("PYTHONPATH", ""))))}


def run_verb(layout: Layout, words: Sequence[str], *, timeout_s: float = VERB_S) -> dict[str, Any]:
    """Run a verb that prints one JSON object, and return that.

    Raises: ToolError with the verb's own words where it fails, or is too slow.
    """
    with tempfile.TemporaryDirectory(prefix="vbotd-call-") as folder:  # an id can then be no file that lies here
        try:
            done = subprocess.run(verb_command(layout, words), capture_output=True, timeout=timeout_s, cwd=folder,
                                  env=verb_environment(layout), stdin=subprocess.DEVNULL, check=False)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"'{words[0]}' took longer than {timeout_s:g} s and was ended") from error
    return parse_output(words[0], done.stdout, done.stderr)


def parse_output(verb: str, out: bytes, err: bytes) -> dict[str, Any]:
    """Return the JSON object that a verb printed.

    Raises: ToolError with the end of what it said instead.
    """
    try:
        if len(out) > LARGEST_OUTPUT:
            raise ValueError("too long")
        value = json.loads(out)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        said = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
        last = said[-1].removeprefix("vbotd: ") if said else "it said nothing"
        raise ToolError(f"{verb} failed: {clean(last, 300)}")
    return value
