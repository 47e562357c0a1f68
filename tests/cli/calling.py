"""Fixtures: the command line over a workspace in a temporary folder, in this process and as one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.daemon.workspace import Workspace, make_workspace
from vbotd.cli import cli
from vbotd.layout import Layout

ROOT = Path(__file__).parents[2]

CAMPAIGN = """version: 1
name: walk
task: vbot_walk_flat
budget: {hours: 1, trials: 4}
train: {env_steps: 1e6, seed: 1}
search:
  space:
    ppo.learning_rate: {log: [1e-4, 1e-3]}
"""


@dataclass
class Called:
    """What a verb printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, which every verb finds, and where this process is."""
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path))
    for name in ("VBOTD_PLUGINS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def layout(home: Path) -> Layout:
    return Layout(home)


@pytest.fixture
def call(home: Path) -> Callable[..., Called]:
    """Call a verb in this process: `call("check", "x.yaml")`."""
    def called(*words: str, stdin: str | None = None) -> Called:
        result: Result = CliRunner().invoke(cli, list(words), input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Called(result.exit_code, result.stdout, result.stderr)
    return called


@pytest.fixture
def spawn(home: Path) -> Callable[..., Called]:
    """Call a verb as a process of its own."""
    def spawned(*words: str) -> Called:
        done = subprocess.run([sys.executable, "-m", "vbotd", *words], capture_output=True, text=True, timeout=240,
                              stdin=subprocess.DEVNULL, cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)})
        return Called(done.returncode, done.stdout, done.stderr)
    return spawned


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    """The same workspace with the fake task, over which real daemons can be started."""
    made = make_workspace(home)
    yield made
    made.close()


@pytest.fixture
def campaign_file(home: Path) -> Path:
    path = home / "walk.yaml"
    path.write_text(CAMPAIGN)
    return path
