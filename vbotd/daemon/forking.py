"""A process that has torch loaded, asked for copies of itself: the daemon's side of `vbotd.train.fork_server`.

Never needed: whenever the answer is not there at once, the caller starts the run in the ordinary way.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vbotd.daemon import shim

log = logging.getLogger("vbotd.daemon")

TOKEN_PLACE = "-" * 64  # a copy writes its token over it, so that /proc shows the token as it does for any worker
REPLY_S = 1.0  # a fork takes 5 to 40 ms
RETRY_S = 60.0  # until a server is started again where the last one died before it was ready, or none answers
MOST_UNANSWERED = 3
PRELOAD = "VBOTD_PRELOAD"  # the modules to load instead, comma-separated, for tests: loading torch takes seconds


@dataclass(frozen=True, slots=True)
class ForkedShim:
    """A shim that is no child of ours."""

    pid: int
    starttime: int  # clock ticks since the boot; 0: it was gone already

    def poll(self) -> int | None:
        """Return None while it lives. Its exit code is for its parent; what matters of it, the run folder says."""
        return None if shim.start_time(self.pid) == self.starttime != 0 else 0


class ForkServer:
    """One fork server; started by the first `fork`, and again when it has gone."""

    def __init__(self, *, environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "vbotd.train.fork_server"]
        self._command += [name for name in os.environ[PRELOAD].split(",") if name] if PRELOAD in os.environ else []
        # Order: the token last, since readers of /proc/PID/environ stop at the empty bytes behind it.
        self._environment = {**{k: v for k, v in environment.items() if k != "VBOTD_TOKEN"}, "VBOTD_TOKEN": TOKEN_PLACE}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._ready = False
        self._not_before = 0.0
        self._unanswered = 0

    def fork(self, folder: Path, shim_command: Sequence[str], environment: Mapping[str, str]) -> ForkedShim | None:
        """Return a shim, and below it a worker that waits for the shim's word; None where there is no server ready.

        None does not prove that nothing was forked. Blocks for `REPLY_S` at most.
        """
        if not self._is_ready():
            return None
        request = {"folder": str(folder), "shim": list(shim_command), "environment": dict(environment)}
        answer: Mapping[str, Any] = {}
        with contextlib.suppress(OSError):
            os.write(self._pipes()[0], json.dumps(request).encode() + b"\n")
            answer = self._read(REPLY_S)
        pid = answer.get("pid")
        if isinstance(pid, int):
            self._unanswered = 0
            return ForkedShim(pid, shim.start_time(pid))
        log.warning("action=fork_server_restarted pid=%s why=%r", self.pid, answer.get("why", "no answer"))
        self.close()
        self._unanswered += "why" not in answer
        if self._unanswered >= MOST_UNANSWERED:
            self._not_before = time.monotonic() + RETRY_S
        self._begin()
        return None

    @property
    def pid(self) -> int | None:
        """The server's process; None where there is none."""
        return self._process.pid if self._process is not None else None

    def close(self) -> None:
        """End the server. Its copies are processes of their own, and go on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        self._process, self._ready, self._unread = None, False, b""

    def _is_ready(self) -> bool:
        """Say whether the server can be asked; start it where there is none."""
        # Order: what it wrote before what became of it, since one that was ready once will be so again.
        if self._process is not None and not self._ready and self._read(0.0).get("ready") is True:
            self._ready, self._not_before = True, 0.0
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._begin()
        return self._ready

    def _begin(self) -> None:
        if time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + RETRY_S
        with self._log.open("ab") as out:
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, bufsize=0,
                    start_new_session=True, close_fds=True, env=self._environment, cwd=self._log.parent)
            except OSError as error:
                log.warning("action=fork_server_not_started error=%s", error)

    def _pipes(self) -> tuple[int, int]:
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        return self._process.stdin.fileno(), self._process.stdout.fileno()

    def _read(self, patience_s: float) -> Mapping[str, Any]:
        """Return the next line that the server writes, {} where none comes in time."""
        deadline = time.monotonic() + patience_s
        while b"\n" not in self._unread:
            source = self._pipes()[1]
            if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return {}
            part = os.read(source, 65536)
            if not part:
                return {}
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else {}
