"""What crosses the pipe between the plugin host and whoever asks: JSON made from the domain's own values.

Both ends encode and decode with the same adapters, so an answer that is not of its hook's type never
gets further than the process it was made in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from vbotd.core.codec import decode as decode_event
from vbotd.core.codec import encode as encode_event
from vbotd.domain.finding import Finding
from vbotd.domain.history import History
from vbotd.domain.skill import Estimate, Exhausted, FollowUp, Opinion, Section, SkillCard, ToolCard
from vbotd.domain.task import RunKindCard, TaskCard
from vbotd.domain.trial import Proposal, Run, Trial

T = TypeVar("T")

MAX_ANSWER_BYTES = 1 << 20  # an honest answer is a few kilobytes; a catalogue has no such limit
NOUNS: Mapping[str, type] = {
    "tasks": TaskCard, "run_kinds": RunKindCard, "tools": ToolCard, "skills": SkillCard,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillProblem:
    """What is wrong with a skill's block in a campaign; `loc` is the path of keys inside the block."""

    skill: str
    loc: tuple[str | int, ...]
    message: str
    fix: str = ""


ANSWERS: Mapping[str, Any] = {
    "tasks": list[TaskCard], "run_kinds": list[RunKindCard], "tools": list[ToolCard], "skills": list[SkillCard],
    "propose": list[Proposal] | Exhausted | None,
    "estimate": Estimate | None,
    "amend": Proposal | None,
    "watch": list[Finding],
    "judge": Opinion | None,
    "follow_up": list[FollowUp],
    "wake_up": Section | None,
    "on_event": None,
    "check": list[SkillProblem],
}
ARGUMENTS: Mapping[str, Any] = {
    "history": History, "histories": list[History], "proposal": Proposal, "trial": Trial, "run": Run,
    "count": int, "campaigns": list[str], "skills": list[dict[str, Any]],
}


class NotAnAnswer(ValueError):
    """A plugin answered something that its hook does not allow; the text says what."""


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the JSON adapter of a type (slow to build, quick to use)."""
    return TypeAdapter(kind)


def encode_answer(hook: str, answer: Any) -> Any:
    """Return a plugin's answer as plain JSON values.

    Raises: NotAnAnswer when it is of another type, holds a number that is not finite, or is over 1 MiB.
    """
    kind = ANSWERS[hook]
    is_list = getattr(kind, "__origin__", None) is list
    if is_list and answer is None:
        answer = []
    if isinstance(answer, tuple):
        answer = list(answer)
    try:
        # Both ways: pydantic does not look inside a dataclass instance that it is handed ready-made.
        plain = adapter(kind).dump_python(answer, mode="json", warnings="error")
        text = json.dumps(plain, allow_nan=False)
        if len(text) > MAX_ANSWER_BYTES:
            raise NotAnAnswer(f"{hook} answered {len(text):,} bytes — at most {MAX_ANSWER_BYTES:,} are taken")
        adapter(kind).validate_json(text)
    except (PydanticSerializationError, ValidationError) as error:
        _refuse(hook, kind, answer, error)
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, NotAnAnswer):
            raise
        raise NotAnAnswer(f"{hook} answered what is no plain value: {error}") from error
    return plain


def _refuse(hook: str, kind: Any, answer: Any, error: Exception) -> NoReturn:
    """Raise with the type that came and the type that is wanted, and with the field where there is one."""
    wanted = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__origin__") else str(kind)
    wanted = re.sub(r"[a-z_.]+\.(?=[A-Z])", "", wanted)
    detail = ""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        detail = f" ({'.'.join(str(part) for part in first['loc'])}: {first['msg']})"
    elif field := re.search(r"field_name='(\w+)'", str(error)):
        detail = f" (its field '{field[1]}' is of another type)"
    elif not str(error).startswith("Pydantic serializer warnings"):
        detail = f" ({' '.join(str(error).split())[:200]})"
    raise NotAnAnswer(f"{hook} answered {_shape(answer)}, wanted is {wanted}{detail}") from error


def _shape(answer: Any) -> str:
    """Return the type of a value in words; a list shows what it holds."""
    if isinstance(answer, list):
        inside = sorted({type(item).__name__ for item in answer[:50]})
        return f"list[{' | '.join(inside)}]"
    return type(answer).__name__


def decode_answer(hook: str, value: Any) -> Any:
    """Return the domain values behind an answer that came through the pipe."""
    return adapter(ANSWERS[hook]).validate_python(value)


def encode_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a question as plain JSON values.

    Raises: KeyError for an argument that no hook has.
    """
    plain: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "event":
            kind, version, data = encode_event(value)
            plain[name] = {"kind": kind, "version": version, "data": data}
        else:
            plain[name] = adapter(ARGUMENTS[name]).dump_python(value, mode="json")
    return plain


def decode_arguments(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a question, the inverse of `encode_arguments`."""
    return {name: decode_event(**value) if name == "event" else adapter(ARGUMENTS[name]).validate_python(value)
            for name, value in plain.items()}


class FrozenDict(dict[str, Any]):
    """A mapping inside a value that a plugin is shown; a changed copy is `{**it, key: value}`."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("values that a plugin is shown are frozen — make a changed copy: {**mapping, key: value}")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def frozen(value: T) -> T:
    """Return the same value with every mapping and list inside it unchangeable."""
    if is_dataclass(value) and not isinstance(value, type):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: new for name, old in inside.items() if (new := frozen(old)) is not old}
        return replace(value, **changed) if changed else value
    if isinstance(value, FrozenDict):
        return value
    if isinstance(value, Mapping):
        return FrozenDict({key: frozen(item) for key, item in value.items()})  # type: ignore[return-value]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = tuple(frozen(item) for item in value)
        same = isinstance(value, tuple) and all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items  # type: ignore[return-value]
    return value
