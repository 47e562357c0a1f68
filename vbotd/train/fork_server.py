"""How does a run start without loading torch anew? A process that has loaded it copies itself.

    python -m vbotd.train.fork_server [MODULE...]

The daemon writes a line of JSON (`folder`, `shim`, `environment`) to stdin, and reads one from stdout. For each, two
forks: the first makes a process that becomes the run's shim by exec of the shim's own command, the second the worker
below it. So the worker is the shim's child, the shim is the same small program as ever, and neither needs this
process or the daemon to live on. The worker waits at a pipe until the shim has won the claim.

This process must have one thread when it forks, must not have initialised CUDA, and must not have read what differs
between runs.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vbotd.train.tasks.cards import TASKS
from vbotd.train.threads import prepare

# Adam loads torch._dynamo when it is first made, which takes nearly as long as loading torch does.
PRELOADED = ("mujoco.batch", "torch", "torch._dynamo", "vbotd.host.discovery", "vbotd.train.worker",
             "vbotd.train.audit", *sorted({card.factory.partition(":")[0] for card in TASKS}))  # fmt: skip
IDLE_S = 600.0  # then the memory is given back; the daemon starts another for the next run
NOT_LET_GO = 75
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


def main(arguments: Sequence[str]) -> int:
    """Serve; a copy returns from there as the worker of a run, and goes on as `python -m vbotd.train` does."""
    folder = serve(arguments)
    if folder is None:
        return 0
    from vbotd.train.__main__ import main as work

    return work([folder])


def serve(modules: Sequence[str] = ()) -> str | None:
    """Fork until stdin closes; return None then, and in each worker its run folder."""
    replies = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    # The daemon closes stdin as it dies, but loading takes seconds in which nobody reads it. Copies don't inherit this.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prepare()
    for name in modules or PRELOADED:
        importlib.import_module(name)
    settle()
    loaded = source_times()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the shims: none stays behind as a zombie
    tell(replies, ready=True)
    print(f"ready: pid {os.getpid()}, {len(sys.modules)} modules", file=sys.stderr, flush=True)
    while (request := next_request()) is not None:
        if stale := changed(loaded):
            tell(replies, why=f"{stale} is not what was loaded any more")
            return None
        try:
            pid = os.fork()
        except OSError as err:
            tell(replies, why=f"the system refused to fork: {err}")
            return None
        if pid == 0:
            os.close(replies)
            return become_worker(request)
        tell(replies, pid=pid)
    return None


def settle() -> None:
    """Make ready to fork. Raises: RuntimeError where a thread is left, which no copy would have."""
    # OpenBLAS starts its threads as numpy is loaded and ends them before a fork, to start them again when needed.
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    if (count := len(os.listdir("/proc/self/task"))) != 1:
        raise RuntimeError(f"the fork server has {count} threads after loading — it needs one — fork_server: never")
    initial_place(b"VBOTD_TOKEN=")
    gc.collect()
    gc.freeze()  # or the first collection in a copy would touch, and so copy, every page


def next_request() -> dict[str, Any] | None:
    """Return what the daemon asks for; None when it has gone, or for long has had nothing to ask."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([0], [], [], IDLE_S)[0]:
            return None
        part = os.read(0, 65536)
        if not part:
            return None
        line += part
    request: dict[str, Any] = json.loads(line)
    return request


def tell(replies: int, **answer: Any) -> None:
    """Write one line to the daemon."""
    os.write(replies, json.dumps(answer).encode() + b"\n")


def source_times() -> dict[str, tuple[int, int]]:
    """Return when and how large the loaded code was: all of ours, and the first file of every other package."""
    files = {str(module.__file__) for name, module in list(sys.modules.items())
             if getattr(module, "__file__", None) and ("." not in name or name.startswith("vbotd"))}  # fmt: skip
    return {file: time for file in files if (time := source_time(file))}


def source_time(file: str) -> tuple[int, int] | None:
    """Return a file's time of change and its size; None where it is gone."""
    try:
        seen = os.stat(file)
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size


def changed(loaded: dict[str, tuple[int, int]]) -> str:
    """Return a file that was installed anew since it was loaded, or an empty string."""
    return next((file for file, time in loaded.items() if source_time(file) != time), "")


def become_worker(request: dict[str, Any]) -> str:
    """Turn this copy into the shim, which does not return, and a copy of it into the worker; return its folder."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        redirect(Path(request["folder"]) / "shim.log")
        gate, let_go = os.pipe()
        waits, has_session = os.pipe()
        worker = os.fork()
        if worker:
            os.close(has_session)
            os.read(waits, 1)  # the shim signals the worker's group: there must be one
            os.set_inheritable(let_go, True)
            command = [*request["shim"], "--forked", str(worker), str(let_go)]
            os.execve(command[0], command, request["environment"])
        os.close(let_go)
        os.setsid()
        identify(request["environment"]["VBOTD_TOKEN"], Path(request["folder"]))
        os.close(has_session)
        if not os.read(gate, 1):
            os._exit(NOT_LET_GO)
        os.close(gate)
        os.close(waits)
        settle_in(request["folder"], request["environment"])
    except BaseException:
        # Whatever it is, it must not get back to where the server's loop would go on in a copy.
        traceback.print_exc()
        os._exit(127)
    return str(request["folder"])


def redirect(path: Path) -> None:
    """Write stdout and stderr to the end of a file from now on, and read nothing."""
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(out)


def identify(token: str, folder: Path) -> None:
    """Show in /proc what a worker shows: the run's token, by which it is found and ended, and a telling name."""
    address, size = initial_place(b"VBOTD_TOKEN=")
    ctypes.memmove(address, token.encode().ljust(size, b"\0"), size)
    start, end = memory_fields()[:2]
    name = f"vbotd.train {'/'.join(folder.parts[-3:])}".encode()[: end - start - 1]
    ctypes.memmove(start, name.ljust(end - start, b"\0"), end - start)
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"vbotd-worker", 0, 0, 0)


def settle_in(folder: str, environment: dict[str, str]) -> None:
    """Make this copy what a fresh interpreter would be that runs in the folder with that environment."""
    redirect(Path(folder) / "worker.log")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = [folder]
    sys.path[0] = folder
    if "numpy" in sys.modules:  # its global generator would be the same in every copy; Python reseeds its own
        sys.modules["numpy"].random.seed()


def memory_fields() -> tuple[int, int, int, int]:
    """Return where the arguments and the environment that this process was started with begin and end."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    start, end, env_start, env_end = (int(field) for field in fields[45:49])
    return start, end, env_start, env_end


def initial_place(name: bytes) -> tuple[int, int]:
    """Return address and size of a variable's value in the environment that /proc shows. Raises: RuntimeError."""
    _, _, start, end = memory_fields()
    block = ctypes.string_at(start, end - start) if start else b""
    at = block.find(b"\0" + name)
    if at < 0:
        raise RuntimeError(f"{name.decode()}... is not in the environment of this process — the daemon sets it")
    value = at + 1 + len(name)
    return start + value, block.index(b"\0", value) - value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
