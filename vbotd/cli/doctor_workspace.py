"""Is this workspace in order? Its folders, its store, who holds it, its configuration, its plugins."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from vbotd.cli.checking import load_catalogue
from vbotd.cli.doctor_machine import Check
from vbotd.cli.plugins import blocked_plugins
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.files import write_atomic
from vbotd.store.inbox import daemon_is_running
from vbotd.store.leftovers import stale_files
from vbotd.store.schema import connect_reader


def workspace_checks(layout: Layout, *, rebuild: bool) -> Iterator[Check]:
    """Yield what there is to say of the workspace; `rebuild` also refolds the store and repairs what differs."""
    checks: list[tuple[str, Callable[[Layout], Check]]] = [
        ("workspace", _writable), ("daemon", _daemon), ("store", _store), ("configuration", _configuration),
        ("plugins", _plugins), ("temporary files", _temporary)]
    if rebuild:
        checks.insert(3, ("rebuild", _rebuild))
    for name, check in checks:
        try:
            yield check(layout)
        except (VbotdError, sqlite3.Error) as error:
            yield Check(name=name, level="fail", message=str(error))


def _writable(layout: Layout) -> Check:
    folder = next(path for path in (layout.state, layout.home, *layout.home.parents) if path.is_dir())
    probe = folder / ".vbotd-doctor"
    try:
        write_atomic(probe, b"")
        probe.unlink()
    except OSError as error:
        return Check(name="workspace", level="fail", message=f"{folder}: cannot be written: {error.strerror}",
                     fix="give yourself the right to, or set VBOTD_HOME to another folder")
    fresh = "" if layout.state.is_dir() else " (new: 'vbotd run' makes state/ and runs/)"
    return Check(name="workspace", level="ok", message=f"{layout.home}{fresh}")


def _daemon(layout: Layout) -> Check:
    if not daemon_is_running(layout):
        return Check(name="daemon", level="ok", message="not running; 'vbotd run' starts it")
    holder = " ".join(layout.lock.read_text(encoding="utf-8", errors="replace").split())
    return Check(name="daemon", level="ok", message=f"running{f' ({holder})' if holder else ''}")


def _store(layout: Layout) -> Check:
    if not layout.store.exists():
        return Check(name="store", level="ok", message="none yet; the first 'vbotd run' makes it")
    with closing(connect_reader(layout.store)) as db:
        try:
            verdict = db.execute("PRAGMA quick_check(3)").fetchall()
            events = db.execute("SELECT count(*) FROM event").fetchone()[0]
        except sqlite3.Error as error:
            verdict, events = [(str(error),)], 0
    if verdict != [("ok",)]:
        return Check(name="store", level="fail", message="; ".join(row[0] for row in verdict),
                     fix="stop the daemon, keep a copy of state/vbotd.db, restore the last good one")
    return Check(name="store", level="ok", message=f"{events:,} events, intact")


def _rebuild(layout: Layout) -> Check:
    if not layout.store.exists():
        return Check(name="rebuild", level="ok", message="there is nothing to rebuild")
    if daemon_is_running(layout):
        return Check(name="rebuild", level="fail", message="the daemon is running, and only one may write the store",
                     fix="stop the daemon first (SIGTERM; its runs go on)")
    with closing(EventStore(layout.store)) as store:
        differed = store.rebuild()
    if differed:
        return Check(name="rebuild", level="warn", fix="nothing: it is repaired; keep a copy and report it",
                     message=f"{len(differed)} rows differed from their events: {', '.join(differed[:8])}")
    return Check(name="rebuild", level="ok", message="every row is what its events say")


def _configuration(layout: Layout) -> Check:
    if not layout.config.exists():
        return Check(name="configuration", level="ok", message="no vbotd.yaml, the defaults are used")
    from vbotd.core.config import parse_config
    parse_config(layout.config.read_bytes(), layout.config.name)
    return Check(name="configuration", level="ok", message=f"{layout.config.name} is valid")


def _plugins(layout: Layout) -> Check:
    catalogue = load_catalogue(layout)
    blocked = blocked_plugins(layout)
    wrong = [f"{failure.name}: {failure.error}" for failure in catalogue.failures]
    wrong += [f"{name} is blocked: {why}" for name, why in blocked.items()]
    loaded = f"{len(catalogue.plugins)} loaded, {len(catalogue.tasks)} tasks, {len(catalogue.skills)} skills"
    if wrong:
        return Check(name="plugins", level="warn", message=f"{loaded}; {'; '.join(wrong)}",
                     fix="the others work; 'vbotd plugins' shows each, state/host.log has the tracebacks")
    if not catalogue.tasks:
        return Check(name="plugins", level="fail", message=f"{loaded}: nothing can be trained",
                     fix="'vbotd plugins' says what failed; VBOTD_PLUGINS may leave too many out")
    return Check(name="plugins", level="ok", message=loaded)


def _temporary(layout: Layout) -> Check:
    stale = stale_files(layout.state, time.time())
    if stale:
        return Check(name="temporary files", level="warn", fix=f"delete them: {' '.join(map(str, stale[:5]))}",
                     message=f"{len(stale)} left behind by a process that died while it wrote")
    return Check(name="temporary files", level="ok", message="none left behind")
