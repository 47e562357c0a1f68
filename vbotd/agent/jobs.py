"""How does long work not keep a caller waiting? As a job: a verb in a process of its own, and a handle to look at it.

The rules this protects: the folder of a job appears whole, with its request in it, and exactly once; so a repeat under
the same key finds the job instead of starting another. A handle is no pass: a job is shown to who started it, and to
nobody else. The process holds a lock while it lives, which is how it is known to be alive.

    state/jobs/<key>/   request.json  lock  out.json  err.txt  exit.json  pictures/
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vbotd.agent.keys import one_at_a_time, same_or_refuse
from vbotd.agent.registry import Context, ToolError
from vbotd.agent.verbs import LARGEST_OUTPUT, parse_output, verb_command, verb_environment
from vbotd.core.wording import clean
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, write_json_atomic
from vbotd.store.locks import is_locked

MOST_AT_ONCE = 2
MOST_KEPT = 100
GRACE_S = 20.0  # between the folder and the lock: a busy machine takes its time to start a process

State = Literal["running", "done", "failed", "lost"]


class NoJob(ToolError):
    """There is no job of this handle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its folder shows it. `output` is what its verb printed, `said` why it failed, `by` who started it."""

    handle: str
    tool: str
    by: str
    state: State
    began_at: float
    output: Mapping[str, Any] | None = None
    said: str = ""
    exit_code: int | None = None


def start(context: Context, key: str, tool: str, given: Mapping[str, Any], words: Sequence[str]) -> Job:
    """Start a verb as the job `key`, once; a repeat finds it.

    Raises: ToolError where the key was used for something else or by somebody else, or too many jobs run.
    """
    layout = context.layout
    with one_at_a_time(layout):
        if same_or_refuse(context, key, tool, dict(given)):
            return look(layout, key)
        live = [job for job in all_jobs(layout) if job.state == "running"]
        if len(live) >= MOST_AT_ONCE:
            own = ", ".join(job.handle for job in live if job.by == context.principal)
            raise ToolError(f"{len(live)} jobs run already ({f'yours: {own}' if own else 'none is yours'}), "
                            f"{MOST_AT_ONCE} are allowed — wait until one has ended, the tool job tells")
        folder = folder_of(layout, key)
        hidden = folder.with_name(f".{key[:40]}.{secrets.token_hex(6)}")
        hidden.mkdir(parents=True)
        write_json_atomic(hidden / "request.json", {
            "tool": tool, "given": dict(given), "words": list(words), "by": context.principal, "at": time.time()})
        os.rename(hidden, folder)
        _forget_old(layout)
        command = [sys.executable, "-m", "vbotd.agent.job_process", str(folder), *verb_command(layout, words)]
        subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=verb_environment(layout), cwd=folder, close_fds=True)
    return look(layout, key)


def look_as(context: Context, handle: str) -> Job:
    """Return a job as it stands to who started it.

    Raises: ToolError where there is none of this handle, or it is somebody else's.
    """
    with suppress(NoJob):
        job = look(context.layout, handle)
        if job.by in ("", context.principal):
            return job
        raise ToolError(f"job '{handle}' belongs to {clean(job.by, 60)}, who alone can look at it — start your own")
    own = [job.handle for job in all_jobs(context.layout) if job.by == context.principal][-5:]
    raise ToolError(f"there is no job '{clean(handle, 60)}' — your newest: {', '.join(own) or 'none'}")


def look(layout: Layout, handle: str) -> Job:
    """Return a job as it stands, whoever started it.

    Raises: NoJob where there is none of this handle.
    """
    folder = folder_of(layout, handle)
    request = _json(folder / "request.json")
    if request is None:
        raise NoJob(f"there is no job '{clean(handle, 60)}'")
    tool, by, began_at = str(request.get("tool")), str(request.get("by", "")), float(request.get("at") or 0.0)
    ended = _json(folder / "exit.json")
    if ended is None:
        alive = is_locked(folder / "lock") or time.time() - began_at < GRACE_S
        # It may have ended between the two looks.
        ended = _json(folder / "exit.json")
        if ended is None:
            return Job(handle=handle, tool=tool, by=by, state="running" if alive else "lost", began_at=began_at,
                       said="" if alive else "its process ended without a word; start it under a new key")
    code = ended.get("code")
    out, err = _bytes(folder / "out.json"), _bytes(folder / "err.txt")
    try:
        output = parse_output(tool, out, err)
    except ToolError as error:
        return Job(handle=handle, tool=tool, by=by, state="failed", began_at=began_at, exit_code=code, said=str(error))
    # A verb whose findings are bad news (an audit) prints its report and exits with 1.
    return Job(handle=handle, tool=tool, by=by, state="done", began_at=began_at, output=output, exit_code=code)


def folder_of(layout: Layout, handle: str) -> Path:
    """Return the folder of a job; its handle is a key, so it cannot lead elsewhere."""
    return layout.state / "jobs" / handle


def all_jobs(layout: Layout) -> list[Job]:
    """Return the jobs that are kept, the oldest first."""
    try:
        names = [path.name for path in (layout.state / "jobs").iterdir() if not path.name.startswith(".")]
    except OSError:
        return []
    found = []
    for name in names:
        with suppress(ToolError):
            found.append(look(layout, name) if _json(folder_of(layout, name) / "request.json") else None)
    return sorted((job for job in found if job is not None), key=lambda job: (job.began_at, job.handle))


def _forget_old(layout: Layout) -> None:
    for job in all_jobs(layout)[:-MOST_KEPT]:
        if job.state != "running":
            shutil.rmtree(folder_of(layout, job.handle), ignore_errors=True)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path)
    except UnreadableFile:
        return None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_OUTPUT + 1)
    except OSError:
        return b""
