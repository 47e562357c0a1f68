"""The plugin host as a process: how it is started, heard, and killed with all it has started."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vbotd
from vbotd.layout import Layout

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
MAX_LINE_BYTES = 32 << 20  # a catalogue with every schema is far below; more is a host gone mad
MAX_LOG_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """What a host is started with. `allowed` None: all plugins; `memory_bytes` 0: no limit of its address space."""

    home: Path
    allowed: tuple[str, ...] | None = None
    keep_env: tuple[str, ...] = ()
    memory_bytes: int = 4 << 30


def safe_environment(environ: Mapping[str, str], keep: Sequence[str] = ()) -> dict[str, str]:
    """Return an environment without what looks like a secret, except for the names that the configuration keeps."""
    kept = {name: value for name, value in environ.items() if name in keep or not SECRET.search(name)}
    source = str(Path(vbotd.__file__).resolve().parents[1])
    kept["PYTHONPATH"] = os.pathsep.join([source, *filter(None, [kept.get("PYTHONPATH")])])
    kept["PYTHONFAULTHANDLER"] = "1"  # a segmentation fault then names the plugin's line in the log
    kept.setdefault("OMP_NUM_THREADS", "1")  # the cores belong to the runs
    return kept


class HostProcess:
    """One child. `on_line` and then, once, `on_end` are called from its reader thread."""

    def __init__(self, spec: HostSpec, *, blocked: Sequence[str], on_line: Callable[[dict[str, Any]], None],
                 on_end: Callable[[], None]) -> None:
        command = [sys.executable, "-P", "-m", "vbotd.host.server", "--home", str(spec.home),
                   "--memory-bytes", str(spec.memory_bytes)]
        if spec.allowed is not None:
            command += ["--allow", ",".join(spec.allowed)]
        for plugin in blocked:
            command += ["--block", plugin]
        log = _open_log(spec.home)
        try:
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=spec.home,
                env=safe_environment(os.environ, spec.keep_env), start_new_session=True)
        finally:
            os.close(log)
        self._on_line, self._on_end = on_line, on_end
        self._reader = threading.Thread(target=self._read, daemon=True, name="plugin-host-reader")
        self._reader.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        with suppress(ValueError, OSError):  # a line that is none, or a pipe that was closed: the host is lost
            while line := self._child.stdout.readline(MAX_LINE_BYTES):
                self._on_line(json.loads(line))
        self._on_end()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; a host that is gone is noticed by its reader, not here."""
        assert self._child.stdin is not None
        with suppress(OSError, ValueError):
            self._child.stdin.write(json.dumps(message).encode() + b"\n")
            self._child.stdin.flush()

    def kill(self, patience_s: float = 0.0) -> str:
        """Kill the process group, reap the child, and return how it ended, in words.

        A child that has closed its pipe is about to end; `patience_s` lets it, so that its true exit is seen.
        """
        # Order: the group before the wait, while the zombie still keeps the number from being used again.
        ended = self._has_ended(patience_s)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        code = self._child.wait()
        self._close()
        if not ended:
            return "was killed"
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    def _has_ended(self, patience_s: float) -> bool:
        handle = os.pidfd_open(self._child.pid)  # readable when the process has ended, without reaping it
        try:
            return bool(select.select([handle], [], [], patience_s)[0])
        finally:
            os.close(handle)

    def close(self, patience_s: float = 1.0) -> None:
        """Let the host end by itself (its stdin closes), and kill it when it does not."""
        with suppress(OSError):
            assert self._child.stdin is not None
            self._child.stdin.close()
        self._reader.join(patience_s)
        self.kill()

    def _close(self) -> None:
        self._reader.join(1.0)
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()


def _open_log(home: Path) -> int:
    """Return a descriptor of `state/host.log` for appending; /dev/null where there is no workspace yet."""
    path = Layout(home).host_log
    if not path.parent.is_dir():
        return os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):
        if path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
