"""What the launcher makes of a run whose folder, or whose number, is not its own any more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vbotd.daemon import shim
from vbotd.daemon.launch import LocalLauncher
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic


def running(token: str) -> Run:
    now = time.time()
    return Run(id="c/t001/train-s1-a1", campaign="c", trial="c/t001", kind="train", seed=1, attempt=1, status="running",
               queued_at=now, token=token, launch=1, launched_at=now, started_at=now, pid=1)


@contextmanager
def sleeper(token: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that carries a token and does nothing."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "print(flush=True); import time; time.sleep(600)"],
                               stdout=subprocess.PIPE, env={"VBOTD_TOKEN": token})
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_run_that_deleted_its_folder_is_ended_with_its_whole_tree(tmp_path: Path):
    layout, run = Layout(tmp_path), running("bereft-token")
    layout.run(run.trial).mkdir(parents=True)
    with sleeper(run.token) as worker:
        seen = LocalLauncher(layout).look(run)
        assert (seen.bereft, seen.swept, seen.alive) == (True, True, False)
        assert worker.wait(10) < 0


def test_a_run_whose_disk_is_away_is_left_alone_until_it_is_to_stop_or_has_ended(tmp_path: Path):
    layout, run = Layout(tmp_path), running("away-token")
    with sleeper(run.token) as worker:
        seen = LocalLauncher(layout).look(run)
        assert (seen.claim, seen.alive, worker.poll()) == ("none", True, None)
    assert LocalLauncher(layout).look(run).bereft


@pytest.mark.parametrize("changed", ["starttime", "boot_id", "token"])
def test_a_process_that_only_has_the_number_of_a_dead_shim_is_not_signalled(tmp_path: Path, changed: str):
    layout, run = Layout(tmp_path), running("reused-token")
    folder = layout.run(run.id)
    folder.mkdir(parents=True)
    with sleeper("a-token-of-its-own") as foreign:
        claim = {"by": "shim", "token": run.token, "pid": foreign.pid, "boot_id": shim.boot_id(),
                 "starttime": shim.start_time(foreign.pid), "at": 0.0}
        claim[changed] = claim["starttime"] - 1 if changed == "starttime" else "another"
        write_json_atomic(folder / "claim", claim)
        for rung in ("term", "kill"):
            LocalLauncher(layout).press(run, rung)
        assert foreign.poll() is None
        os.kill(foreign.pid, 0)
