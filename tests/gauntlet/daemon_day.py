"""The daemon itself under a fake clock: its own loop, store, plugin host, views, backups and retention, for a day.

Only two things are pretended: the clock, which moves when the loop would wait, and the place where runs execute, which
leaves the folders that real runs leave. Between two ticks the world does what a day does to a daemon: campaigns
arrive, disks fill up, writes and commits fail, the daemon is killed; and what must stay flat is looked at.
"""

from __future__ import annotations

import gc
import os
import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil

from tests.gauntlet.flat import KEEP_GB, SLOTS, Flat, Lived, broken, size_of
from tests.gauntlet.pretended_runs import CHECKPOINT_BYTES, PretendedRuns
from vbotd import failpoint
from vbotd.chaos.killing import resume_paused
from vbotd.chaos.scratch import Scratch
from vbotd.daemon import loop
from vbotd.daemon.housekeeping import EVERY_S, Housekeeping
from vbotd.daemon.watching import Watching
from vbotd.errors import StoreError
from vbotd.store.configuration import read_config
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.read import Reader

DAY_S = 86400.0
STEP_S = 20.0  # between two ticks; the report is due every half minute
CONFIG = f"slots: {SLOTS}\nfork_server: never\ncrash_calm_s: 0\nkeep_gb: {KEEP_GB}\nwatch: polling\n"
CAMPAIGN_TRIALS = 12
OPEN = 2
FAULTS_A_DAY = 32  # of a shorter day, ten at least
FAULTS = ("kill", "kill", "no room for commits", "a commit fails", "a write fails", "an fsync fails", "the disk is low")
RULES = {"no room for commits": "commit.before_end=ENOSPC@1+", "a commit fails": "commit.after_events=EIO",
         "a write fails": "write.before_rename=EIO", "an fsync fails": "write.before_fsync=ENOSPC"}
LONGEST_TRAINING = 1 / 24  # of the day
ENOUGH_BYTES, LITTLE_BYTES = 100 << 30, 12 << 20


class Killed(BaseException):
    """The daemon ends here without a word; nothing in it may catch this."""


class Over(BaseException):
    """The day is over."""


