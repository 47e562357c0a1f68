"""doctor: what it looks at, and that it finds what was broken on purpose."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.workspace import Workspace, campaign
from tests.store import released
from vbotd.cli import doctor_machine
from vbotd.cli.doctor_machine import Check, filesystem_of, probe
from vbotd.cli.doctor_repair import repairs
from vbotd.cli.doctor_workspace import workspace_checks
from vbotd.domain.event import NoteAdded
from vbotd.layout import Layout
from vbotd.store.backup import back_up
from vbotd.store.events import EventStore
from vbotd.store.schema import SCHEMA_VERSION


@pytest.fixture(autouse=True)
def quick_probes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Importing torch takes seconds; only the test that is about it does."""
    if "real" not in request.node.name:
        monkeypatch.setattr(doctor_machine, "probe", lambda code, **env: ({"version": "0", "gpu": ""}, ""))


def levels(layout: Layout, *, rebuild: bool = False) -> dict[str, str]:
    done = repairs(layout, rebuild=rebuild, restore=False, tidy=False)
    return {check.name: check.level for check in (*done, *workspace_checks(layout))}


def by_name(report: dict[str, Any], name: str) -> dict[str, str]:
    return next(check for check in report["checks"] if check["name"] == name)


def test_a_new_folder_is_in_order(call):
    called = call("doctor", "--json")
    report = called.json()
    assert called.code == 0, report
    assert report["ok"]
    assert {"workspace", "daemon", "store", "backups", "configuration", "plugins", "python", "sqlite", "torch",
            "rendering", "filesystem", "disk", "libraries", "mujoco", "temporary files"} == {
                c["name"] for c in report["checks"]}


def test_a_line_says_what_to_do(call, home: Path):
    (home / "vbotd.yaml").write_text("slotz: 2\n")
    called = call("doctor")
    assert called.code == 1
    line = next(line for line in called.out.splitlines() if "configuration" in line)
    assert line.startswith("fail")
    assert "vbotd.yaml:1:1" in line


def test_a_damaged_store_fails(layout: Layout):
    layout.make()
    store = EventStore(layout.store)
    store.commit([NoteAdded(campaign="none", text="x" * 5000) for _ in range(50)], at=1.0)
    store.close()
    with layout.store.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 6))
    assert levels(layout)["store"] == "fail"


def test_an_event_that_was_changed_and_can_still_be_read_fails(layout: Layout):
    layout.make()
    released.unpack(SCHEMA_VERSION, layout.store)
    assert levels(layout)["store"] == "ok"
    data = layout.store.read_bytes()
    layout.store.write_bytes(data.replace(b'"text":"look at t001"', b'"text":"look at t009"'))
    store = next(check for check in workspace_checks(layout) if check.name == "store")
    assert store.level == "fail" and "(NoteAdded) is not what was written" in store.message
    assert "doctor --restore" in store.fix


def test_a_store_of_an_older_version_is_in_order_and_says_what_comes(layout: Layout):
    layout.make()
    released.unpack(1, layout.store)
    store = next(check for check in workspace_checks(layout) if check.name == "store")
    assert store.level == "ok" and "it is of version 1, the next daemon upgrades it" in store.message


def test_rebuild_repairs_what_differs(workspace: Workspace):
    workspace.drop("short.yaml", campaign(trials=1))
    workspace.run_until_idle()
    assert levels(workspace.layout, rebuild=True)["rebuild"] == "ok"
    with sqlite3.connect(workspace.layout.store) as db:
        db.execute("UPDATE trial SET record = replace(record, 'keep', 'kept')")
        db.execute("DELETE FROM run")
    db.close()
    assert levels(workspace.layout, rebuild=True)["rebuild"] == "warn"
    assert levels(workspace.layout, rebuild=True)["rebuild"] == "ok"


def test_rebuild_keeps_out_of_a_daemons_way(layout: Layout):
    layout.make()
    EventStore(layout.store).close()
    with layout.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = levels(layout, rebuild=True)
    assert found["rebuild"] == "fail"
    assert found["daemon"] == "ok"


def test_a_broken_plugin_is_a_warning(layout: Layout):
    layout.plugins.mkdir()
    (layout.plugins / "broken.py").write_text("import no_such_module\n")
    assert levels(layout)["plugins"] == "warn"


def test_old_temporaries_are_found_and_new_ones_left_alone(layout: Layout):
    layout.make()
    old, new = layout.inbox / ".a.yaml.1.tmp", layout.inbox / ".b.yaml.2.tmp"
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    assert levels(layout)["temporary files"] == "warn"
    assert [check.level for check in repairs(layout, rebuild=False, restore=False, tidy=True)] == ["ok"]
    assert not old.exists() and new.exists() and levels(layout)["temporary files"] == "ok"


def test_restore_puts_a_backup_in_the_place_of_a_damaged_store_only(layout: Layout):
    layout.make()
    store = EventStore(layout.store)
    store.commit([NoteAdded(campaign="none", text="kept")], at=1.0)
    store.close()
    back_up(layout, time.time())

    def restored() -> Check:
        return next(repairs(layout, rebuild=False, restore=True, tidy=False))
    assert "sound" in restored().message
    layout.store.write_bytes(os.urandom(9000))
    assert "--restore" in next(check for check in workspace_checks(layout) if check.name == "store").fix
    assert restored().level == "warn" and levels(layout)["store"] == "ok"
    assert len(list(layout.state.glob("vbotd.db.damaged-*"))) == 1


def test_a_real_probe_is_a_process_with_a_deadline(monkeypatch: pytest.MonkeyPatch):
    assert probe("print('{}')") == ({}, "")
    seen, error = probe("raise SystemError('driver')")
    assert seen is None
    assert "driver" in error
    monkeypatch.setattr(doctor_machine, "PROBE_S", 0.2)
    seen, error = probe("import time; time.sleep(60)")
    assert (seen, error) == (None, "no answer within 0.2 s")


@pytest.mark.slow
def test_the_real_thing_runs_here(spawn):
    called = spawn("doctor", "--json")
    report = called.json()
    assert by_name(report, "torch")["level"] == "ok"
    assert by_name(report, "mujoco")["level"] == "ok"


def test_a_path_has_a_filesystem(tmp_path: Path):
    assert filesystem_of(tmp_path)
