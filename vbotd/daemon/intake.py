"""The drop folders: which files are there and quiet, what they hold, and where they go when they are decided.

watchdog's events only wake the loop; a rescan of the folder is the truth. A file is taken when its writer
has closed it (no write lease can be had while somebody writes) and it has not changed between two looks.
It is read once through one descriptor; the same bytes are hashed, parsed and kept.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import signal
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vbotd import failpoint
from vbotd.core.sighting import CommandSeen, FileSeen
from vbotd.daemon.poison import Poison
from vbotd.domain.campaign import Campaign
from vbotd.domain.finding import Problem
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.files import write_atomic

log = logging.getLogger("vbotd.daemon")

MAX_BYTES = 1 << 20
MAX_FILES_A_TICK = 200

Parse = Callable[[bytes], Campaign | tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What must not change between two looks at a file."""

    inode: int
    size: int
    mtime_ns: int


class Inbox:
    """Looks through `state/inbox` and `state/commands`; holds nothing but the stamps of the last look."""

    def __init__(self, layout: Layout, store: EventStore) -> None:
        self._layout, self._store = layout, store
        self._stamps: dict[Path, _Stamp] = {}
        self._stuck: dict[Path, _Stamp] = {}  # decided, but the folder does not let go of them
        self._poison = Poison(layout.reading)
        # a writer who opens a file in the very moment of our lease makes the kernel send SIGIO, which would end us
        signal.signal(signal.SIGIO, signal.SIG_IGN)

    def files(self, parse: Parse) -> Iterator[FileSeen]:
        """Yield the campaign files that are quiet, read and parsed."""
        for path in self._quiet(self._layout.inbox, (".yaml", ".yml")):
            data, problem = _read(path)
            if data is None:
                yield FileSeen(file=path.name, sha256="", text="", problems=(problem,) if problem else ())
                continue
            sha = hashlib.sha256(data).hexdigest()
            known = self._store.campaign_with(sha)
            if known is not None:
                yield FileSeen(file=path.name, sha256=sha, text="", known_as=known)
                continue
            found: Campaign | tuple[Problem, ...] | None = self._poison.refusal(sha)
            if found is None:
                self._poison.begin(sha, path.name)
                failpoint.hit("intake.after_read")
                found = parse(data)
            text = data.decode(errors="replace")
            if isinstance(found, Campaign):
                yield FileSeen(file=path.name, sha256=sha, text=text, content=found,
                               taken=self._store.campaign_ids(found.name))
            else:
                yield FileSeen(file=path.name, sha256=sha, text=text, problems=found,
                               refused_before=self._store.was_refused(sha))

    def commands(self) -> Iterator[CommandSeen | Path]:
        """Yield the commands that wait; a file that is none comes as its path, to be put aside."""
        for path in self._quiet(self._layout.commands, (".json",)):
            data, _ = _read(path)
            said = _command(data)
            if said is None:
                yield path
            else:
                yield CommandSeen(**said, answered=self._store.has_command(said["key"]))

    def is_empty(self) -> bool:
        """Say whether nothing waits in either folder."""
        waiting = (*_candidates(self._layout.inbox, (".yaml", ".yml")), *_candidates(self._layout.commands, (".json",)))
        return all(self._stuck.get(path) == stamp for path, stamp in waiting)

    def settled(self) -> None:
        """Take note that everything read so far is decided and put away: no death after this is its fault."""
        self._poison.end()

    def put_away(self, seen: FileSeen, accepted_as: str | None) -> None:
        """Clear a decided file from the inbox: into its campaign's folder, or into `rejected/` with the reasons."""
        path = self._layout.inbox / seen.file
        stamp = self._stamps.pop(path, None)
        try:
            failpoint.hit("intake.before_put_away")
            self._move(path, seen, accepted_as)
            failpoint.hit("intake.after_put_away")
        except OSError as error:  # a folder that cannot be written: it is decided all the same, and not read again
            log.warning("action=put_away file=%s error=%s — it is decided, and stays where it is", path, error)
            if stamp is not None:
                self._stuck[path] = stamp

    def _move(self, path: Path, seen: FileSeen, accepted_as: str | None) -> None:
        if accepted_as is not None:
            folder = self._layout.campaign(accepted_as)
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / "campaign.yaml"
            if target.exists():
                path.unlink(missing_ok=True)  # the very same bytes are kept already
            else:
                path.rename(target)
            return
        target = _free(self._layout.rejected / seen.file)
        # Order: the reasons first, so that no death in between leaves a refused file without them.
        write_atomic(target.with_name(target.name + ".why.md"), why_text(seen, target.name))
        path.rename(target)

    def forget_command(self, key_or_path: str | Path) -> None:
        """Remove an answered command's file; its answer is in the store. A file that is no command is put aside."""
        failpoint.hit("command.before_forget")
        path = key_or_path if isinstance(key_or_path, Path) else self._layout.commands / f"{key_or_path}.json"
        try:
            if isinstance(key_or_path, Path):
                path.rename(_free(self._layout.rejected / path.name))
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("action=forget_command file=%s error=%s — it is answered, and stays where it is", path, error)
            if path in self._stamps:
                self._stuck[path] = self._stamps[path]

    def _quiet(self, folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
        quiet = []
        present = dict(_candidates(folder, suffixes))
        for path, stamp in present.items():
            if self._stuck.get(path) == stamp:
                continue
            if self._stamps.get(path) == stamp and not _has_writer(path):
                quiet.append(path)
            self._stamps[path] = stamp
        for kept in (self._stamps, self._stuck):
            for path in [p for p in kept if p.parent == folder and p not in present]:
                del kept[path]
        return quiet[:MAX_FILES_A_TICK]


def why_text(seen: FileSeen, name: str) -> str:
    """Return the text beside a refused file: every problem with its place and what to do."""
    lines = [f"# {name} was refused", "", f"{len(seen.problems)} problem{'s' * (len(seen.problems) != 1)}; "
             "nothing was started. Mend the file and drop it into `state/inbox/` again.", ""]
    lines += [f"{number}. `{problem.render(seen.file)}`" for number, problem in enumerate(seen.problems, 1)]
    return "\n".join([*lines, "", f"To look again without submitting: `vbotd check state/rejected/{name}`", ""])


def _candidates(folder: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[Path, _Stamp]]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        if not name.endswith(suffixes) or name[0] in ".~#":
            continue
        path = folder / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        yield path, _Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


def _has_writer(path: Path) -> bool:
    """Say whether a process has the file open for writing, by asking the kernel for a read lease."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    except OSError as error:
        return error.errno == errno.EAGAIN  # other errors: this file system knows no leases
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[bytes | None, Problem | None]:
    """Return a file's bytes, or what is wrong with it as a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be opened: {error.strerror}"
        return None, Problem(line=1, column=1, where="", message=f"{what} — allowed is a regular file that the daemon "
                             "may read", fix="copy the file itself into the inbox")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None, Problem(line=1, column=1, where="", message="is not a regular file",
                             fix="copy the file itself into the inbox")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > MAX_BYTES:
            return None, Problem(line=1, column=1, where="", message=f"has {status.st_size:,} bytes — allowed are "
                                 f"{MAX_BYTES:,}", fix="a campaign is a short text; take out what is none")
        return file.read(MAX_BYTES + 1), None


def _command(data: bytes | None) -> dict[str, Any] | None:
    try:
        said = json.loads(data or b"")
        key, verb, args, principal = said["key"], said["verb"], said["args"], said["principal"]
    except (ValueError, KeyError, TypeError):
        return None
    good = all(isinstance(text, str) and 0 < len(text) <= 200 for text in (key, verb, principal))
    return {"key": key, "verb": verb, "args": args, "principal": principal} if good and isinstance(args, dict) else None


def _free(path: Path) -> Path:
    """Return a name beside which nothing lies yet."""
    number = 2
    found = path
    while found.exists() or found.is_symlink():
        found, number = path.with_name(f"{path.stem}.{number}{path.suffix}"), number + 1
    return found
