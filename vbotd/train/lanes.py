"""All lanes of a run: asked together, each in a process of its own where the run has a thread for it.

A lane needs a core and nothing else: no lane waits for another within a control step or a layer, as torch's own threads
do for each other, but only at the ends of a rollout and of a minibatch. What is learnt depends on how many lanes there
are and not on where they run: random numbers are a lane's own, and sums over lanes are made in their order.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from vbotd.train.lane import Lane

FEWEST_ENVS = 64  # of a lane: with fewer, what a control step costs whatever their number outweighs the rest
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


class LaneLost(RuntimeError):
    """A lane's process has ended, or what it did there has failed; the run goes on from its last checkpoint."""


def how_many(num_envs: int, threads: int) -> int:
    """Return the number of lanes of a new run on a CPU."""
    return max(min(threads, num_envs // FEWEST_ENVS), 1)


def bounds(num_envs: int, lanes: int) -> list[tuple[int, int]]:
    """Return the first environment of each lane and that behind its last: shares that differ by one at most."""
    ends = [num_envs * i // lanes for i in range(lanes + 1)]
    return list(itertools.pairwise(ends))


class Lanes:
    """The lanes of a run, in order; all in this process until they are spread."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.local = list(lanes)  # this process's own; the first of all is always among them
        self._remote: list[_Remote] = []
        self._count = len(lanes)
        self._cores = _allowed()

    def __len__(self) -> int:
        return self._count

    def spread(self, processes: int, alive: Callable[[], None]) -> None:
        """Give lanes to processes of their own, as many as are allowed besides this one; `alive` is for heartbeats.

        Order: after the lanes are what they are to begin as, before any of torch's operations had two threads, and
        before CUDA: a copy of this process has neither.
        """
        self.local[0].alive = alive
        moving = self.local[1:processes]
        self.local = [lane for lane in self.local if lane not in moving]
        own, *others = _cores(1 + len(moving))
        self._remote = [_Remote(lane, cores) for lane, cores in zip(moving, others, strict=True)]
        if self._remote:
            _sit_on(own)

    def each(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method of every lane, at once where they have processes, and return the answers in their order.

        Raises: LaneLost.
        """
        for remote in self._remote:
            remote.ask(method, arguments)
        answers = {lane.index: getattr(lane, method)(*arguments) for lane in self.local}
        answers |= {remote.index: remote.answer() for remote in self._remote}
        return [answers[index] for index in sorted(answers)]

    def close(self) -> None:
        """End the other processes, with what their lanes have come to; safe to call twice."""
        for remote in self._remote:
            remote.close()
        if self._remote:
            _sit_on(self._cores)
        self._remote = []


Cores = frozenset[int]


def _allowed() -> Cores:
    """Return the cores that this process may run on; none where the system does not tell."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def _cores(processes: int) -> list[Cores]:
    """Return the cores of each process: one of its own where the run has all there are, else any.

    Woken through a pipe, a process is put beside the one that wrote to it, and both stayed on one core for minutes.
    """
    allowed = sorted(_allowed())
    if len(allowed) != processes:
        return [frozenset(allowed)] * processes
    return [frozenset({core}) for core in allowed]


def _sit_on(cores: Cores) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


class _Remote:
    """A lane that lives in a forked copy of this process, and does one thing after the other that it is asked to."""

    def __init__(self, lane: Lane, cores: Cores) -> None:
        self.index = lane.index
        self._pipe, theirs = Pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # OpenBLAS's threads are no trouble: it ends them before a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            self._pipe.close()
            _sit_on(cores)
            _live(lane, theirs, parent)
        theirs.close()

    def ask(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Begin to do something."""
        try:
            self._pipe.send((method, arguments))
        except OSError as err:
            raise self._lost() from err

    def answer(self) -> Any:
        """Wait for what was asked, and return what came of it; without a heartbeat, since a run may hang here, too."""
        try:
            failed, content = self._pipe.recv()
        except (OSError, EOFError) as err:
            raise self._lost() from err
        if failed:
            raise LaneLost(f"lane {self.index} failed:\n{content}")
        return content

    def close(self) -> None:
        """End the process and wait for its end."""
        self._pipe.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _lost(self) -> LaneLost:
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._pid = 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        return LaneLost(f"the process of lane {self.index} {how} — out of memory? 'vbotd doctor' tells what is free")


def _live(lane: Lane, pipe: Connection, parent: int) -> None:
    """Be the lane's process, until nobody asks any more. Never returns."""
    try:
        # Whoever stops the run signals the first process, which ends this one when it has saved.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            ctypes.CDLL(None).prctl(PR_SET_NAME, f"vbotd-lane-{lane.index}".encode(), 0, 0, 0)
        if os.getppid() == parent:
            _serve(lane, pipe)
    finally:
        # Nothing of the copied process may be closed, flushed or called at exit here: it is all the other's.
        os._exit(0)


def _serve(lane: Lane, pipe: Connection) -> None:
    while True:
        try:
            method, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = False, getattr(lane, method)(*arguments)
        except Exception:
            answer = True, traceback.format_exc()
        pipe.send(answer)
