"""The plugin host: a child process that loads every plugin, answers one question at a time, and may be killed.

Protocol: one JSON object a line. In through stdin: `ask`. Out through what was stdout: `importing` before
a plugin's code first runs, `catalogue` once, then for each question `asking`, `answer` or `failed` for each
plugin, and `done`. Everything that plugins print goes to stderr, which is `state/host.log`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from vbotd.host.asking import Ask, BadQuestion, Desk, check_block, signed, unknown_skill, whom
from vbotd.host.blame import describe
from vbotd.host.catalogue import to_plain
from vbotd.host.registry import Answered, Registry
from vbotd.host.wire import adapter

EXIT_OUT_OF_MEMORY = 70


def take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return the two ends of the protocol and leave plugins /dev/null to read and stderr to print on.

    Order: before any plugin is imported, else its first print would be taken for a message.
    """
    questions, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return os.fdopen(questions, "rb"), os.fdopen(answers, "wb")


class Server:
    """One host process, from loading to the last question."""

    def __init__(self, home: Path, questions: IO[bytes], answers: IO[bytes]) -> None:
        self._home, self._questions, self._answers = home, questions, answers
        self._asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def serve(self, *, allowed: Sequence[str] | None, blocked: Sequence[str]) -> None:
        """Load the plugins, send the catalogue, and answer until the asker is gone."""
        threading.Thread(target=self._read, daemon=True, name="questions").start()
        registry = Registry(self._home, allowed=allowed, blocked=blocked,
                            announce=lambda plugin, hook: self._send("importing", plugin=plugin, hook=hook))
        self._send("catalogue", **to_plain(registry.catalogue))
        desk = Desk(self._home, registry)
        while True:
            ask: Ask = adapter(Ask).validate_json(self._asked.get())
            self._answer(ask, registry, desk)

    def _read(self) -> None:
        """Queue the questions; when the asker is gone, end at once, even in the middle of a plugin that hangs."""
        for line in self._questions:
            self._asked.put(line)
        os._exit(0)

    def _send(self, kind: str, **fields: Any) -> None:
        self._answers.write(json.dumps({"type": kind, **fields}).encode() + b"\n")
        self._answers.flush()

    def _answer(self, ask: Ask, registry: Registry, desk: Desk) -> None:
        error = ""
        try:
            if ask.hook == "check":
                self._check(ask, registry)
            else:
                arguments, history = desk.arguments(ask)
                for plugin in whom(ask, registry, history):
                    self._send("asking", id=ask.id, plugin=plugin, hook=ask.hook)
                    answered = registry.ask(plugin, ask.hook, arguments)
                    if ask.hook == "propose":
                        answered = signed(answered, plugin, registry.catalogue)
                    self._tell(ask, plugin, answered)
        except BadQuestion as problem:
            error = str(problem)
        except Exception as problem:  # the store cannot be read, for one; no plugin is to blame
            error = describe(problem, None)
        self._send("done", id=ask.id, error=error)

    def _check(self, ask: Ask, registry: Registry) -> None:
        """Check each block with its skill's own model; a model is plugin code, so its plugin is being asked."""
        for use in ask.args["skills"]:
            skill = registry.catalogue.skill(use["name"])
            plugin = registry.owner_of(use["name"]) or ""
            if plugin in ask.skip:
                continue
            if skill is None:
                problems = unknown_skill(registry, use["name"])
                self._send("answer", id=ask.id, plugin="", hook="check", value=problems)
                continue
            self._send("asking", id=ask.id, plugin=plugin, hook="check")
            options = use.get("options") or {}
            self._tell(ask, plugin, registry.guard(plugin, partial(check_block, registry, skill, options)))

    def _tell(self, ask: Ask, plugin: str, answered: Answered) -> None:
        if answered.how:
            # A plugin that ate the memory still holds it, and the next one would be blamed: start afresh.
            out_of_memory = answered.detail.startswith("MemoryError")
            self._send("failed", id=ask.id, plugin=plugin, hook=ask.hook, how=answered.how, detail=answered.detail)
            if out_of_memory:
                os._exit(EXIT_OUT_OF_MEMORY)
        else:
            self._send("answer", id=ask.id, plugin=plugin, hook=ask.hook, value=answered.value)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a plugin host until its stdin closes."""
    parser = argparse.ArgumentParser(prog="python -m vbotd.host.server", description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True, help="the workspace")
    parser.add_argument("--allow", help="names of the plugins that may load, separated by commas (default: all)")
    parser.add_argument("--block", action="append", default=[], help="a plugin that is not loaded; may be repeated")
    parser.add_argument("--memory-bytes", type=int, default=0, help="limit of the address space (0: none)")
    options = parser.parse_args(argv)
    questions, answers = take_pipes()
    if options.memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (options.memory_bytes, options.memory_bytes))
    allowed = None if options.allow is None else [name for name in options.allow.split(",") if name]
    try:
        Server(options.home, questions, answers).serve(allowed=allowed, blocked=options.block)
    except BrokenPipeError:
        os._exit(0)  # the asker is gone; there is nobody left to tell


if __name__ == "__main__":
    main()
