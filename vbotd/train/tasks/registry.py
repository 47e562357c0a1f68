"""Which task does a name mean? The bundled cards, then those of installed plugins."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Any

from vbotd.domain.task import TaskCard
from vbotd.train.runio import SpecError
from vbotd.train.tasks.cards import TASKS


def find(name: str) -> TaskCard:
    """Return the card of a task; SpecError names the known ones."""
    known = {card.name: card for card in TASKS}
    if name in known:
        return known[name]
    known |= {card.name: card for card in _installed()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" — did you mean '{near[0]}'?" if near else ""
    raise SpecError(f"task '{name}' is not known — known: {', '.join(sorted(known))}{hint}")


def call_target(path: str) -> Callable[..., Any]:
    """Return the callable that `module:callable` names; SpecError where there is none."""
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise SpecError(f"'{path}' names no code — it must read module:callable")
    try:
        target = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as err:
        raise SpecError(f"'{path}' names no code — {err}") from err
    except AttributeError as err:
        raise SpecError(f"'{path}' names no code — {module_name} has no {attribute}") from err
    if not callable(target):
        raise SpecError(f"'{path}' is a {type(target).__name__} — it must be callable")
    return target


def _installed() -> Iterable[TaskCard]:
    for point in entry_points(group="vbotd"):
        publish = getattr(point.load(), "vbotd_tasks", None)
        if publish is not None:
            yield from publish()
