"""What systemd hears, and what signals do."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.daemon.workspace import Workspace
from tests.waiting import wait_until


def test_systemd_hears_ready_a_watchdog_from_the_loop_and_stopping(
        workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        daemon = workspace.start()
        heard = [listener.recv(100) for _ in range(3)]
        assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        daemon.terminate()
        assert daemon.wait(10) == 0
        while (last := listener.recv(100)) == b"WATCHDOG=1":
            continue
        assert last == b"STOPPING=1"


def test_sighup_reads_the_configuration_again_and_keeps_the_old_one_when_the_new_one_is_bad(
        workspace: Workspace) -> None:
    daemon = workspace.start()
    wait_until(lambda: workspace.events("CatalogueChanged"), 20.0)
    workspace.layout.config.write_text("slots: many\n")
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "stays as it was" in workspace.out(), 10.0)
    assert "vbotd.yaml:1:1: slots" in workspace.out()
    workspace.layout.config.write_text("slots: 1\n")
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "action=reload file=" in workspace.out(), 10.0)
    assert daemon.poll() is None


def test_a_bad_configuration_at_the_start_is_told_and_nothing_is_started(workspace: Workspace) -> None:
    workspace.layout.config.write_text("slot: 1\nreport_hour: late\n")
    daemon = workspace.start()
    assert daemon.wait(20) == 1
    assert "vbotd.yaml:1:1: slot" in workspace.out() and "report_hour" in workspace.out()
    assert not workspace.layout.store.exists()
