"""A workspace for the command line: one of the stories, named through VBOTD_HOME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.cli.calling import call, campaign_file, home, layout, spawn, workspace
from tests.stories import tell
from vbotd.cli import cli

__all__ = ["call", "campaign_file", "home", "layout", "spawn", "vbotd", "workspace"]  # fixtures


@pytest.fixture
def vbotd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that calls the command line on a story: `vbotd("success", "status", "--json")`."""

    def call(name: str, *args: str) -> Result:
        home = tmp_path / name
        if not home.exists():
            tell(home, name)
        monkeypatch.setenv("VBOTD_HOME", str(home))
        return CliRunner().invoke(cli, list(args), catch_exceptions=False)

    return call
