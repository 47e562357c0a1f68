"""What `vbotd doctor` changes when it is asked to: a damaged store, rows that differ from their events, leftovers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from vbotd.cli.doctor_machine import Check
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.backup import flaw
from vbotd.store.backup import restore as restore_backup
from vbotd.store.events import EventStore
from vbotd.store.inbox import daemon_is_running
from vbotd.store.leftovers import stale_files

NEEDS_NO_DAEMON = "stop the daemon first (SIGTERM; its runs go on)"


def repairs(layout: Layout, *, restore: bool, tidy: bool, rebuild: bool) -> Iterator[Check]:
    """Carry out the repairs that are asked for, and yield what came of each."""
    asked: list[tuple[str, bool, Callable[[Layout], Check]]] = [
        ("restore", restore, _restore), ("rebuild", rebuild, _rebuild), ("tidy", tidy, _tidy)]
    for name, wanted, repair in asked:
        if not wanted:
            continue
        try:
            yield repair(layout)
        except (VbotdError, sqlite3.Error, OSError) as error:
            yield Check(name=name, level="fail", message=str(error))


def _restore(layout: Layout) -> Check:
    if daemon_is_running(layout):
        return Check(name="restore", level="fail", message="the daemon is running, and only one may write the store",
                     fix=NEEDS_NO_DAEMON)
    if layout.store.exists() and not flaw(layout.store):
        return Check(name="restore", level="ok", message="the store is sound, nothing was changed")
    chosen, aside = restore_backup(layout)
    lost_min = (time.time() - chosen.at) / 60.0
    kept = f"; the damaged one is {aside.name}" if aside else ""
    return Check(name="restore", level="warn", message=f"{chosen.path.name} is the store now{kept}", fix=(
        f"what was decided in the last {lost_min:.0f} minutes before is not in it: compare runs/ with 'vbotd review', "
        "and submit again what is missing"))


def _rebuild(layout: Layout) -> Check:
    if not layout.store.exists():
        return Check(name="rebuild", level="ok", message="there is nothing to rebuild")
    if daemon_is_running(layout):
        return Check(name="rebuild", level="fail", message="the daemon is running, and only one may write the store",
                     fix=NEEDS_NO_DAEMON)
    with closing(EventStore(layout.store)) as store:
        differed = store.rebuild()
    if differed:
        return Check(name="rebuild", level="warn", fix="nothing: it is repaired; keep a copy and report it",
                     message=f"{len(differed)} rows differed from their events: {', '.join(differed[:8])}")
    return Check(name="rebuild", level="ok", message="every row is what its events say")


def _tidy(layout: Layout) -> Check:
    stale = stale_files(layout.state, time.time())
    for path in stale:
        path.unlink(missing_ok=True)
    return Check(name="tidy", level="ok", message=f"{len(stale)} leftovers deleted" if stale else "nothing to delete")
