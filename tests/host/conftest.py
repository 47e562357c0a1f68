"""A workspace with plugins, and a real plugin host whose messages are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.waiting import wait_until
from vbotd.host.client import PluginHost
from vbotd.host.messages import AnswerArrived, AnswersDone, CatalogueArrived, PluginFault, Question


class Talk:
    """A running host and all that it has said."""

    def __init__(self, home: Path, **options: Any) -> None:
        self.messages: list[Any] = []
        self.host = PluginHost(home, on_message=self.messages.append, **options)

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    def catalogue(self) -> Any:
        return wait_until(lambda: self.of(CatalogueArrived))[-1].catalogue

    def faults(self) -> list[PluginFault]:
        return self.of(PluginFault)

    def ask(self, hook: str, **fields: Any) -> tuple[dict[str, Any], AnswersDone]:
        """Ask and wait until nothing more comes; return the answers by plugin, and the last message."""
        number = self.host.ask(Question(hook=hook, **fields))
        done = wait_until(lambda: [one for one in self.of(AnswersDone) if one.question_id == number], 20.0)[0]
        return {one.plugin: one.value for one in self.of(AnswerArrived) if one.question_id == number}, done


@pytest.fixture(autouse=True)
def only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vbotd.host.discovery.entry_points", lambda group: [])
    monkeypatch.delenv("VBOTD_PLUGINS", raising=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a workspace with these plugin files, each named without `.py`."""
    def make(**plugins: str) -> Path:
        (tmp_path / "state").mkdir(exist_ok=True)
        (tmp_path / "plugins").mkdir(exist_ok=True)
        for name, text in plugins.items():
            head = "from vbotd.hookspecs import hookimpl\nfrom vbotd.domain.skill import *\n"
            (tmp_path / "plugins" / f"{name}.py").write_text(head + dedent(text))
        return tmp_path
    return make


@pytest.fixture
def talk() -> Iterator[Callable[..., Talk]]:
    """Return a function that starts a host for a workspace; it is stopped after the test.

    Only the plugins of the workspace load (the installed ones are not what is tested here), unless told otherwise.
    """
    talks: list[Talk] = []

    def start(home: Path, **options: Any) -> Talk:
        options.setdefault("plugins_allowed", [path.stem for path in (home / "plugins").iterdir()])
        talks.append(Talk(home, **options))
        talks[-1].host.start()
        return talks[-1]

    yield start
    for one in talks:
        one.host.stop()
