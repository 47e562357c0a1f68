"""How an event becomes a row and comes back, for every version there ever was.

A row is (kind, version, JSON). The kind is the event's class name. When a field changes its meaning,
raise the version here and add an upcaster that turns the old JSON into the new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from vbotd.domain.event import Event
from vbotd.errors import StoreDamaged, StoreError

KINDS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
VERSIONS: Mapping[str, int] = dict.fromkeys(KINDS, 1)
UPCASTERS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the (slow to build, quick to use) JSON adapter of a domain dataclass."""
    return TypeAdapter(kind)


def dump(value: Any) -> str:
    """Return a domain dataclass as JSON text."""
    return adapter(type(value)).dump_json(value).decode()  # type: ignore[arg-type]  # a class is hashable


def load(kind: type, text: str | bytes) -> Any:
    """Return the domain dataclass behind a JSON text."""
    return adapter(kind).validate_json(text)


def encode(event: Event) -> tuple[str, int, str]:
    """Return (kind, version, JSON) of an event."""
    kind = type(event).__name__
    return kind, VERSIONS[kind], dump(event)


def decode(kind: str, version: int, data: str) -> Event:
    """Return the event behind a row, of this version or of any older one.

    Raises: StoreError when the row is of a newer version, StoreDamaged when it does not fit its kind.
    """
    known = KINDS.get(kind)
    if known is None or version > VERSIONS[kind]:
        newest = f"version {VERSIONS[kind]}" if known else "no such kind"
        raise StoreError(f"event '{kind}' version {version} was written by a newer vbotd — this one knows {newest} — "
                         "upgrade it")
    while version < VERSIONS[kind]:
        data = json.dumps(UPCASTERS[kind, version](json.loads(data)))
        version += 1
    try:
        event: Event = load(known, data)
    except ValidationError as error:
        first = str(error).splitlines()[-1].strip() if "json_invalid" not in str(error) else "it is no JSON"
        raise StoreDamaged(f"event '{kind}' does not fit its kind ({first[:200]}) — the store is damaged; "
                           "'vbotd doctor --restore' puts the newest sound backup in its place") from error
    return event


def touched(event: Event) -> tuple[str, str, str]:
    """Return the ids of the campaign, trial and run that an event is about ("" where it names none)."""
    return (getattr(event, "campaign", ""), getattr(event, "trial", ""), getattr(event, "run", ""))


__all__ = ["KINDS", "UPCASTERS", "VERSIONS", "adapter", "decode", "dump", "encode", "load", "touched"]
