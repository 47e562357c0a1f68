"""Killing things: a daemon that dies and comes back, workers that will not end, nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter

import psutil
import pytest

from tests.daemon.workspace import Workspace, campaign
from tests.waiting import has_ended, wait_until
from vbotd.store.inbox import send_command

KILLS = 100


def test_a_killed_daemon_adopts_its_run_and_starts_nothing_twice(workspace: Workspace) -> None:
    workspace.drop("long.yaml", campaign("long", trials=1, train_s=3.0))
    first = workspace.start("--until-idle")
    run = workspace.wait_for_run("running")
    workspace.kill(first)
    assert psutil.pid_exists(run.pid or 0), "the run goes on without its daemon"
    workspace.run_until_idle()
    ended = workspace.runs()[run.id]
    assert (ended.pid, ended.adopted, ended.outcome, ended.exit_code) == (run.pid, 1, "finished", 0)
    assert Counter(what for what, of, _ in workspace.ledger() if of == run.id) == {"start": 1, "end": 1}
    started = workspace.events("DaemonStarted")
    assert [event.clean for event in started] == [True, False]
    assert "died" in workspace.layout.wake_up.read_text(), "the report says that it happened"


def test_a_run_that_ends_while_the_daemon_is_down_keeps_its_true_exit_code(workspace: Workspace) -> None:
    workspace.drop("a.yaml", campaign("segv", trials=1, mode="hang"))
    first = workspace.start("--until-idle")
    run = workspace.wait_for_run("running")
    workspace.kill(first)
    worker = psutil.Process(run.pid).children()[0]
    worker.send_signal(signal.SIGSEGV)
    wait_until(lambda: (workspace.layout.run(run.id) / "exit.json").exists(), 10.0)
    workspace.run_until_idle()
    ended = workspace.runs()[run.id]
    assert (ended.outcome, ended.signal, ended.exit_code) == ("failed", signal.SIGSEGV, None)


def test_sigterm_leaves_the_runs_alive_and_ends_in_time(workspace: Workspace) -> None:
    workspace.drop("long.yaml", campaign("long", trials=1, train_s=2.0))
    daemon = workspace.start("--until-idle")
    run = workspace.wait_for_run("running")
    daemon.terminate()
    assert daemon.wait(10) == 0
    assert psutil.pid_exists(run.pid or 0)
    stopped, = workspace.events("DaemonStopped")
    assert stopped.left_running == 1 and "SIGTERM" in stopped.why
    workspace.run_until_idle()
    assert workspace.runs()[run.id].outcome == "finished"


def test_a_killed_shim_is_a_lost_run_whose_tree_is_swept_and_which_is_tried_again(workspace: Workspace) -> None:
    workspace.drop("a.yaml", campaign("lost", trials=1, train_s=1.5))
    daemon = workspace.start("--until-idle")
    run = workspace.wait_for_run("running")
    worker = psutil.Process(run.pid).children()[0]
    os.kill(run.pid or 0, signal.SIGKILL)
    assert daemon.wait(30) == 0, workspace.out()
    runs = workspace.runs()
    assert runs[run.id].outcome == "lost" and has_ended(worker)
    assert runs[run.id.replace("-a1", "-a2")].outcome == "finished"


@pytest.mark.parametrize("mode", ["deaf", "children"])
def test_a_hostile_worker_is_gone_after_the_ladder(workspace: Workspace, mode: str) -> None:
    workspace.layout.config.write_text("stop_term_s: 0.5\nstop_kill_s: 1\n")
    workspace.drop("a.yaml", campaign("hostile", trials=1, mode=mode, train_s=60.0))
    daemon = workspace.start("--until-idle")
    run = workspace.wait_for_run("running")
    wait_until(lambda: workspace.ledger(), 10.0)
    send_command(workspace.layout, "cancel", {"id": run.campaign}, principal="test")
    assert daemon.wait(30) == 0, workspace.out()
    assert workspace.runs()[run.id].outcome == "stopped"
    assert _alive_with(run.token) == []


def test_a_second_daemon_is_refused_and_says_who_holds_the_workspace(workspace: Workspace) -> None:
    first = workspace.start()
    wait_until(lambda: workspace.events("DaemonStarted"), 10.0)
    second = workspace.start()
    assert second.wait(20) == 1
    assert f"pid {first.pid}" in workspace.out()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_at_random_moments_lose_and_double_nothing(workspace: Workspace) -> None:
    random.seed(20261123)
    workspace.layout.config.write_text("crash_calm_s: 0\n")
    for name in ("one", "two", "three"):
        workspace.drop(f"{name}.yaml", campaign(name, trials=12, train_s=0.05))
    kills = 0
    while kills < KILLS:
        daemon = workspace.start("--until-idle")
        try:
            assert daemon.wait(random.uniform(0.25, 1.6)) == 0, workspace.out()
        except subprocess.TimeoutExpired:
            workspace.kill(daemon)
            kills += 1
            continue
        workspace.drop(f"more-{kills}.yaml", campaign(f"more-{kills}", trials=4, train_s=0.05))
    workspace.run_until_idle(120.0)
    ledger = workspace.ledger()
    starts = Counter(run for what, run, _ in ledger if what == "start")
    ends = Counter(run for what, run, _ in ledger if what == "end")
    runs = workspace.runs()
    assert set(starts) == {run.id for run in runs.values() if run.launch}, "nothing ran that the store does not know"
    assert max(starts.values()) == 1 and max(ends.values()) == 1, "nothing was started twice"
    assert {run.outcome for run in runs.values()} == {"finished"}, "nothing was lost"
    records = workspace.read().records()
    assert {record.outcome for record in records} == {"finished"}
    wanted = sum(record.content.budget.trials for record in records)
    assert sum(run.kind == "train" for run in runs.values()) == wanted
    assert starts == ends


def _alive_with(token: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VBOTD_TOKEN") == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
