"""How does anybody but the daemon ask for something? By a file that appears whole, and an answer in the store.

The rule this protects: there is no other way in. A command line verb, the MCP server and the agent loop all
leave a file and read the store, so what they ask survives a daemon that is down, and a repeat has one effect.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from vbotd.errors import StoreError, VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic
from vbotd.store.locks import is_locked
from vbotd.store.read import Reader

COMMAND_VERSION = 1
MAX_CAMPAIGN_BYTES = 1 << 20
POLL_S = 0.05

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_T = TypeVar("_T")


class InvalidKey(VbotdError):
    """A command key that cannot be the name of a file."""

    exit_code = 2


def new_key() -> str:
    """Return a key for a command: it sorts by time and is used once."""
    now = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return f"{stamp}{int(now % 1 * 1e6):06d}Z-{secrets.token_hex(4)}"


def drop_campaign(layout: Layout, name: str, data: bytes) -> Path:
    """Put a campaign into the inbox and return where it lies; a file that is there is never replaced.

    The file appears whole and under its own name. Where that name is taken by other bytes, the next free
    `NAME-2.yaml` is used; the same bytes waiting already are left as they are.

    Raises: VbotdError when the content is larger than a campaign may be.
    """
    if len(data) > MAX_CAMPAIGN_BYTES:
        raise VbotdError(f"{name}: has {len(data):,} bytes — a campaign has at most {MAX_CAMPAIGN_BYTES:,}")
    layout.inbox.mkdir(parents=True, exist_ok=True)
    stem, suffix = os.path.splitext(Path(name).name)
    suffix = suffix if suffix in (".yaml", ".yml") else ".yaml"
    stem = stem.lstrip(".") or "campaign"
    temporary = layout.inbox / f".{stem[:50]}.{secrets.token_hex(8)}.tmp"
    try:
        _write_durable(temporary, data)
        return _name_it(temporary, layout.inbox, stem, suffix, data)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        _fsync_folder(layout.inbox)


def _name_it(temporary: Path, folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    # A link, not a rename: a rename would replace a file of that name without a word.
    for number in range(1, 1000):
        target = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            os.link(temporary, target)
            return target
        except FileExistsError:
            with suppress(OSError):
                if target.read_bytes() == data:
                    return target
    raise VbotdError(f"{folder}: a thousand files called '{stem}' wait already — is the daemon running?")


def send_command(layout: Layout, verb: str, args: Mapping[str, Any], *, principal: str,
                 key: str | None = None) -> str:
    """Leave a command for the daemon and return its key. A key that waits already is not written again.

    Raises: InvalidKey when a given key cannot name a file.
    """
    key = key or new_key()
    if not _KEY.fullmatch(key):
        raise InvalidKey(f"key '{key}' cannot be used — letters, digits, '.', '_' and '-', at most 100 of them")
    layout.commands.mkdir(parents=True, exist_ok=True)
    path = layout.commands / f"{key}.json"
    if not path.exists():
        write_json_atomic(path, {"version": COMMAND_VERSION, "key": key, "verb": verb, "args": dict(args),
                                 "principal": principal, "at": time.time()})
    return key


def wait_for_answer(layout: Layout, key: str, timeout_s: float = 5.0) -> tuple[bool, str] | None:
    """Return (accepted, answer) once the daemon has dealt with a command, None when it did not in time."""
    return wait_in_store(layout, lambda reader: reader.answer(key), timeout_s)


def wait_in_store(layout: Layout, look: Callable[[Reader], _T | None], timeout_s: float) -> _T | None:
    """Ask the store until it gives something else than None, or the time is up. No store yet is None too."""
    until = time.monotonic() + timeout_s
    while True:
        with suppress(StoreError), Reader(layout.store) as reader:
            found = look(reader)
            if found is not None:
                return found
        if time.monotonic() >= until:
            return None
        time.sleep(POLL_S)


def daemon_is_running(layout: Layout) -> bool:
    """Say whether a daemon holds the lock of the workspace. The file alone says nothing, it stays behind."""
    try:
        return is_locked(layout.lock)
    except OSError:  # a lock that we may not open is no daemon of ours
        return False


def _write_durable(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
