"""How long from a start after SIGKILL to the first finished tick, with ten thousand trials behind it?"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from tests import stories
from tests.gauntlet.kills import tidy
from tests.gauntlet.row import Row, Trial, percentile
from vbotd.chaos.scratch import Scratch
from vbotd.domain import event as e
from vbotd.domain.event import Event
from vbotd.store.events import EventStore

TRIALS = 10_000
TRIALS_A_CAMPAIGN = 100
STARTS = 50
BAR_S = 2.0
PATIENCE_S = 60.0
IMPORTS = 3


def recovery(trial: Trial) -> Row:
    """Kill a daemon again and again at its first ticks, and time the next one until it has finished one."""
    trials = trial.times(TRIALS, 100)
    home = trial.folder / "w"
    home.mkdir()
    scratch = Scratch(home, forked=True)
    fill(scratch, trials)
    scratch.drop("live", trials=50, train_s=0.2)  # some are live whenever the daemon dies
    times = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            name = f"vbotd-gauntlet-{secrets.token_hex(6)}"
            ear.bind(f"\0{name}")
            ear.settimeout(PATIENCE_S)
            for number in range(trial.times(STARTS, 3)):
                began = time.monotonic()
                daemon = scratch.start(environment={"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1"})
                while ear.recv(100) != b"WATCHDOG=1":
                    continue
                times.append(time.monotonic() - began)
                time.sleep(0.1 * (number % 8))
                daemon.kill()
                daemon.wait()
                hush(ear)
    finally:
        tidy(scratch)
    p99 = percentile(times, 0.99)
    return Row(name="recovery", bar=f"first tick < {BAR_S:g} s at the 99th percentile", ok=p99 < BAR_S,
               figure=f"{p99:.2f} s at the 99th percentile (median {percentile(times, 0.5):.2f} s) of {len(times)} "
               f"starts after SIGKILL with {trials:,} trials in history; the imports before it {imports_s():.2f} s")


def hush(ear: socket.socket) -> None:
    """Forget what the daemon said that is dead now."""
    ear.settimeout(0.0)
    try:
        while True:
            ear.recv(100)
    except BlockingIOError:
        ear.settimeout(PATIENCE_S)


def imports_s() -> float:
    """Return the shortest of a few times that a fresh interpreter needs to load the daemon."""
    times = []
    for _ in range(IMPORTS):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import vbotd.cli.run, vbotd.daemon.process"], check=True,
                       env={**os.environ})
        times.append(time.monotonic() - began)
    return min(times)


def fill(scratch: Scratch, trials: int) -> None:
    """Put so many finished trials into the store, a campaign in each commit."""
    with closing(EventStore(scratch.layout.store)) as store:
        for number in range(max(1, trials // TRIALS_A_CAMPAIGN)):
            events = tuple(event for _, event in history(number, min(trials, TRIALS_A_CAMPAIGN)))
            store.commit(events, stories.EVENING + 1000 * number)


def history(number: int, trials: int) -> Iterator[tuple[float, Event]]:
    """Yield the events of a closed campaign, as the stories of the other tests tell them."""
    campaign = f"past{number:04d}-1123"
    content: Any = stories.flat_night(name=f"past{number:04d}")
    accepted = e.CampaignAccepted(campaign=campaign, content=content, sha256=f"{number:064x}", text="",
                                  file="past.yaml", submitted_by="inbox")
    at = stories.EVENING + 1000 * number
    yield at, accepted
    for each in range(1, trials + 1):
        for when, event in stories._trial(at, campaign, each, 1e-4 * each, score=stories._rate(0.9, 0.85, 0.94)):
            yield when, renamed(event, campaign)
    yield at, e.CampaignClosing(campaign=campaign, why="all trials are done")
    yield at, e.CampaignClosed(campaign=campaign, outcome="finished", champion=f"{campaign}/t001",
                               why="all trials are done")


def renamed(event: Event, campaign: str) -> Event:
    """Give a launch a token of its own: those of the stories are cut from the run's id, and these are many."""
    if isinstance(event, e.RunLaunched):
        return replace(event, token=event.run.replace("/", "-"))
    return event
