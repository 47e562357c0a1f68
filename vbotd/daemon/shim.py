"""The shim: one small process per run that outlives the daemon and tells how the run ended.

Standard library only and self-contained: the daemon copies this file next to its state under the hash
of its content and runs that copy with `python -I -S`, so an upgrade cannot change a run that is going on.

    shim.py RUN_DIR LAUNCH TOKEN -- COMMAND...
    shim.py RUN_DIR LAUNCH TOKEN --forked PID GATE

Order: take the lock (*alive*), win the claim (*started once*), start the worker, reap the whole tree,
write the exit (*how it ended*), let go of the lock. Losing the claim starts nothing and exits with 75.

The second form starts no command: this process was forked by the fork server, forked the worker PID and became
the shim by exec, so that the worker is its child. The worker does nothing until a byte comes through the pipe
GATE, and ends when the pipe closes without one, as it does when this process dies or loses the claim.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

PROTOCOL = 1
LOST_CLAIM = 75
LOCK_PATIENCE_S = 10.0  # somebody who only looks at the lock holds it for microseconds
STRAGGLER_GRACE_S = 2.0
PR_SET_CHILD_SUBREAPER = 36


def name_of(base, launch):
    """Return a file's name for a launch: the first has the plain name, a later one its number behind it."""
    return base if launch == 1 else f"{base}.{launch}"


def boot_id():
    """Return the id of this start of the machine, "" where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_time(pid):
    """Return the start of a process in clock ticks since the boot, 0 where it is unknown."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def write_once(path, value):
    """Write JSON to a name that must not exist yet; True when this call made it. All of it or nothing."""
    temporary = f"{path}.{os.urandom(6).hex()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    finally:
        os.unlink(temporary)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def take_lock(path):
    """Take the lock and keep it until this process ends; None when somebody else holds on to it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)


def descendants():
    """Return the pids of all processes below this one, by the parents that /proc names."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parents[int(entry)] = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    found, fresh = set(), {os.getpid()}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh and pid not in found}
        found |= fresh
    return found


def send(signal_number, pids):
    """Send a signal to processes that may be gone already."""
    for pid in pids:
        try:
            os.kill(pid, signal_number)
        except (ProcessLookupError, PermissionError):
            continue


def reap_stragglers():
    """End what the worker left running: it is part of the run, and the run is over. Return how many there were."""
    left = descendants()
    count = len(left)
    send(signal.SIGTERM, left)
    deadline = time.monotonic() + STRAGGLER_GRACE_S
    while left:
        if time.monotonic() > deadline:
            send(signal.SIGKILL, left)
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            time.sleep(0.02)
        left = descendants()
    return count


class Forked:
    """A worker that waits to be let go: as much of `subprocess.Popen` as is needed of it."""

    def __init__(self, pid, gate):
        self.pid = pid
        try:
            os.write(gate, b"1")
        except BrokenPipeError:  # it has died already, and how is what `wait` tells
            pass
        finally:
            os.close(gate)

    def wait(self):
        """Return the exit code, or the negative number of the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def start(how, folder):
    """Start the worker: a command in a session of its own, or the one that is there already and waits."""
    if how[0] == "--forked":
        return Forked(int(how[1]), int(how[2]))
    with open(os.path.join(folder, "worker.log"), "ab") as log:
        return subprocess.Popen(how[1:], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, close_fds=True, cwd=folder)


def main(arguments):
    """Run one launch of one run; return the shim's own exit code."""
    folder, launch, token = arguments[0], int(arguments[1]), arguments[2]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    lock = take_lock(os.path.join(folder, name_of("alive.lock", launch)))
    if lock is None:
        return LOST_CLAIM
    claim = {"version": PROTOCOL, "by": "shim", "token": token, "pid": os.getpid(),
             "starttime": start_time(os.getpid()), "boot_id": boot_id(), "at": time.time(),
             "forked": arguments[3] == "--forked"}
    if not write_once(os.path.join(folder, name_of("claim", launch)), claim):
        return LOST_CLAIM

    asked = []
    worker = None

    def on_term(number, frame):
        asked.append(number)
        if worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGTERM)

    def on_kill(number, frame):
        send(signal.SIGKILL, descendants())

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGUSR2, on_kill)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    started, begun = time.time(), time.monotonic()
    code, number, why = None, None, ""
    try:
        worker = start(arguments[3:], folder)
    except OSError as error:
        code, why = 127, f"could not start {arguments[4]}: {error}"
    else:
        if asked:  # the request came before there was a worker to pass it on to
            os.killpg(worker.pid, signal.SIGTERM)
        returned = worker.wait()
        code, number = (returned, None) if returned >= 0 else (None, -returned)
    leaked = reap_stragglers()
    write_once(os.path.join(folder, name_of("exit.json", launch)), {
        "version": PROTOCOL, "token": token, "exit_code": code, "signal": number, "started_at": started,
        "ended_at": time.time(), "duration_s": time.monotonic() - begun, "leaked": leaked, "why": why})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
