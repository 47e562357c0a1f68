"""Calling tools in tests: over a workspace in which a story has happened, or a fresh one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.stories import MORNING, tell
from vbotd.agent.registry import Context, Reply, call
from vbotd.agent.tools import OWN
from vbotd.layout import Layout


class Caller:
    """Calls our own tools over one workspace, as one agent, at a fixed time."""

    def __init__(self, layout: Layout, *, secrets: tuple[str, ...] = (), principal: str = "agent:test",
                 now: float | None = MORNING) -> None:
        import time
        self.layout = layout
        self.context = Context(layout=layout, principal=principal, secrets=secrets,
                               now=time.time if now is None else lambda: now)

    def reply(self, tool: str, **arguments: Any) -> Reply:
        return call(OWN, self.context, tool, arguments)

    def value(self, tool: str, **arguments: Any) -> dict[str, Any]:
        reply = self.reply(tool, **arguments)
        assert reply.value is not None, reply.error
        return reply.value

    def error(self, tool: str, **arguments: Any) -> str:
        reply = self.reply(tool, **arguments)
        assert reply.value is None, reply.text
        return reply.error


def over_story(home: Path, name: str = "success", **changes: Any) -> Caller:
    return Caller(tell(home, name), **changes)
