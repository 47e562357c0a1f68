"""A daemon that is a copy of this process: the same command line as a real one, without waiting for its imports."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from vbotd.errors import VbotdError
from vbotd.layout import Layout


class ForkedDaemon:
    """As much of `subprocess.Popen` as the tests need. Only a process with a single thread may make one."""

    def __init__(self, flags: Sequence[str], *, environment: Mapping[str, str], out: Path, folder: Path) -> None:
        import vbotd.daemon.process  # noqa: F401  # loaded once, here, and not in every copy

        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become_daemon("--until-idle" in flags, environment, out, folder)
        self._handle = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Return the exit code, or the negative number of the signal; None while it lives."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._reaped(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises: subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("vbotd run", timeout or 0.0)
            self._reaped(os.waitpid(self.pid, 0)[1])
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Send SIGKILL."""
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def _reaped(self, status: int) -> None:
        self.returncode = os.waitstatus_to_exitcode(status)
        os.close(self._handle)


def _become_daemon(until_idle: bool, environment: Mapping[str, str], out: Path, folder: Path) -> None:
    """Be what `vbotd run --quiet` is, in the copy, and end with its exit code."""
    code = 70
    try:
        gc.freeze()
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        written = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(written, 1)
        os.dup2(written, 2)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        from vbotd.daemon.process import run_daemon

        run_daemon(Layout.find(), until_idle=until_idle, quiet=True)
        code = 0
    except VbotdError as error:
        print(f"vbotd: {error}", file=sys.stderr, flush=True)
        code = error.exit_code
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)