class World:
    """Everything around the daemon. It takes the place of the event that the loop waits for."""

    def __init__(self, folder: Path, seconds: float, seed: int) -> None:
        self.scratch = Scratch(folder, config=CONFIG)
        self.layout = self.scratch.layout
        self.dice = random.Random(seed)
        self.now = self.began = time.time()
        self.until = self.began + seconds
        self.runs = PretendedRuns(self.layout, self.dice, lambda: self.now, longest_s=LONGEST_TRAINING * seconds)
        self.flat, self.faults = Flat(), Counter[str]()
        self.ticks = self.daemons = self.dropped = 0
        self.free = ENOUGH_BYTES
        self.fault_every = seconds / max(10.0, FAULTS_A_DAY * seconds / DAY_S)
        self.next_fault, self.fault_ends, self.cared_at, self.measured_at = self.now + self.fault_every, 0.0, 0.0, 0.0
        self.daemon: loop.Daemon | None = None

    # What the loop waits for.

    def wait(self, timeout: float | None = None) -> bool:
        """Let time pass, and the world go on."""
        assert self.daemon is not None
        if self.daemon._questions.catalogue is None:  # the plugin host starts in real time
            time.sleep(0.005)
            return True
        self.ticks += 1
        self.look()
        self.pass_by(STEP_S)
        if self.now >= self.until:
            raise Over
        self.arrive()
        self.harm()
        self.care()
        return True

    def set(self) -> None:
        """Wake the loop, which never sleeps here."""

    def clear(self) -> None:
        """Forget that the loop was woken."""

    def pass_by(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds

    # What happens.

    def arrive(self) -> None:
        """Hand campaigns in, so that a few are always open, and let paused ones go on."""
        assert self.daemon is not None
        waiting = len(list(self.layout.inbox.glob("*.yaml")))
        if waiting + len(self.daemon.state.campaigns) < OPEN:
            self.dropped += 1
            self.scratch.drop(f"night-{self.dropped:04d}", trials=CAMPAIGN_TRIALS)
        if self.ticks % 360 == 0:
            resume_paused(self.scratch)

    def harm(self) -> None:
        """End a fault that has lasted, and begin another one when it is time."""
        if self.fault_ends and self.now >= self.fault_ends:
            self.heal()
        if self.now < self.next_fault:
            return
        what = FAULTS[self.faults.total() % len(FAULTS)]
        self.faults[what] += 1
        self.next_fault = self.now + self.fault_every * self.dice.uniform(0.5, 1.5)
        if what == "kill":
            raise Killed
        self.fault_ends = self.now + self.fault_every / 4
        if what == "the disk is low":
            self.free = LITTLE_BYTES
        else:
            failpoint.arm(self.layout.home, {failpoint.VARIABLE: RULES[what]})

    def heal(self) -> None:
        """End the fault."""
        self.fault_ends, self.free = 0.0, ENOUGH_BYTES
        failpoint.arm(self.layout.home, {})

    def care(self) -> None:
        """Do what the housekeeping's thread does, when it would."""
        assert self.daemon is not None
        if self.now - self.cared_at >= EVERY_S:
            self.cared_at = self.now
            care = self.daemon._housekeeping
            capped_at = care._capped_at
            with suppress(OSError):  # as its thread does: what fails is tried again
                care._round(self.now)
            if care._capped_at != capped_at:
                self.flat.capped_bytes = max(self.flat.capped_bytes, size_of(self.layout.runs))

    # What must stay flat.

    def look(self) -> None:
        """Measure what must stay flat."""
        flat = self.flat
        flat.descriptors[len(os.listdir("/proc/self/fd"))] += 1
        with suppress(UnreadableFile):
            report = read_json(self.layout.wake_up_json, max_bytes=1 << 24)
            flat.stale_s = max(flat.stale_s, round(self.now - (report or {"at": self.began})["at"], 3))
        if self.now - self.measured_at >= 600.0:
            self.measured_at = self.now
            flat.runs_bytes = max(flat.runs_bytes, size_of(self.layout.runs))
            flat.backups = max(flat.backups, len(list(self.layout.backups.glob("*.db"))))
            flat.archived = max(flat.archived, len(list(self.layout.wake_up_archive.glob("*.md"))))
            gc.collect()
            flat.memory.append(psutil.Process().memory_info().rss)


def live(folder: Path, seconds: float, seed: int) -> Lived:
    """Let daemons live through so many seconds, one after the other; for a process of its own, whose clock is taken."""
    folder.mkdir()
    world = World(folder, seconds, seed)
    os.environ |= {"VBOTD_HOME": str(world.layout.home), "VBOTD_PLUGINS": "chaos"}
    loop.time = SimpleNamespace(time=lambda: world.now, sleep=world.pass_by)  # type: ignore[assignment]
    loop.free_bytes = lambda layout: world.free
    over = False
    while not over:
        over = one_daemon(world)
        world.heal()
    with Reader(world.layout.store) as reader:
        records = reader.records()
        trials = sum(trial.judged for record in records for trial in reader.trials(record.id))
        champions = [run.checkpoint.path for record in records if record.status == "closed" and record.champion
                     for run in reader.runs(record.id) if run.trial == record.champion and run.checkpoint]
    gone = [path for path in champions if not (world.layout.runs / path).exists()]
    made = world.runs.checkpoints * CHECKPOINT_BYTES
    lived = Lived(seconds=world.now - world.began, ticks=world.ticks, trials=trials, daemons=world.daemons,
                      faults=world.faults, flat=world.flat, deleted_bytes=made - size_of(world.layout.runs, ".pt"),
                      wrong=())
    lived.wrong = (*broken(lived), *(f"a champion's checkpoint was deleted: {path}" for path in gone[:3]))
    return lived


def one_daemon(world: World) -> bool:
    """Let one daemon live until it dies; True when the day is over."""
    world.daemons += 1
    daemon = loop.Daemon(world.layout, read_config(world.layout))
    daemon._launcher = world.runs  # type: ignore[assignment]
    daemon._wake = world  # type: ignore[assignment]
    daemon._watching = Watching(world.layout, now=lambda: world.now)
    daemon._housekeeping = ByHand(world.layout, KEEP_GB)
    world.daemon = daemon
    try:
        daemon.run()
    except Over:
        return True
    except (Killed, StoreError):
        world.pass_by(world.dice.uniform(1.0, STEP_S))
    finally:
        world.daemon = None
    return False


class ByHand(Housekeeping):
    """A housekeeping whose rounds the world calls, at the times of its own clock."""

    def start(self) -> None:
        """Start no thread."""

    def stop(self) -> None:
        """Stop none."""
