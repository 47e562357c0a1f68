"""Inside a pid namespace: the number of a dead shim goes to a foreign process, and a run that is no more is pressed.

    unshare -pf --mount-proc python -m tests.gauntlet.reuse FOLDER COUNT
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from vbotd.daemon import shim
from vbotd.daemon.launch import LocalLauncher
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
A_TICK_S = 0.02  # the kernel tells start times in hundredths of a second
RUNGS = ("term", "kill")


def child() -> int:
    """Return the pid of a new process that does nothing and dies of any signal."""
    pid = os.fork()
    if pid == 0:
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        while True:
            signal.pause()
    return pid


def end(pid: int) -> None:
    """End a child of ours, and reap it."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def main() -> None:
    """Do it so often and print what came of it."""
    layout, count = Layout(Path(sys.argv[1]) / "reuse"), int(sys.argv[2])
    layout.make()
    launcher = LocalLauncher(layout)
    reused, signalled = 0, []
    for number in range(count):
        run = Run(id=f"c/t{number:03d}/train-s1-a1", campaign="c", trial=f"c/t{number:03d}", kind="train", seed=1,
                  attempt=1, status="running", queued_at=0.0, token=f"token-{number}", launch=1,
                  launched_at=time.time(), started_at=time.time())
        folder = layout.run(run.id)
        folder.mkdir(parents=True)
        pid = child()
        claim = {"version": shim.PROTOCOL, "by": "shim", "token": run.token, "pid": pid,
                 "starttime": shim.start_time(pid), "boot_id": shim.boot_id(), "at": time.time()}
        write_json_atomic(folder / "claim", claim)
        end(pid)
        time.sleep(A_TICK_S)
        LAST_PID.write_text(str(pid - 1))
        foreign = child()
        reused += foreign == pid
        for rung in RUNGS:
            launcher.press(run, rung)
        launcher.look(run)
        time.sleep(0.001)
        if os.waitpid(foreign, os.WNOHANG)[0]:
            signalled.append(foreign)
        else:
            end(foreign)
    print(json.dumps({"reused": reused, "signalled": signalled}))


if __name__ == "__main__":
    main()
