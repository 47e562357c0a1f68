"""The catalogue without a daemon: from the kept copy when no plugin file changed, else from a host of one look.

Reads and writes: `state/catalogue.json`, where there is a `state/` folder.
"""

from __future__ import annotations

import os
import platform
import queue
import time
from collections.abc import Sequence
from pathlib import Path

import vbotd
from vbotd.errors import VbotdError
from vbotd.host.catalogue import Catalogue, fingerprint, keep_catalogue, read_catalogue
from vbotd.host.client import PluginHost
from vbotd.host.discovery import find, source_files
from vbotd.host.messages import AnswerArrived, AnswersDone, CatalogueArrived, Message, PluginFault, Question
from vbotd.layout import Layout


def catalogue_key(home: Path, plugins_allowed: Sequence[str] | None = None) -> str:
    """Return a hash of all that the catalogue depends on, as far as that is known without importing a plugin."""
    candidates, clashes = find(home, plugins_allowed)
    words = [f"{item.name} {item.module} {item.version}" for item in candidates] + [item.error for item in clashes]
    return fingerprint(source_files(home, plugins_allowed), vbotd.__version__, platform.python_version(),
                       os.environ.get("VBOTD_PLUGINS", "*"), *words)


def remember_catalogue(home: Path, catalogue: Catalogue, plugins_allowed: Sequence[str] | None = None) -> None:
    """Keep a catalogue in `state/catalogue.json`, for people, agents and the next one-shot look."""
    # A failure may be cured from outside (an install), which no plugin file shows: such a copy is never reused.
    key = "" if catalogue.failures else catalogue_key(home, plugins_allowed)
    keep_catalogue(home, catalogue, key=key)


def one_shot_catalogue(home: Path, *, plugins_allowed: Sequence[str] | None = None,
                       timeout_s: float = 20.0) -> Catalogue:
    """Return what the plugins offer, without a daemon.

    Raises: VbotdError when there is no catalogue within `timeout_s`.
    """
    kept = read_catalogue(home, key=catalogue_key(home, plugins_allowed))
    if kept is not None:
        return kept
    catalogue, _ = _look(home, (), plugins_allowed, timeout_s)
    if Layout(home).state.is_dir():
        remember_catalogue(home, catalogue, plugins_allowed)
    return catalogue


def one_shot_answers(home: Path, *questions: Question, plugins_allowed: Sequence[str] | None = None,
                     timeout_s: float = 20.0) -> tuple[AnswerArrived | PluginFault, ...]:
    """Put questions to the plugins without a daemon, for instance `check`; a question that fails has a fault.

    Raises: VbotdError when they are not all done within `timeout_s`.
    """
    return _look(home, questions, plugins_allowed, timeout_s)[1]


def _look(home: Path, questions: Sequence[Question], plugins_allowed: Sequence[str] | None,
          timeout_s: float) -> tuple[Catalogue, tuple[AnswerArrived | PluginFault, ...]]:
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    host = PluginHost(home, plugins_allowed=plugins_allowed, on_message=messages.put)
    host.start()
    try:
        undone = {host.ask(question) for question in questions}
        end = time.monotonic() + timeout_s
        catalogue: Catalogue | None = None
        answers: list[AnswerArrived | PluginFault] = []
        while undone or catalogue is None:
            match _next(messages, end, timeout_s):
                case CatalogueArrived(catalogue=arrived):
                    catalogue = arrived
                case AnswersDone(question_id=done):
                    undone.discard(done)
                case AnswerArrived() | PluginFault(question_id=int()) as answer:
                    answers.append(answer)
    finally:
        host.stop()
    return catalogue, tuple(answers)


def _next(messages: queue.SimpleQueue[Message], end: float, timeout_s: float) -> Message:
    try:
        return messages.get(timeout=max(0.0, end - time.monotonic()))
    except queue.Empty:
        raise VbotdError(f"the plugin host had no answer within {timeout_s:g} s — see state/host.log, "
                         "or name the plugins that may load in VBOTD_PLUGINS") from None
