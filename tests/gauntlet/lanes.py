"""Work side by side: forked processes, each with a share of the tasks, since daemons are forked from single threads."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class LaneFailed(AssertionError):
    """A task raised; the message is its traceback."""


def side_by_side(tasks: Sequence[Callable[[], T]], folder: Path, lanes: int) -> list[T]:
    """Return what the tasks return, in their order; `folder` takes the answers. Raises: LaneFailed."""
    lanes = min(lanes, len(tasks))
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_work, args=(tasks, lane, lanes, folder)) for lane in range(lanes)]
    sys.stdout.flush()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found: list[T] = []
    for number in range(len(tasks)):
        path = folder / f"answer-{number}.pickle"
        if not path.exists():
            raise LaneFailed(f"task {number} left no answer: its process ended early")
        good, value = pickle.loads(path.read_bytes())
        if not good:
            raise LaneFailed(value)
        found.append(value)
    return found


def _work(tasks: Sequence[Callable[[], T]], lane: int, lanes: int, folder: Path) -> None:
    for number in range(lane, len(tasks), lanes):
        try:
            answer: tuple[bool, object] = (True, tasks[number]())
        except BaseException:
            answer = (False, traceback.format_exc())
        (folder / f"answer-{number}.pickle").write_bytes(pickle.dumps(answer))
