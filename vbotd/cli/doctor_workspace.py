"""Is this workspace in order? Its folders, its store, who holds it, its configuration, its plugins."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from vbotd.cli.checking import load_catalogue
from vbotd.cli.doctor_machine import Check
from vbotd.cli.plugins import blocked_plugins
from vbotd.errors import StoreError, VbotdError
from vbotd.layout import Layout
from vbotd.store.backup import backups, flaw
from vbotd.store.checksum import flaw_of_events
from vbotd.store.files import write_atomic
from vbotd.store.inbox import daemon_is_running
from vbotd.store.leftovers import stale_files
from vbotd.store.schema import SCHEMA_VERSION, connect_reader, version_of


def workspace_checks(layout: Layout) -> Iterator[Check]:
    """Yield what there is to say of the workspace."""
    checks: list[tuple[str, Callable[[Layout], Check]]] = [
        ("workspace", _writable), ("daemon", _daemon), ("store", _store), ("backups", _backups),
        ("configuration", _configuration), ("plugins", _plugins), ("temporary files", _temporary)]
    for name, check in checks:
        try:
            yield check(layout)
        except (VbotdError, sqlite3.Error) as error:
            fix = "'vbotd doctor --restore'" if isinstance(error, StoreError) else ""
            yield Check(name=name, level="fail", message=str(error), fix=fix)


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
            wrong = flaw_of_events(db) if verdict == [("ok",)] else ""
        except (sqlite3.Error, UnicodeDecodeError) as error:
            verdict, events, wrong = [], 0, str(error)
        version = version_of(db)
    if wrong or verdict != [("ok",)]:
        return Check(name="store", level="fail", message=wrong or "; ".join(row[0] for row in verdict),
                     fix="stop the daemon, then 'vbotd doctor --restore': it keeps the damaged one beside the copy")
    older = f"; it is of version {version}, the next daemon upgrades it" if version < SCHEMA_VERSION else ""
    return Check(name="store", level="ok", message=f"{events:,} events, intact{older}")


def _backups(layout: Layout) -> Check:
    found = backups(layout)
    if not found:
        return Check(name="backups", level="ok", message="none yet; a daemon makes one an hour")
    age_h = (time.time() - found[0].at) / 3600.0
    problem = flaw(found[0].path)
    if problem:
        return Check(name="backups", level="warn", message=f"{found[0].path.name}: {problem}",
                     fix="the next one is made within the hour while a daemon runs")
    return Check(name="backups", level="ok", message=f"{len(found)}, the newest is sound and {age_h:.1f} h old")


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
        return Check(name="temporary files", level="warn", fix="'vbotd doctor --tidy' deletes them",
                     message=f"{len(stale)} left behind by a process that died while it wrote")
    return Check(name="temporary files", level="ok", message="none left behind")
