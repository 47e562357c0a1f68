"""Kill the daemon, a shim, a worker or all of them at random moments, again and again, and start anew each time."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from vbotd.chaos.scratch import Daemon, Scratch
from vbotd.errors import StoreError, VbotdError
from vbotd.store.inbox import send_command
from vbotd.store.read import Reader

VICTIMS = ("daemon", "shim", "worker", "all")
WEIGHTS = (6, 2, 2, 1)
SHORTEST_S, LONGEST_S = 0.05, 1.6  # between a start and a kill; a start takes about a second
SETTLE_S = 300.0
TRIALS = 6

Told = Callable[[int, int], None]


def kill_again_and_again(scratch: Scratch, kills: int, seed: int, told: Told = lambda done, of: None, *,
                         longest_s: float = LONGEST_S) -> Counter[str]:
    """Kill so many times, let the daemon finish what is left, and return how often each kind of victim was hit.

    `longest_s` is the longest time between a start and a kill.

    Raises: VbotdError when the daemon does not finish in five minutes after the last kill.
    """
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    dropped = 0
    while done.total() < kills:
        if dropped - closed_campaigns(scratch) < 2:
            dropped += 1
            scratch.drop(f"night-{dropped:03d}", trials=TRIALS, train_s=dice.choice((0.02, 0.1, 0.6)))
        daemon = scratch.daemon
        if daemon is None or daemon.poll() is not None:
            daemon = scratch.start()
        time.sleep(dice.uniform(SHORTEST_S, longest_s))
        victim = dice.choices(VICTIMS, WEIGHTS)[0]
        if hit(scratch, daemon, victim, dice):
            done[victim] += 1
            told(done.total(), kills)
        resume_paused(scratch)
    settle(scratch)
    return done


def hit(scratch: Scratch, daemon: Daemon, victim: str, dice: random.Random) -> bool:
    """Kill one victim with SIGKILL; False where there is none of the kind just now."""
    runs = [process for process in run_processes(scratch) if process.pid != daemon.pid]
    shims = [process for process in runs if "shims" in " ".join(_command(process))]
    workers = [process for process in runs if process not in shims]
    targets = {"shim": shims, "worker": workers, "all": runs, "daemon": []}[victim]
    if victim in ("shim", "worker"):
        if not targets:
            return False
        targets = [dice.choice(targets)]
    for process in targets:
        with suppress(psutil.Error):
            process.kill()
    if victim in ("daemon", "all"):
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
    return True


def run_processes(scratch: Scratch) -> list[psutil.Process]:
    """Return the shims and workers of this workspace, by the token that each of them carries."""
    home = str(scratch.layout.home)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environ = process.environ()
            if environ.get("VBOTD_HOME") == home and environ.get("VBOTD_TOKEN") \
                    and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def open_campaigns(scratch: Scratch) -> list[str]:
    """Return the campaigns that are not closed."""
    try:
        with Reader(scratch.layout.store) as reader:
            return [record.id for record in reader.records("open", "closing", "paused")]
    except StoreError:  # there is none yet
        return []


def closed_campaigns(scratch: Scratch) -> int:
    """Return how many campaigns have come to their end."""
    try:
        with Reader(scratch.layout.store) as reader:
            return len(reader.records("closed"))
    except StoreError:
        return 0


def resume_paused(scratch: Scratch) -> None:
    """Let campaigns go on that were paused since three of their trials had been killed in a row."""
    with suppress(StoreError), Reader(scratch.layout.store) as reader:
        for record in reader.records("paused"):
            key = f"chaos-{record.id}-{record.forgiven}-{len(reader.trials(record.id))}"
            send_command(scratch.layout, "resume", {"id": record.id}, principal="chaos", key=key)


def settle(scratch: Scratch) -> None:
    """Let a daemon finish everything that is left. Raises: VbotdError when it does not."""
    until = time.monotonic() + SETTLE_S
    if scratch.daemon is None or scratch.daemon.poll() is not None:
        scratch.start()
    while open_campaigns(scratch) or any(scratch.layout.inbox.glob("*.yaml")):
        if time.monotonic() > until:
            raise VbotdError(f"{scratch.layout.home}: not finished {SETTLE_S:.0f} s after the last kill; the workspace "
                             "is kept: look into state/vbotd.log there")
        resume_paused(scratch)
        time.sleep(0.1)
    assert scratch.daemon is not None
    scratch.daemon.terminate()
    scratch.daemon.wait()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
