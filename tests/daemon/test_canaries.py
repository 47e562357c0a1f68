"""Secrets in a worker's last words and in a plugin's error: in no run, no report, no log and no byte of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.plugins_under_test.leaky import BY_LOOK, BY_VALUE, IN_PLUGIN
from tests.daemon.workspace import make_workspace

CAMPAIGN = "version: 1\nname: leaks\ntask: leaky_walk\nbudget: {trials: 1}\nskills: []\n"


def test_what_a_worker_said_last_is_kept_without_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", BY_VALUE)
    workspace = make_workspace(tmp_path, "leaky.py")
    try:
        workspace.drop("leaks.yaml", CAMPAIGN)
        workspace.run_until_idle()
        (run,) = workspace.runs().values()
        assert run.reason == "exit code 7: PermissionError: 401 for [redacted] and for [redacted] at the gate"
        faults = workspace.events("PluginFailed")
        assert [fault.plugin for fault in faults] == ["leaky"] and "password=[redacted] was refused" in faults[0].detail
        log = workspace.layout.run(run.id) / "worker.log"
        assert BY_VALUE in log.read_text(), "its own log is its own"
        told = [path for path in workspace.layout.state.rglob("*") if path.is_file()
                and path not in (workspace.layout.host_log,) and workspace.layout.plugins not in path.parents]
        assert {workspace.layout.store, workspace.layout.log, workspace.layout.wake_up} <= set(told)
        assert "PermissionError: 401 for" in workspace.layout.wake_up.read_text()
        assert [path.name for path in told for canary in (BY_VALUE, BY_LOOK, IN_PLUGIN)
                if canary.encode() in path.read_bytes()] == []
    finally:
        workspace.close()
