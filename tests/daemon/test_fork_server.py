"""Runs that are copies of the fork server: as hard to kill, and as true in what they tell, as any other."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemon.workspace import ROOT, Workspace, campaign, make_workspace
from tests.waiting import has_ended, wait_until
from vbotd.daemon import forking, shim
from vbotd.daemon.forking import ForkServer
from vbotd.daemon.launch import LocalLauncher
from vbotd.domain.trial import Run
from vbotd.store.inbox import send_command
from vbotd.store.locks import is_locked

SERVER_KILLS = 6


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace whose workers are all forked, by a server that loads no torch and is there at once."""
    monkeypatch.setenv(forking.PRELOAD, "json")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = make_workspace(tmp_path)
    made.layout.make()
    made.layout.config.write_text("fork_server: always\nstop_term_s: 0.5\nstop_kill_s: 1\n")
    yield made
    made.close()


@pytest.fixture
def launcher(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalLauncher]:
    """A launcher in this process, whose fork server is ready."""
    made = LocalLauncher(workspace.layout, fork_server="always")
    made.start(a_run("first"))
    servers(workspace)
    yield made
    made.close()


def servers(workspace: Workspace, count: int = 1) -> list[int]:
    """Return the pids of the fork servers that became ready, once there are `count`."""
    def ready() -> list[int]:
        if not workspace.layout.fork_server_log.exists():
            return []
        lines = workspace.layout.fork_server_log.read_text().splitlines()
        return [int(line.split()[2].rstrip(",")) for line in lines if line.startswith("ready: pid")]
    return wait_until(lambda: pids if len(pids := ready()) >= count else [], 30.0)


def a_run(name: str, *, mode: str = "good", train_s: float = 0.05) -> Run:
    spec = {"entry": "vbotd_workspace._fake_worker:train", "task": "fake_walk",
            "params": {"env.mode": mode, "env.train_s": train_s}, "train": {"env_steps": 10}}
    return Run(id=f"c/t001/{name}", campaign="c", trial="c/t001", kind="train", spec=spec, seed=1, attempt=1,
               status="launching", queued_at=0.0, token=secrets.token_hex(16), threads=1, launch=1,
               launched_at=time.time())


def start_forking(workspace: Workspace, *flags: str) -> subprocess.Popen[bytes]:
    """Start a daemon, and return when its next runs are forked."""
    before = len(servers(workspace)) if workspace.layout.fork_server_log.exists() else 0
    workspace.drop(f"warm-up-{before}.yaml", campaign(f"warm-up-{before}", trials=1))
    daemon = workspace.start(*flags)
    servers(workspace, before + 1)
    wait_until(lambda: workspace.records("closed")[before:], 30.0)
    return daemon


def claim_of(workspace: Workspace, run: Run) -> dict[str, object]:
    return dict(json.loads((workspace.layout.run(run.id) / "claim").read_text()))


def worker_of(run: Run) -> psutil.Process:
    worker, = psutil.Process(run.pid).children()
    return worker


def test_a_forked_worker_looks_like_any_other(workspace: Workspace) -> None:
    start_forking(workspace)
    workspace.drop("a.yaml", campaign("look", trials=1, mode="hang"))
    run = workspace.wait_for_run("running")
    assert claim_of(workspace, run)["forked"] is True
    wait_until(lambda: [entry for entry in workspace.ledger() if entry[1] == run.id], 10.0)
    parent, worker = psutil.Process(run.pid), worker_of(run)
    assert parent.cmdline()[1:3] == ["-I", "-S"], "the shim is the small program that it always is"
    assert worker.environ()["VBOTD_TOKEN"] == run.token, "a sweep finds it"
    assert worker.environ()["VBOTD_HOME"] == str(workspace.home)
    assert worker.cwd() == str(workspace.layout.run(run.id))
    assert worker.cmdline()[0].startswith("vbotd.train ")
    assert os.getsid(parent.pid) == parent.pid and os.getsid(worker.pid) == worker.pid
    pipes = [name for fd in Path(f"/proc/{worker.pid}/fd").iterdir() if (name := os.readlink(fd)).startswith("pipe:")]
    assert pipes == [], "nothing ties it to the fork server or the daemon"


