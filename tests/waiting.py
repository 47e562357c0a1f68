"""Waiting for something to become true, without a sleep of a guessed length in any test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")

POLL_S = 0.01


def wait_until(cond: Callable[[], T], timeout_s: float = 10.0) -> T:
    """Return the first truthy value of `cond()`; fail with its last value after `timeout_s`.

    The time-out is no part of what a test claims, only the point at which it gives up: make it generous.
    """
    end = time.monotonic() + timeout_s
    while not (value := cond()):
        if time.monotonic() > end:
            raise AssertionError(f"not true within {timeout_s:g} s: {getattr(cond, '__qualname__', cond)} "
                                 f"(last value: {value!r})")
        time.sleep(POLL_S)
    return value


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process has ended; how soon an orphan is reaped after that is up to the system."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
