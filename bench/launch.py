"""How long from the order to start a run until it has done its work, where there is next to none?

    python bench/launch.py [--task vbot_walk_flat] [--runs 5] [--threads 1]

The runs are started as the daemon starts them, by its own launcher: in the ordinary way (an interpreter that loads
torch and mujoco), and as copies of the fork server. Each trains one iteration with 16 environments, saves a checkpoint
and ends. The two ways take turns; medians and fastest are shown, and what memory the fork server holds.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from vbotd.daemon.launch import LocalLauncher, tail
from vbotd.domain.trial import Run
from vbotd.layout import Layout

POLL_S = 0.005
READY_S = 120.0


def main() -> None:
    """Measure, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="vbot_walk_flat")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="vbotd-bench-") as home:
        layout = Layout(Path(home))
        layout.make()
        ways = {"spawned": LocalLauncher(layout), "forked": LocalLauncher(layout, fork_server="auto")}
        wait_for_server(ways["forked"], layout, asked)
        server = psutil.Process(ways["forked"].fork_server_pid)
        took: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(asked.runs):
            for name, launcher in ways.items():
                took[name].append(seconds(launcher, layout, a_run(f"{name}-{number}", asked)))
                print(f"{name:<10}{took[name][-1]:>8.2f} s", file=sys.stderr, flush=True)
        assert all(is_forked(layout, f"forked-{number}") for number in range(asked.runs)), "a fork server fell over"
        memory = server.memory_full_info()
        for launcher in ways.values():
            launcher.close()
    print(json.dumps({"bench": "launch", "task": asked.task, "threads": asked.threads, "load_before": round(load, 2),
                      "server_pss_mb": round(memory.pss / 2**20)}
                     | {f"{name}_{what}_s": round(of(times), 3) for name, times in took.items()
                        for what, of in (("median", statistics.median), ("fastest", min))}))


def a_run(name: str, asked: argparse.Namespace) -> Run:
    """Return a launched run of one iteration."""
    spec = {"entry": "vbotd.train.worker:train", "task": asked.task, "params": {},
            "train": {"env_steps": 16, "num_envs": 16}}
    return Run(id=f"bench/t001/{name}", campaign="bench", trial="bench/t001", kind="train", spec=spec, seed=1,
               attempt=1, status="launching", queued_at=time.time(), token=secrets.token_hex(16),
               threads=asked.threads, launch=1, launched_at=time.time())


def seconds(launcher: LocalLauncher, layout: Layout, run: Run) -> float:
    """Start a run, wait until its shim has written how it ended, and return how long that took."""
    begun = time.perf_counter()
    launcher.start(run)
    while (seen := launcher.look(run)).exit is None:
        if seen.swept:
            raise SystemExit(f"{run.id} was lost — {tail(layout.run(run.id) / 'shim.log')}")
        time.sleep(POLL_S)
    took = time.perf_counter() - begun
    if seen.exit.exit_code != 0:
        raise SystemExit(f"{run.id} ended with {seen.exit} — {tail(layout.run(run.id) / 'worker.log')}")
    launcher.tend()
    return took


def wait_for_server(launcher: LocalLauncher, layout: Layout, asked: argparse.Namespace) -> None:
    """Run in the ordinary way, as the first runs always do, until one is forked."""
    begun, number = time.perf_counter(), 0
    while not is_forked(layout, f"warm-up-{number}"):
        if time.perf_counter() - begun > READY_S:
            raise SystemExit(f"no fork server within {READY_S:g} s — {tail(layout.fork_server_log)}")
        number += 1
        seconds(launcher, layout, a_run(f"warm-up-{number}", asked))


def is_forked(layout: Layout, name: str) -> bool:
    """Say whether a run was a copy of the fork server."""
    claim = layout.run(f"bench/t001/{name}") / "claim"
    return claim.exists() and json.loads(claim.read_text())["forked"] is True


if __name__ == "__main__":
    main()