def test_a_killed_daemon_adopts_its_forked_run_and_starts_nothing_twice(workspace: Workspace) -> None:
    first = start_forking(workspace)
    workspace.drop("long.yaml", campaign("long", trials=1, train_s=3.0))
    run = workspace.wait_for_run("running")
    workspace.kill(first)
    wait_until(lambda: not psutil.pid_exists(servers(workspace)[0]), 10.0)
    assert psutil.pid_exists(run.pid or 0), "the run goes on without daemon and fork server"
    workspace.run_until_idle()
    ended = workspace.runs()[run.id]
    assert claim_of(workspace, run)["forked"] is True
    assert (ended.pid, ended.adopted, ended.outcome, ended.exit_code) == (run.pid, 1, "finished", 0)
    assert Counter(what for what, of, _ in workspace.ledger() if of == run.id) == {"start": 1, "end": 1}


def test_a_killed_fork_server_leaves_its_run_alive_and_the_next_one_starts_without_it(workspace: Workspace) -> None:
    start_forking(workspace)
    workspace.drop("long.yaml", campaign("long", trials=1, train_s=2.0))
    run = workspace.wait_for_run("running")
    os.kill(servers(workspace)[0], signal.SIGKILL)
    wait_until(lambda: len(workspace.records("closed")) == 2, 30.0)
    ended = workspace.runs()
    assert ended[run.id].outcome == "finished" and ended[run.id].exit_code == 0
    after = [r for r in ended.values() if r.campaign == run.campaign and r.id != run.id]
    assert after and {r.outcome for r in after} == {"finished"}
    first = min(after, key=lambda r: r.queued_at)
    assert [claim_of(workspace, r)["forked"] for r in (run, first)] == [True, False]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_the_true_signal_of_a_forked_run_is_known_though_the_daemon_was_down(workspace: Workspace, number: int) -> None:
    first = start_forking(workspace)
    workspace.drop("a.yaml", campaign("signal", trials=1, mode="hang"))
    run = workspace.wait_for_run("running")
    workspace.kill(first)
    worker_of(run).send_signal(number)
    wait_until(lambda: (workspace.layout.run(run.id) / "exit.json").exists(), 10.0)
    workspace.run_until_idle()
    ended = workspace.runs()[run.id]
    assert (ended.outcome, ended.signal, ended.exit_code) == ("failed", number, None)


def test_an_error_in_a_forked_worker_is_in_its_log(workspace: Workspace) -> None:
    start_forking(workspace)
    workspace.drop("a.yaml", campaign("raises", trials=1, mode="raise"))
    run = wait_until(lambda: next((r for r in workspace.runs().values() if r.outcome == "failed"), None), 30.0)
    assert claim_of(workspace, run)["forked"] is True and run.exit_code == 1
    assert "ValueError: the fake trainer was told to fail" in (workspace.layout.run(run.id) / "worker.log").read_text()


def test_a_killed_shim_is_a_lost_run_whose_forked_worker_is_swept(workspace: Workspace) -> None:
    start_forking(workspace)
    workspace.drop("a.yaml", campaign("lost", trials=1, train_s=1.5))
    run = workspace.wait_for_run("running")
    worker = worker_of(run)
    os.kill(run.pid or 0, signal.SIGKILL)
    again = run.id.replace("-a1", "-a2")
    runs = wait_until(lambda: runs if (r := (runs := workspace.runs()).get(again)) and r.outcome else None, 30.0)
    assert runs[run.id].outcome == "lost" and has_ended(worker)
    assert runs[again].outcome == "finished"


@pytest.mark.parametrize("mode", ["deaf", "children"])
def test_a_hostile_forked_worker_is_gone_after_the_ladder(workspace: Workspace, mode: str) -> None:
    start_forking(workspace)
    workspace.drop("a.yaml", campaign("hostile", trials=1, mode=mode, train_s=60.0))
    run = workspace.wait_for_run("running")
    wait_until(lambda: [entry for entry in workspace.ledger() if entry[1] == run.id], 10.0)
    below = psutil.Process(run.pid).children(recursive=True)
    send_command(workspace.layout, "cancel", {"id": run.campaign}, principal="test")
    wait_until(lambda: workspace.runs()[run.id].outcome == "stopped", 30.0)
    assert [process for process in below if not has_ended(process)] == []


def test_two_shims_of_one_launch_start_one_worker(workspace: Workspace, launcher: LocalLauncher) -> None:
    for number in range(5):
        run = a_run(f"twice-{number}")
        folder = workspace.layout.run(run.id)
        launcher.start(run)  # forked; and as if the answer had been lost:
        second = launcher._spawn(run, folder)
        wait_until(lambda folder=folder: (folder / "exit.json").exists(), 10.0)
        second.wait(10)
        assert Counter(what for what, of, _ in workspace.ledger() if of == run.id) == {"start": 1, "end": 1}


