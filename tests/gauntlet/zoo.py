"""Fourteen kinds of hostile worker, and more: each is gone in time, leaves no process, and the daemon lives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.gauntlet import beasts
from tests.gauntlet.adoption import BEAST, runs_of
from tests.gauntlet.kills import tidy
from tests.gauntlet.row import Row, Trial
from tests.waiting import wait_until
from vbotd.chaos.killing import open_campaigns, run_processes
from vbotd.chaos.scratch import Scratch
from vbotd.daemon.housekeeping import LOG_BYTES
from vbotd.domain.trial import Run
from vbotd.store.inbox import send_command

TERM_S, KILL_S = 1.0, 2.0  # from the request to SIGTERM, and to SIGKILL: the grace time
BAR_S = KILL_S + 2.0
CONFIG = ("slots: 32\nfork_server: never\nmax_attempts: 1\ncrash_calm_s: 0\n"
          f"stop_term_s: {TERM_S}\nstop_kill_s: {KILL_S}\n")
PATIENCE_S = 180.0
REUSES = 200
CHEAP = ("deaf", "double_fork", "segfault", "exit_0_without_result", "nan_result", "kills_shim", "deletes_folder")
TOLD = {  # how the store has to tell the end of each, where it is the worker's own doing
    "spam": "finished", "segfault": "failed", "exit_0_without_result": "failed", "exit_7": "failed",
    "huge_result": "failed", "nan_result": "failed", "kills_shim": "lost", "memory": "failed", "deletes_folder": "lost"}


def hostile_workers(trial: Trial) -> Row:
    """Run all kinds at once; cancel those that would never end."""
    kinds = (*beasts.CANCELLED, *beasts.ENDED) if trial.share >= 0.5 else CHEAP
    home = trial.folder / "w"
    home.mkdir()
    scratch = Scratch(home, plugin=Path(beasts.__file__), config=CONFIG, forked=True)
    wrong: list[str] = []
    try:
        for kind in kinds:
            (scratch.layout.inbox / f"{_name(kind)}.yaml").write_text(BEAST.format(name=_name(kind), kind=kind))
        daemon = scratch.start()
        begun = wait_until(lambda: _begun(scratch, len(kinds)), PATIENCE_S)
        asked = time.monotonic()
        for kind in set(kinds) & set(beasts.CANCELLED):
            if kind != "deletes_folder":
                send_command(scratch.layout, "cancel", {"id": begun[_name(kind)].campaign}, principal="gauntlet")
        gone_s = _watch(scratch, {run.token: name for name, run in begun.items()}, asked)
        wait_until(lambda: not open_campaigns(scratch) and not any(run.is_live for run in runs_of(scratch)), PATIENCE_S)
        lived = daemon.poll() is None
        ended = {run.campaign.rsplit("-", 1)[0]: run for run in runs_of(scratch) if run.kind == "train"}
        for kind in kinds:
            is_so, wanted = ended[_name(kind)].outcome, TOLD.get(kind, "stopped")
            if is_so != wanted:
                wrong.append(f"{kind}: told {is_so}, was {wanted} ({ended[_name(kind)].reason})")
        logs = [path for path in scratch.layout.runs.rglob("worker.log") if path.stat().st_size > LOG_BYTES]
        wrong += [f"{path}: {path.stat().st_size >> 20} MB of log are kept" for path in logs]
        wrong += [f"stray process {process.pid} of {process.environ().get('VBOTD_TOKEN')}"
                  for process in run_processes(scratch)]
    finally:
        tidy(scratch)
    if not lived:
        wrong.append("the daemon died")
    slowest = max((seconds, name) for name, seconds in gone_s.items())
    return Row(name="hostile workers", bar=f"gone within the grace time + 2 s = {BAR_S:g} s, none left, daemon lives",
               ok=not wrong and slowest[0] <= BAR_S, failures=tuple(wrong[:5]),
               figure=f"{len(kinds)} kinds at once; of {len(gone_s)} that were cancelled the slowest ({slowest[1]}) "
               f"was gone after {slowest[0]:.1f} s; {len(wrong)} wrong")


def reused_pids(trial: Trial) -> Row:
    """Give a dead shim's pid to a foreign process, in a pid namespace, and press the run to end."""
    name, bar = "reused pids", "no foreign process signalled"
    count = trial.times(REUSES, 5)
    if shutil.which("unshare") is None or subprocess.run(
            ["unshare", "-pf", "--mount-proc", "true"], capture_output=True).returncode != 0:
        return Row(name=name, bar=bar, ok=True, figure="left out: this machine lets us make no pid namespace")
    done = subprocess.run(
        ["unshare", "-pf", "--mount-proc", sys.executable, "-m", "tests.gauntlet.reuse", str(trial.folder), str(count)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], env={**os.environ})
    if done.returncode != 0:
        return Row(name=name, bar=bar, ok=False, figure="no result", failures=(done.stderr[-500:],))
    said = json.loads(done.stdout)
    return Row(name=name, bar=bar, ok=said["reused"] == count and not said["signalled"],
               failures=tuple(f"pid {pid} was signalled" for pid in said["signalled"][:5]),
               figure=f"{said['reused']} of {count} pids reused by force; {len(said['signalled'])} foreign processes "
               "signalled")


def _name(kind: str) -> str:
    return kind.replace("_", "-")


def _begun(scratch: Scratch, count: int) -> dict[str, Run]:
    """Return the training run of each kind, by its campaign's name, once all have begun."""
    started = {run for what, run, _ in scratch.ledger() if what == "start"}
    runs = {run.campaign.rsplit("-", 1)[0]: run for run in runs_of(scratch)
            if run.kind == "train" and run.id in started}
    return runs if len(runs) == count else {}


def _watch(scratch: Scratch, names: dict[str, str], asked: float) -> dict[str, float]:
    """Return after how many seconds the last process of each run that was cancelled is gone."""
    gone: dict[str, float] = {}
    waiting = {name for name in names.values() if name.replace("-", "_") in beasts.CANCELLED}
    while waiting - gone.keys() and time.monotonic() < asked + PATIENCE_S:
        alive = {names.get(token, "") for process in run_processes(scratch) if (token := _token(process))}
        for name in waiting - alive - gone.keys():
            gone[name] = time.monotonic() - asked
        time.sleep(0.02)
    return gone | dict.fromkeys(waiting - gone.keys(), PATIENCE_S)


def _token(process: psutil.Process) -> str:
    try:
        return process.environ().get("VBOTD_TOKEN", "")
    except psutil.Error:
        return ""
