"""The errors that a person can act on; each message says what is wrong and what to do."""

from __future__ import annotations


class VbotdError(Exception):
    """Base of all expected errors. The command line prints the message and exits with `exit_code`."""

    exit_code = 1


class StoreError(VbotdError):
    """The event store cannot be read or written; the daemon stops rather than start empty over it."""


class StoreDamaged(StoreError):
    """What the event store holds is not what was written; nothing is decided or told from it."""


class StoreFull(StoreError):
    """There is no room to write the event store; nothing of the commit was kept, and it may be tried again."""


class LockHeld(VbotdError):
    """Another daemon holds the workspace."""


class NotFound(VbotdError):
    """No campaign, trial, run, task or plugin of that name."""

    exit_code = 5


class DaemonNotRunning(VbotdError):
    """A command was queued, and no daemon is there to carry it out now."""

    exit_code = 3


class InvalidCampaign(VbotdError):
    """A campaign file is not one that can run."""

    exit_code = 4
