"""Who sleeps until something happens? One file a sleep, and another one beside it once it is over.

    state/sleeps/<key>.json         what is waited for
    state/sleeps/<key>.awake.json   what ended it; whoever waits for a file waits for this one

Anybody may look, and whoever sees first that a sleep is over writes that down: the daemon when it writes its report,
a tool when it is asked. What is written is the same whoever does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from vbotd.core.waking import KINDS, Sleep, as_values, from_values, woken_by
from vbotd.domain.event import Stored
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, write_json_atomic
from vbotd.store.read import Reader

MOST_SLEEPS = 50
A_PAGE = 1_000


def folder(layout: Layout) -> Path:
    """Return where the sleeps lie."""
    return layout.state / "sleeps"


def put_to_sleep(layout: Layout, sleep: Sleep, extra: dict[str, Any]) -> None:
    """Write a sleep down; one of this handle that is there stays as it is."""
    path = folder(layout) / f"{sleep.handle}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_json_atomic(path, {**as_values(sleep), **extra})


def find_sleep(layout: Layout, handle: str) -> Sleep | None:
    """Return a sleep, None where there is none of this handle."""
    with suppress(UnreadableFile, ValueError, KeyError, TypeError):
        values = read_json(folder(layout) / f"{handle}.json")
        return from_values(values) if values is not None else None
    return None


def look(layout: Layout, sleep: Sleep, now: float) -> str:
    """Return what ended a sleep, "" while it goes on; what is seen is written down."""
    path = folder(layout) / f"{sleep.handle}.awake.json"
    with suppress(UnreadableFile):
        known = read_json(path)
        if known is not None:
            return str(known.get("why", "it is over"))
    try:
        with Reader(layout.store) as reader:
            why = woken_by(sleep, _since(reader, sleep.since), now)
    except StoreError:
        why = woken_by(sleep, (), now)
    if why:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(path, {"handle": sleep.handle, "why": why, "at": now, "by": sleep.by})
    return why


def _since(reader: Reader, seq: int) -> Iterator[Stored]:
    """Yield the events behind one, a page at a time: a long sleep may have many."""
    while page := reader.events(after=seq, kinds=KINDS, limit=A_PAGE):
        yield from page
        seq = page[-1].seq


def sleeping(layout: Layout) -> tuple[Sleep, ...]:
    """Return the sleeps that nobody has seen the end of."""
    try:
        names = sorted(path.name for path in folder(layout).iterdir())
    except OSError:
        return ()
    over = {name.removesuffix(".awake.json") for name in names if name.endswith(".awake.json")}
    handles = [name.removesuffix(".json") for name in names
               if name.endswith(".json") and not name.endswith(".awake.json") and not name.startswith(".")]
    found = (find_sleep(layout, handle) for handle in handles if handle not in over)
    return tuple(sleep for sleep in found if sleep is not None)


def wake_sleepers(layout: Layout, now: float) -> tuple[str, ...]:
    """Look at everybody who sleeps, and return the handles of those that are awake now."""
    return tuple(sleep.handle for sleep in sleeping(layout) if look(layout, sleep, now))
