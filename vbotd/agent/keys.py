"""Was this key used before, by whom, and for the same thing? A repeat has one effect; another use is refused.

A key belongs to who used it first: what somebody else does under it is no repeat, even where it is the same. There is
no book of keys of its own: a command stands in the store or waits as a file, a campaign is known by its
file's name, a job and a sleep by their folder and file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from vbotd.agent.registry import Context, ToolError
from vbotd.core.policy import OWN_FILE, REQUEST
from vbotd.core.wording import clean
from vbotd.domain import event as e
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.inbox import MAX_CAMPAIGN_BYTES
from vbotd.store.read import Reader

MOST_FILES = 500  # of the newest campaign files that are searched for a key


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a key was used for: the verb, what it was given, and by whom ("" where a file does not say)."""

    verb: str
    given: Any
    by: str = ""


def same_or_refuse(context: Context, key: str, verb: str, given: Any) -> bool:
    """Say whether the caller used a key for this very thing already.

    Raises: ToolError where it was used for something else, or by somebody else.
    """
    before = earlier_use(context.layout, key)
    if before is None:
        return False
    if before.by not in ("", context.principal):
        raise ToolError(f"key '{key}' belongs to {clean(before.by, 60)}, who used it before — take a new key")
    if (before.verb, _plain(before.given)) != (verb, _plain(given)):
        raise ToolError(f"key '{key}' was used before, for another {before.verb} — take a new key for a new wish")
    return True


def earlier_use(layout: Layout, key: str) -> Use | None:
    """Return what a key was used for, None where it is new."""
    waiting = _json(layout, f"commands/{key}.json")
    if waiting is not None:
        verb = str(waiting.get("verb"))
        return Use(verb=verb, given=_given(verb, waiting.get("args")), by=str(waiting.get("principal", "")))
    for folder, name in (("jobs", f"jobs/{key}/request.json"), ("sleeps", f"sleeps/{key}.json")):
        found = _json(layout, name)
        if found is not None:
            return Use(verb=str(found.get("tool", folder)), given=found.get("given"), by=str(found.get("by", "")))
    with suppress(OSError):
        data = (layout.inbox / f"{OWN_FILE}{key}.yaml").read_bytes()
        return Use(verb="submit", given=hashlib.sha256(data[:MAX_CAMPAIGN_BYTES]).hexdigest())
    with suppress(StoreError), Reader(layout.store) as reader:
        return _in_store(reader, key)
    return None


@contextmanager
def one_at_a_time(layout: Layout) -> Iterator[None]:
    """Hold the lock under which tools look before they act: what two calls do at once, one does after the other."""
    layout.state.mkdir(parents=True, exist_ok=True)
    handle = os.open(layout.state / "agents.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _in_store(reader: Reader, key: str) -> Use | None:
    answered = reader.command(key)
    event = answered.event if answered else None
    if isinstance(event, e.CommandAccepted | e.CommandRefused):
        verb, args = event.verb, dict(event.args)
        if verb == REQUEST:
            verb, args = str(args.get("verb")), args.get("args") or {}
        return Use(verb=verb, given=_given(verb, args), by=event.principal)
    for stored in reversed(reader.last_events(kinds=("CampaignAccepted", "CampaignRefused"), limit=MOST_FILES)):
        found = stored.event
        if (isinstance(found, e.CampaignAccepted | e.CampaignRefused) and found.file == f"{OWN_FILE}{key}.yaml"
                and not getattr(found, "parent", "")):
            return Use(verb="submit", given=found.sha256)
    return None


def _given(verb: str, args: Any) -> Any:
    """Return what a command was given; of a campaign, the hash of its text."""
    if verb == "submit" and isinstance(args, Mapping):
        return hashlib.sha256(str(args.get("text", "")).encode()).hexdigest()
    return args


def _json(layout: Layout, name: str) -> dict[str, Any] | None:
    try:
        return read_json(layout.state / name)
    except UnreadableFile:
        return None


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=list)
