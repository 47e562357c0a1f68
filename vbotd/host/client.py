"""Asking plugins, from a process that must not load, wait for, or die of any of them.

One thread owns the child process and all state here; `ask`, `block` and `stop` put a wish into its queue.
The rule this protects: a plugin that raises, hangs, dies or talks nonsense costs that one answer.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vbotd.host.catalogue import Catalogue, PluginFailure, from_plain
from vbotd.host.messages import (
    AnswerArrived,
    AnswersDone,
    CatalogueArrived,
    HostGone,
    How,
    Message,
    PluginFault,
    Question,
)
from vbotd.host.process import HostProcess, HostSpec
from vbotd.host.wire import decode_answer, encode_arguments

logger = logging.getLogger(__name__)

DEADLINES: Mapping[str, float] = {"opinion": 5.0, "proposal": 60.0, "import": 20.0}
LONG = ("propose", "estimate")  # hooks that think as long as a proposal may
LONGEST_BACK_OFF_S = 30.0
TRIES = 3  # deaths that nobody can be blamed for, before a question is given up


@dataclass(slots=True, kw_only=True)
class _Open:
    """A question that is not done, and whom it was put to so far."""

    id: int
    question: Question
    asked: list[str] = field(default_factory=list)
    missing: bool = False
    deaths: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doing:
    """The plugin whose code is running in the host, and since when (monotonic)."""

    plugin: str
    hook: str
    since: float


class PluginHost:
    """A plugin host that is started again whenever it is lost.

    Args:
        home: the workspace.
        plugins_allowed: names of the plugins that may load; None for all.
        deadlines: seconds a plugin has for an `opinion`, a `proposal`, its `import`.
        on_message: called from a thread of this object with each message; it must only enqueue.
        keep_env: variables that are passed on although their names look like secrets.
        memory_bytes: limit of the child's address space, 0 for none.
    """

    def __init__(self, home: Path, *, on_message: Callable[[Message], None],
                 plugins_allowed: Sequence[str] | None = None, deadlines: Mapping[str, float] = DEADLINES,
                 keep_env: Sequence[str] = (), memory_bytes: int = 4 << 30) -> None:
        self._spec = HostSpec(home=Path(home), allowed=None if plugins_allowed is None else tuple(plugins_allowed),
                              keep_env=tuple(keep_env), memory_bytes=memory_bytes)
        self._deadlines = {**DEADLINES, **deadlines}
        self._on_message = on_message
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ids = itertools.count(1)
        self._thread = threading.Thread(target=self._run, daemon=True, name="plugin-host")
        self._stopping = False
        # All that follows belongs to the thread.
        self._child: HostProcess | None = None
        self._generation = 0
        self._ready = False
        self._doing: _Doing | None = None
        self._current: _Open | None = None
        self._waiting: deque[_Open] = deque()
        self._blocked: set[str] = set()
        self._left_out: dict[str, PluginFailure] = {}
        self._told: set[PluginFailure] = set()
        self._deaths = 0
        self._start_at: float | None = 0.0

    def start(self) -> None:
        """Start the host; returns at once, the catalogue comes as a message."""
        self._thread.start()

    def stop(self) -> None:
        """End the host and drop what is still open; safe to repeat, and before `start`."""
        if self._thread.is_alive():
            self._inbox.put(self._stop)
            self._thread.join(10.0)

    def ask(self, question: Question) -> int:
        """Queue a question and return its id; answers come as messages. May be called from any thread.

        Raises: KeyError or a pydantic error for arguments that no hook has.
        """
        plain = encode_arguments(question.args)  # in the caller's thread, who is to hear of a mistake
        entry = _Open(id=next(self._ids), question=replace(question, args=plain))
        self._inbox.put(lambda: self._waiting.append(entry))
        return entry.id

    def block(self, plugin: str) -> None:
        """Ask this plugin nothing more; its tasks and skills stay in the catalogue."""
        self._inbox.put(lambda: self._blocked.add(plugin))

    # The thread.

    def _run(self) -> None:
        while not self._stopping:
            self._receive()
            self._enforce_deadline()
            self._start_if_due()
            self._put_next_question()

    def _receive(self) -> None:
        """Wait for the next message or wish, at most until something is due."""
        now = time.monotonic()
        due = [at for at in (self._start_at, self._deadline()) if at is not None]
        try:
            wish = self._inbox.get(timeout=max(0.0, min(due) - now) if due else None)
        except queue.Empty:
            return
        try:
            wish()
        except Exception as error:
            logger.exception("action=plugin_host_message a message was not understood")
            if self._child:
                self._child.kill()
                self._lost(f"said what is no message ({type(error).__name__})")

    def _stop(self) -> None:
        self._stopping = True
        if self._child:
            self._generation += 1
            self._child.close()

    def _emit(self, message: Message) -> None:
        try:
            self._on_message(message)
        except Exception:
            logger.exception("action=plugin_host_message the listener raised on %s", type(message).__name__)

    def _start_if_due(self) -> None:
        if self._stopping or self._start_at is None or time.monotonic() < self._start_at:
            return
        self._start_at, self._ready, self._doing = None, False, None
        self._generation += 1
        mine = self._generation
        try:
            self._child = HostProcess(
                self._spec, blocked=sorted(self._left_out),
                on_line=lambda line: self._inbox.put(lambda: self._hear(mine, line)),
                on_end=lambda: self._inbox.put(lambda: self._ended(mine)))
        except OSError as error:
            self._lost(f"could not be started: {error}")

    def _put_next_question(self) -> None:
        if not (self._ready and self._child and self._current is None and self._waiting):
            return
        self._current = entry = self._waiting.popleft()
        question = entry.question
        unasked = sorted(self._blocked) if question.hook != "check" else []
        self._child.send({
            "type": "ask", "id": entry.id, "hook": question.hook, "campaign": question.campaign,
            "trial": question.trial, "run": question.run, "args": question.args,
            "plugins": question.plugins, "skip": [*entry.asked, *unasked]})

    def _hear(self, generation: int, line: Mapping[str, Any]) -> None:
        if generation != self._generation:
            return  # the last words of a host that was killed
        kind, entry = line["type"], self._current
        if kind in ("importing", "asking"):
            self._doing = _Doing(plugin=line["plugin"], hook=line["hook"], since=time.monotonic())
            if entry and kind == "asking" and line["plugin"] not in entry.asked:
                entry.asked.append(line["plugin"])
            return
        self._doing = None
        match kind:
            case "catalogue":
                self._open_for_questions(from_plain({key: value for key, value in line.items() if key != "type"}))
            case "answer" if entry:
                value = decode_answer(line["hook"], line["value"])
                self._emit(AnswerArrived(question_id=entry.id, plugin=line["plugin"], hook=line["hook"], value=value))
            case "failed" if entry:
                self._fault(line["plugin"], line["hook"], line["how"], line["detail"])
            case "done" if entry:
                self._deaths = 0
                self._finish(line["error"])

    def _open_for_questions(self, catalogue: Catalogue) -> None:
        self._ready = True
        catalogue = replace(catalogue, failures=(*catalogue.failures, *self._left_out.values()))
        for failure in catalogue.failures:
            if failure not in self._told:
                self._told.add(failure)
                self._emit(PluginFault(plugin=failure.name, hook="import", how="import", detail=failure.error))
        self._emit(CatalogueArrived(catalogue=catalogue))

    def _fault(self, plugin: str, hook: str, how: How, detail: str) -> None:
        entry = self._current
        if entry:
            entry.missing = True
        self._emit(PluginFault(plugin=plugin, hook=hook, how=how, detail=detail,
                               question_id=entry.id if entry else None,
                               campaign=entry.question.campaign if entry else ""))

    def _finish(self, detail: str = "") -> None:
        entry, self._current = self._current, None
        if entry:
            self._emit(AnswersDone(question_id=entry.id, complete=not (entry.missing or detail), detail=detail))

    # Losing the host.

    def _deadline(self) -> float | None:
        if self._doing is None:
            return None
        if not self._ready:
            return self._doing.since + self._deadlines["import"]
        return self._doing.since + self._deadlines["proposal" if self._doing.hook in LONG else "opinion"]

    def _enforce_deadline(self) -> None:
        deadline, doing = self._deadline(), self._doing
        if deadline is None or doing is None or self._child is None or time.monotonic() < deadline:
            return
        self._child.kill()
        self._blame(doing, "timeout", f"no answer within {deadline - doing.since:g} s, the host was killed")

    def _ended(self, generation: int) -> None:
        if generation != self._generation or self._child is None:
            return
        how, doing = self._child.kill(patience_s=1.0), self._doing
        if doing:
            self._blame(doing, "died", f"the host {how} while '{doing.plugin}' was at work — see state/host.log")
        else:
            self._lost(how)

    def _blame(self, doing: _Doing, how: How, detail: str) -> None:
        """A plugin took the host with it: say so, and go on without it."""
        self._child, self._doing, self._start_at = None, None, 0.0
        self._generation += 1
        if self._ready:
            self._fault(doing.plugin, doing.hook, how, detail)
        else:
            failure = PluginFailure(name=doing.plugin, source="", error=f"{how} in {doing.hook}: {detail}")
            self._left_out[doing.plugin] = failure
            self._told.add(failure)
            self._emit(PluginFault(plugin=doing.plugin, hook=doing.hook, how=how, detail=detail))
        self._requeue()

    def _lost(self, how: str) -> None:
        """The host is gone and nobody is to blame: back off, and give questions up after a few tries."""
        self._child, self._doing, self._ready = None, None, False
        self._generation += 1
        self._deaths += 1
        delay = 0.0 if self._deaths == 1 else min(LONGEST_BACK_OFF_S, 0.25 * 2 ** (self._deaths - 2))
        self._start_at = time.monotonic() + delay
        self._emit(HostGone(detail=f"the plugin host {how} — see state/host.log", restart_in_s=delay))
        if self._current:
            self._current.deaths += 1
        self._requeue()
        while self._deaths >= TRIES and self._waiting:
            self._current = self._waiting.popleft()
            self._finish("the plugin host does not stay up")

    def _requeue(self) -> None:
        """Put the open question first again; the plugins that it was put to are not asked a second time."""
        self._ready = False
        entry = self._current
        if entry and entry.deaths >= TRIES:
            self._finish("the plugin host died of it")
        elif entry:
            self._current = None
            self._waiting.appendleft(entry)
