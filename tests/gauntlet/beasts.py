"""The task whose workers misbehave, each in its own way. This file is copied into a scratch workspace's `plugins/`.

`KINDS` end only when somebody ends them (`cancel`) or by themselves; `obedient` does what a file tells it to.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

LEDGER = "ledger.txt"
ORDERS = "leave"  # in the run's folder: an exit code, or a signal as a negative number
CANCELLED = ("deaf", "setsid", "double_fork", "children", "hang", "closes_fds", "forks", "deletes_folder")
ENDED = ("spam", "segfault", "exit_0_without_result", "exit_7", "huge_result", "nan_result", "kills_shim", "memory")
SPAM_BYTES = 200 << 20
HUGE_BYTES = 64 << 20
SPARE_BYTES = 128 << 20
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(900)"
SLEEP = [sys.executable, "-S", "-c", DEAF]


@hookimpl
def vbotd_tasks() -> list[TaskCard]:
    """Offer the one task."""
    return [TaskCard(
        name="beast", summary="misbehaves", factory=f"{__name__}:train", env_steps=1000, num_envs=1,
        entries={"train": f"{__name__}:train", "evaluate": f"{__name__}:evaluate"},
        params=(ParamCard(key="env.kind", default="obedient", choices=("obedient", *CANCELLED, *ENDED)),))]


def train(folder: Any) -> None:
    """Misbehave."""
    spec = folder.spec()
    note("start", spec.run)
    BEASTS[spec.params["env.kind"]](folder)


def evaluate(folder: Any) -> None:
    """Say that it went well enough."""
    folder.write_result({"outcome": "finished", "reason": "", "env_steps": 10, "wall_s": 0.1, "simulated_s": 1.0,
                         "checkpoint": None, "metrics": {
                             "eval/success_rate": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 256}}})


def obedient(folder: Any) -> None:
    """Wait for an order and end as it says."""
    orders = folder.path / ORDERS
    while not orders.exists():
        time.sleep(0.05)
    order = int(orders.read_text())
    if order == 0:
        well(folder)
        return
    if order < 0:
        signal.signal(-order, signal.SIG_DFL) if -order != signal.SIGKILL else None
        os.kill(os.getpid(), -order)
    os._exit(order)


def well(folder: Any, **more: Any) -> None:
    """End as a good worker does."""
    folder.checkpoints.mkdir(exist_ok=True)
    name = f"checkpoints/ckpt_{1000:012d}.pt"
    (folder.path / name).touch()
    folder.write_result({"outcome": "finished", "reason": "", "env_steps": 1000, "wall_s": 0.1, "simulated_s": 1.0,
                         "metrics": {}, "checkpoint": {"path": name, "sha256": "0" * 64, "env_steps": 1000}, **more})


def forever() -> None:
    """Do nothing, deaf to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def setsid(folder: Any) -> None:
    """Have a child in a session of its own, and wait for it."""
    subprocess.Popen(SLEEP, start_new_session=True)
    forever()


def double_fork(folder: Any) -> None:
    """Leave a grandchild behind whose parent is gone."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            forever()
        os._exit(0)
    os.wait()
    forever()


def children(folder: Any) -> None:
    """Have children, as a data loader has."""
    for _ in range(4):
        subprocess.Popen(SLEEP)
    forever()


def hang(folder: Any) -> None:
    """Never look up again: it hears SIGTERM, and no stop file."""
    while True:
        time.sleep(60)


def closes_fds(folder: Any) -> None:
    """Close everything that was inherited, and more."""
    os.closerange(0, 1024)
    forever()


def forks(folder: Any) -> None:
    """Fork children that fork and end, on and on: a light fork bomb."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(1.0)
            os._exit(0)
        time.sleep(0.1)


def deletes_folder(folder: Any) -> None:
    """Delete its own folder, with the claim and the lock in it."""
    shutil.rmtree(folder.path, ignore_errors=True)
    forever()


def spam(folder: Any) -> None:
    """Print two hundred megabytes and end well."""
    line = b"x" * 1023 + b"\n"
    for _ in range(SPAM_BYTES // (64 * len(line))):
        os.write(1, line * 64)
    well(folder)


def segfault(folder: Any) -> None:
    """Die of a segmentation fault."""
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def kills_shim(folder: Any) -> None:
    """Kill the parent, and live on."""
    os.kill(os.getppid(), signal.SIGKILL)
    forever()


def huge_result(folder: Any) -> None:
    """Leave a result of 64 MB."""
    (folder.path / "result.json").write_bytes(b'{"outcome": "finished", "x": "' + b"x" * HUGE_BYTES + b'"}')
    os._exit(0)


def nan_result(folder: Any) -> None:
    """Leave a result with numbers that are none."""
    (folder.path / "result.json").write_text(
        '{"outcome": "finished", "env_steps": NaN, "wall_s": Infinity, "metrics": {"eval/success_rate": NaN}}')
    os._exit(0)


def memory(folder: Any) -> None:
    """Take memory until there is none."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, used + SPARE_BYTES))
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def note(what: str, run: str) -> None:
    """Append one short line, whole."""
    with contextlib.suppress(OSError), open(Path(os.environ["VBOTD_HOME"]) / LEDGER, "ab", buffering=0) as file:
        file.write(f"{what} {run} {os.getpid()}\n".encode())


BEASTS = {
    "obedient": obedient, "deaf": lambda folder: forever(), "setsid": setsid, "double_fork": double_fork,
    "children": children, "hang": hang, "closes_fds": closes_fds, "forks": forks, "deletes_folder": deletes_folder,
    "spam": spam, "segfault": segfault, "exit_0_without_result": lambda folder: os._exit(0),
    "exit_7": lambda folder: os._exit(7), "huge_result": huge_result, "nan_result": nan_result,
    "kills_shim": kills_shim, "memory": memory,
}