def test_a_forked_shim_that_loses_the_claim_starts_nothing(workspace: Workspace, launcher: LocalLauncher) -> None:
    run = a_run("fenced")
    folder = workspace.layout.run(run.id)
    folder.mkdir(parents=True)
    shim.write_once(str(folder / "claim"), {"version": 1, "by": "daemon", "token": run.token, "at": 0.0})
    launcher.start(run)
    wait_until(lambda: launcher._shims[run.token].poll() is not None, 10.0)
    wait_until(lambda: not alive_with(run.token), 10.0)
    assert not (folder / "exit.json").exists() and not is_locked(folder / "alive.lock")
    assert all(of != run.id for _, of, _ in workspace.ledger())


def test_a_fork_server_that_does_not_answer_is_replaced(workspace: Workspace, launcher: LocalLauncher) -> None:
    server = psutil.Process(servers(workspace)[-1])
    server.suspend()
    run = a_run("unanswered")
    launcher.start(run)
    wait_until(lambda: (workspace.layout.run(run.id) / "exit.json").exists(), 20.0)
    assert claim_of(workspace, run)["forked"] is False
    assert not server.is_running() and launcher.fork_server_pid != server.pid


def test_code_that_was_installed_anew_is_not_served(tmp_path: Path) -> None:
    module = tmp_path / "some_library.py"
    module.write_text("VERSION = 1\n")
    log = tmp_path / "server.log"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    server = ForkServer(environment=environment, log=log)
    server._command.append(module.stem)
    try:
        request = (tmp_path, [sys.executable, "-c", ""], {"VBOTD_TOKEN": "a"})
        wait_until(lambda: server.fork(*request), 30.0)
        module.write_text("VERSION = 12\n")
        old = server.pid
        assert server.fork(*request) is None
        assert server.pid not in (None, old), "another one loads the new code"
    finally:
        server.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fork_servers_killed_at_random_moments_lose_and_double_nothing(workspace: Workspace) -> None:
    random.seed(20261125)
    start_forking(workspace)
    workspace.drop("many.yaml", campaign("many", trials=6, train_s=0.05))
    for kills in range(1, SERVER_KILLS + 1):
        server = servers(workspace, kills)[-1]
        until = time.monotonic() + random.uniform(0.0, 1.0)
        wait_until(lambda until=until: time.monotonic() > until, 5.0)
        os.kill(server, signal.SIGKILL)
        workspace.drop(f"more-{kills}.yaml", campaign(f"more-{kills}", trials=1, train_s=0.05))
    wait_until(lambda: len(workspace.records("closed")) == SERVER_KILLS + 2, 200.0)
    ledger = workspace.ledger()
    runs = workspace.runs()
    assert {run.outcome for run in runs.values()} == {"finished"}
    for word in ("start", "end"):
        assert Counter(of for what, of, _ in ledger if what == word) == dict.fromkeys(runs, 1)
    forked = Counter(claim_of(workspace, run)["forked"] for run in runs.values() if run.launch == 1)
    assert forked[True] and forked[False], "both ways were taken"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_forked_training_has_the_weights_of_a_spawned_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delenv(forking.PRELOAD, raising=False)
    workspace = make_workspace(tmp_path)
    launcher = LocalLauncher(workspace.layout, fork_server="auto")
    spec = {"entry": "vbotd.train.worker:train", "task": "vbot_walk_flat", "params": {},
            "train": {"env_steps": 1000, "num_envs": 16}}
    weights = {}
    try:
        for name in ("spawned", "forked"):
            run = Run(id=f"c/t001/{name}", campaign="c", trial="c/t001", kind="train", spec=spec, seed=1, attempt=1,
                      status="launching", queued_at=0.0, token=secrets.token_hex(16), threads=1, launch=1)
            launcher.start(run)
            folder = workspace.layout.run(run.id)
            wait_until(lambda folder=folder: (folder / "exit.json").exists(), 120.0)
            saved = max((folder / "checkpoints").glob("ckpt_*.pt"))
            weights[claim_of(workspace, run)["forked"]] = torch.load(saved, weights_only=False)["policy"]
            servers(workspace)
    finally:
        launcher.close()
    assert weights[False].keys() == weights[True].keys()
    assert all(torch.equal(value, weights[True][key]) for key, value in weights[False].items())


def alive_with(token: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VBOTD_TOKEN") == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
