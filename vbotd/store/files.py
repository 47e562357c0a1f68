"""How is a file written so that a reader, or a crash, never meets half of it?

The rule this protects: whoever opens a file of vbotd sees the old content or the new one. Writing goes
to a temporary file in the same folder, which then takes the name. `tests/test_writes.py` keeps other
ways of writing out of the package.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vbotd import failpoint
from vbotd.errors import VbotdError

SHA256_CHUNK_BYTES = 1 << 20


class UnreadableFile(VbotdError):
    """A file that is there but cannot be used; `path` says which one and `why` what is wrong with it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def write_atomic(path: Path | str, data: bytes | str, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace the file at `path` by `data` (text as UTF-8) in one step.

    `durable=False` leaves out both fsyncs: after a power cut the file may be gone or empty, which only a
    heartbeat may be. A symbolic link at `path` is replaced, its target stays as it is.

    Writes: `path`, through `.NAME.<random>.tmp` beside it. On any error the temporary is removed and `path`
    is what it was; only when the last step fails, the fsync of the folder, may the new content stand already.
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A file name has at most 255 bytes, so a long one leaves no room for the affixes.
        temporary = f".{path.name[:50]}.{secrets.token_hex(8)}.tmp"
        try:
            failpoint.hit("write.before_create")
            _create(temporary, folder, content, mode=mode, durable=durable)
            failpoint.hit("write.before_rename")
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        failpoint.hit("write.after_rename")
        if durable:
            os.fsync(folder)
    finally:
        os.close(folder)


def _create(name: str, folder: int, content: bytes, *, mode: int, durable: bool) -> None:
    """Make a new file with this content; it is on the disk when this returns, if `durable`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest):]
        os.fchmod(handle, mode)
        if durable:
            failpoint.hit("write.before_fsync")
            # Never again after a failure: Linux drops the dirty pages, and a second fsync would lie.
            os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            os.close(handle)
        raise
    # Outside the try: a failing close may not be followed by another, the number could be someone else's by then.
    os.close(handle)


def sync_folder(path: Path | str) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json_atomic(path: Path | str, value: Mapping[str, Any], *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace the file at `path` by `value` as JSON, keys in their given order.

    Raises: ValueError for a number that is not finite (JSON has none), before anything is written.
    """
    text = json.dumps(value, allow_nan=False, indent=1)
    write_atomic(path, text + "\n", mode=mode, durable=durable)


def read_json(path: Path | str, *, max_bytes: int = 1 << 20) -> dict[str, Any] | None:
    """Return the JSON object in the regular file at `path`; None when there is no such file.

    Raises: UnreadableFile for anything else than an object in at most `max_bytes`: a link, a pipe, a folder,
        text that is no JSON, a number that is not finite, a file that may not be opened.
    """
    path = Path(path)
    try:
        content = _read_regular(path, max_bytes)
    except FileNotFoundError:
        return None
    except OSError as err:
        why = "is a symbolic link" if err.errno == errno.ELOOP else f"cannot be read ({err.strerror})"
        raise UnreadableFile(path, why) from err
    try:
        value = json.loads(content, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as err:
        raise UnreadableFile(path, f"is not JSON ({err})") from err
    if not isinstance(value, dict):
        raise UnreadableFile(path, f"holds a JSON {type(value).__name__}, an object is wanted")
    return value


def _read_regular(path: Path, max_bytes: int) -> bytes:
    # O_NONBLOCK: opening a pipe that stands there instead of the file must not wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableFile(path, "is not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UnreadableFile(path, f"is larger than {max_bytes} bytes")
    return content


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large for a number")
    return value


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(SHA256_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
