"""The process of a job: runs a verb to its end and says how it ended. It holds the job's lock while it lives.

Writes: `lock`, `out.json`, `err.txt`, `exit.json` in the job's folder.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vbotd.store.files import write_json_atomic

LONGEST_S = 3600.0
NICE = 10  # a job never takes a core from a campaign


def main(folder: Path, command: Sequence[str]) -> None:
    """Run a command with its output in the job's folder, for an hour at most."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.nice(NICE)
    with (folder / "out.json").open("wb") as out, (folder / "err.txt").open("wb") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder)
        # Who is asked to end passes it on, so that nothing of the job stays behind.
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            code = child.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
    write_json_atomic(folder / "exit.json", {"code": code, "at": time.time()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
