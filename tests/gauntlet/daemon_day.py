"""The daemon itself under a fake clock: its own loop, store, plugin host, views, backups and retention, for a week.

Only three things are pretended: the clock, which moves when the loop would wait; the place where runs execute, which
leaves the folders that real runs leave; and a disk that is fast, by leaving out every fsync, for no power is cut here
(that, and what an fsync that fails does, are other rows). Between two ticks the world does what a week does to a
daemon: campaigns arrive, disks fill up, writes and commits fail, the daemon is killed; and what must stay flat is
looked at.

The clock goes on to the next moment at which there is something to do: a run ends, a fault begins or is over, a file
lies in the inbox, a report is to be written once more, and at the latest to when the report is due anyway.
"""

from __future__ import annotations

import gc
import math
import os
import random
import re
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
from vbotd.core.retention import Kept
from vbotd.daemon import loop, reporting
from vbotd.daemon.housekeeping import EVERY_S, Housekeeping
from vbotd.daemon.room import Room
from vbotd.daemon.watching import Watching
from vbotd.errors import StoreError
from vbotd.store.configuration import read_config
from vbotd.store.read import Reader

DAY_S = 86400.0
WEEK_S = 7 * DAY_S
WORKING_DAYS = 6  # of a week; on the last one nothing new arrives
IDLE_S = 30.0  # between two ticks, when nothing is to be done
BUSY_S = 5.0  # while something waits to be decided
CONFIG = f"slots: {SLOTS}\nfork_server: never\ncrash_calm_s: 0\nkeep_gb: {KEEP_GB}\nwatch: polling\n"
CAMPAIGN_TRIALS = 12
OPEN = 2
FAULTS_A_DAY = 20  # of a shorter time, ten at least
FAULTS = ("kill", "kill", "no room for commits", "a commit fails", "a write fails", "an fsync fails", "the disk is low")
RULES = {"no room for commits": "commit.before_end=ENOSPC@1+", "a commit fails": "commit.after_events=EIO",
         "a write fails": "write.before_rename=EIO", "an fsync fails": "write.before_fsync=ENOSPC"}
LONGEST_FAULT_S = 900.0
DOWN_S = (1.0, 20.0)  # between a daemon's end and the next one's start
LONGEST_TRAINING_S = 7200.0
ENOUGH_BYTES, LITTLE_BYTES = 100 << 30, 12 << 20
USUAL: dict[str, int] = {}  # how many descriptors were open at the first look of this process
AT = re.compile(rb'"at": ([0-9.]+)')  # in the first line of wake_up.json


class Killed(BaseException):
    """The daemon ends here without a word; nothing in it may catch this."""


class Over(BaseException):
    """The time is over."""


class World:
    """Everything around the daemon. It takes the place of the event that the loop waits for."""

    def __init__(self, folder: Path, seconds: float, seed: int) -> None:
        self.scratch = Scratch(folder, config=CONFIG)
        self.layout = self.scratch.layout
        self.dice = random.Random(seed)
        self.now = self.began = time.time()
        self.until = self.began + seconds
        self.runs = PretendedRuns(self.layout, self.dice, lambda: self.now,
                                  longest_s=min(LONGEST_TRAINING_S, seconds / 24.0))
        self.flat, self.faults = Flat(), Counter[str]()
        self.ticks = self.daemons = self.dropped = self.deleted_bytes = self.other_bytes = 0
        self.free = ENOUGH_BYTES
        self.fault_every = seconds / max(10.0, FAULTS_A_DAY * seconds / DAY_S)
        self.measure_every = min(3600.0, seconds / 24.0)
        self.next_fault, self.fault_ends, self.cared_at, self.measured_at = self.now + self.fault_every, 0.0, 0.0, 0.0
        self.miscounted = ""
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
        self.pass_by(self.to_next())
        self.look_at_report()
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

    def to_next(self) -> float:
        """Return how long it is until there is something to do (seconds)."""
        assert self.daemon is not None
        daemon = self.daemon
        waiting = daemon._later or daemon._reporting._dirty or not daemon._inbox.is_empty()
        report_at = daemon._reporting._written_at + reporting.AT_LEAST_EVERY_S
        next_at = min(self.runs.next_end, self.next_fault, self.fault_ends or math.inf, report_at)
        return BUSY_S if waiting else min(IDLE_S, max(1.0, next_at - self.now))

    # What happens.

    def arrive(self) -> None:
        """Hand campaigns in, so that a few are always open, and let paused ones go on."""
        assert self.daemon is not None
        waiting = len(list(self.layout.inbox.glob("*.yaml")))
        resting = (self.now - self.began) % WEEK_S >= WORKING_DAYS * DAY_S
        if not resting and waiting + len(self.daemon.state.campaigns) < OPEN:
            self.dropped += 1
            self.scratch.drop(f"night-{self.dropped:04d}", trials=CAMPAIGN_TRIALS)
        if self.ticks % 240 == 0:
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
        self.fault_ends = self.now + min(LONGEST_FAULT_S, self.fault_every / 4)
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
            with suppress(OSError):  # as its thread does: what fails is tried again
                self.daemon._housekeeping._round(self.now)

    # What must stay flat.

    def look(self) -> None:
        """Measure what must stay flat."""
        flat = self.flat
        flat.descriptors[descriptors()] += 1
        if self.now - self.measured_at >= self.measure_every:
            self.measured_at = self.now
            self.look_at_files()
            gc.collect()
            flat.memory.append(psutil.Process().memory_info().rss)
        flat.runs_bytes = max(flat.runs_bytes, self.checkpoint_bytes + self.other_bytes)

    def look_at_report(self) -> None:
        """Take note of how old the report is, at the end of a time without a tick."""
        with suppress(OSError), self.layout.wake_up_json.open("rb") as file:
            said = AT.search(file.read(200))
            assert said, "the report says when it was written"
            self.flat.stale_s = max(self.flat.stale_s, round(self.now - float(said[1]), 3))

    def look_at_files(self) -> None:
        """Walk through the files, and compare the checkpoints there with those that were made and deleted."""
        flat, there = self.flat, size_of(self.layout.runs, ".pt")
        if there != self.checkpoint_bytes:
            self.miscounted = f"{there:,} bytes of checkpoints lie in runs/, {self.checkpoint_bytes:,} were to be there"
        self.other_bytes = size_of(self.layout.runs) - there
        flat.backups = max(flat.backups, len(list(self.layout.backups.glob("*.db"))))
        flat.archived = max(flat.archived, len(list(self.layout.wake_up_archive.glob("*.md"))))

    @property
    def checkpoint_bytes(self) -> int:
        """The bytes of the checkpoints that lie there: those made without those deleted, which no walk could miss."""
        return self.runs.checkpoints * CHECKPOINT_BYTES - self.deleted_bytes


