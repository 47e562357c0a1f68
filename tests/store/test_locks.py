"""A lock is proof of a life: a file alone is none, and what cannot be found out is not taken for death."""

from __future__ import annotations

import fcntl
import os
import resource
from contextlib import contextmanager

import pytest

from vbotd.store.locks import is_locked


def test_a_file_is_locked_for_as_long_as_somebody_holds_it(tmp_path):
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not is_locked(path / "below-no-folder")
    path.touch()
    assert not is_locked(path)
    with path.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)


def test_two_that_look_are_no_holders_to_each_other(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_without_a_descriptor_left_nobody_is_called_dead(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    with no_descriptor_left(), pytest.raises(OSError, match="Too many open files"):
        is_locked(path)


@contextmanager
def no_descriptor_left():
    """Lower this process's limit to the descriptors that it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
