"""A log that has grown too large loses its middle, also when its run is over before the housekeeping comes by."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.test_bereft import running
from vbotd.daemon import housekeeping, shim
from vbotd.daemon.housekeeping import Housekeeping
from vbotd.daemon.launch import LocalLauncher
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.files import write_json_atomic


def test_the_log_of_a_run_that_has_ended_keeps_its_beginning_and_its_end(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(housekeeping, "LOG_BYTES", 4000)
    monkeypatch.setattr(housekeeping, "LOG_KEPT_BYTES", 1000)
    layout, run = Layout(tmp_path), running("spam-token")
    folder = layout.run(run.id)
    folder.mkdir(parents=True)
    (folder / "worker.log").write_bytes(b"begin" + b"x" * 10_000 + b"end")
    write_json_atomic(folder / "claim", {"by": "shim", "token": run.token, "pid": 1, "boot_id": shim.boot_id()})
    write_json_atomic(folder / "exit.json", {"token": run.token, "exit_code": 0, "signal": None})
    seen = LocalLauncher(layout).look(run)
    kept = (folder / "worker.log").read_text()
    assert kept.startswith("begin") and kept.endswith("end") and "8,008 bytes were cut out here" in kept
    assert seen.log_tail.endswith("end") and len(kept) < 2100


def test_what_the_sessions_of_the_agent_loop_say_is_kept_small_while_one_goes_on_writing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(housekeeping, "AGENT_LOG_BYTES", 4000)
    monkeypatch.setattr(housekeeping, "LOG_KEPT_BYTES", 1000)
    layout = Layout(tmp_path)
    layout.make()
    EventStore(layout.store).close()
    path = layout.state / "agent" / "agent.log"
    path.parent.mkdir()
    with path.open("ab") as session:  # as the daemon opens it for one
        session.write(b"begin" + b"x" * 10_000 + b"end")
        session.flush()
        Housekeeping(layout, keep_gb=1.0)._round(1.0)
        session.write(b" and on")
    kept = path.read_text()
    assert kept.startswith("begin") and kept.endswith("end and on") and "8,008 bytes were cut out here" in kept
    assert len(kept) < 2100