def descriptors() -> int:
    """Return how many are open: a thread that lists a folder just now has one more for a moment, and is waited for."""
    found = []
    for _ in range(3):
        found.append(len(os.listdir("/proc/self/fd")))
        if found[-1] == USUAL.setdefault("descriptors", found[-1]):
            break
        time.sleep(0.02)
    return min(found)


def live(folder: Path, seconds: float, seed: int) -> Lived:
    """Let daemons live through so many seconds, one after the other; for a process of its own, whose clock is taken."""
    folder.mkdir()
    world = World(folder, seconds, seed)
    os.environ |= {"VBOTD_HOME": str(world.layout.home), "VBOTD_PLUGINS": "chaos"}
    loop.time = SimpleNamespace(time=lambda: world.now, sleep=world.pass_by)  # type: ignore[assignment]
    loop.free_bytes = lambda layout: world.free
    reporting.time = SimpleNamespace(monotonic=lambda: world.now)  # type: ignore[assignment]
    os.fsync = lambda descriptor: None
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
    world.look_at_files()
    lived = Lived(seconds=world.now - world.began, ticks=world.ticks, trials=trials, daemons=world.daemons,
                  faults=world.faults, flat=world.flat, deleted_bytes=world.deleted_bytes, wrong=())
    lived.wrong = (*broken(lived), *filter(None, [world.miscounted]),
                   *(f"a champion's checkpoint was deleted: {path}" for path in gone[:3]))
    return lived


def one_daemon(world: World) -> bool:
    """Let one daemon live until it dies; True when the time is over."""
    world.daemons += 1
    daemon = loop.Daemon(world.layout, read_config(world.layout))
    daemon._store._db.execute("PRAGMA synchronous=OFF")
    daemon._launcher = world.runs  # type: ignore[assignment]
    daemon._wake = world  # type: ignore[assignment]
    daemon._watching = Watching(world.layout, now=lambda: world.now)
    daemon._housekeeping = ByHand(world)
    world.daemon = daemon
    try:
        daemon.run()
    except Over:
        return True
    except (Killed, StoreError):
        world.pass_by(world.dice.uniform(*DOWN_S))
        world.look_at_report()
    finally:
        world.daemon = None
    return False


class ByHand(Housekeeping):
    """A housekeeping whose rounds the world calls, at the times of its own clock."""

    def __init__(self, world: World) -> None:
        super().__init__(world.layout, KEEP_GB)
        self._room = Counted(world)

    def start(self) -> None:
        """Start no thread."""

    def stop(self) -> None:
        """Stop none."""


class Counted(Room):
    """Tells the world what it deletes."""

    def __init__(self, world: World) -> None:
        super().__init__(world.layout)
        self._world = world

    def look(self, now: float, cap_bytes: int) -> tuple[Kept, ...]:
        """Keep to the cap, and tell."""
        gone = super().look(now, cap_bytes)
        self._world.deleted_bytes += sum(file.size for file in gone)
        return gone
