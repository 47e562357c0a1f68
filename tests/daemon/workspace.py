"""A workspace in a temporary folder with the fake task, and real daemons over it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import wait_until
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.read import Reader

PLUGINS = Path(__file__).parent / "plugins_under_test"
ROOT = Path(__file__).parents[2]


@dataclass
class Workspace:
    """One workspace; every daemon started here is ended with the test."""

    home: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(self.home)

    def drop(self, name: str, text: str) -> None:
        self.layout.inbox.mkdir(parents=True, exist_ok=True)
        hidden = self.layout.inbox / f".{name}.tmp"
        hidden.write_text(text)
        hidden.rename(self.layout.inbox / name)

    def start(self, *flags: str) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "VBOTD_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        with open(self.home / "daemon.out", "ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "vbotd", "run", "--quiet", *flags], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environ, cwd=self.home, start_new_session=True)
        self.daemons.append(daemon)
        return daemon

    def run_until_idle(self, timeout_s: float = 60.0) -> None:
        daemon = self.start("--until-idle")
        assert daemon.wait(timeout_s) == 0, self.out()

    def kill(self, daemon: subprocess.Popen[bytes]) -> None:
        daemon.kill()
        daemon.wait()

    def read(self) -> Reader:
        return Reader(self.layout.store)

    def runs(self) -> dict[str, Run]:
        try:
            with self.read() as reader:
                return {run.id: run for record in reader.records() for run in reader.runs(record.id)}
        except StoreError:  # there is none yet
            return {}

    def records(self, *statuses: str) -> tuple[CampaignRecord, ...]:
        try:
            with self.read() as reader:
                return reader.records(*statuses)
        except StoreError:
            return ()

    def wait_for_run(self, status: str, kind: str = "train", timeout_s: float = 30.0) -> Run:
        return wait_until(lambda: next((run for run in self.runs().values()
                                        if run.status == status and run.kind == kind), None), timeout_s)

    def ledger(self) -> list[tuple[str, str, int]]:
        try:
            lines = (self.home / "ledger.txt").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(what, run, int(pid)) for what, run, pid in (line.split() for line in lines)]

    def events(self, *kinds: str) -> list[Any]:
        try:
            with self.read() as reader:
                return [stored.event for stored in reader.events(kinds=kinds, limit=100_000)]
        except StoreError:
            return []

    def out(self) -> str:
        parts = [self.home / "daemon.out", self.layout.log, self.layout.host_log]
        return "\n".join(part.read_text()[-4000:] for part in parts if part.exists())

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
        for run in self.runs().values():
            if run.is_live and run.pid:
                try:
                    os.kill(run.pid, signal.SIGUSR2)
                except ProcessLookupError:
                    continue


def make_workspace(home: Path, *plugins: str) -> Workspace:
    workspace = Workspace(home)
    workspace.layout.make()
    workspace.layout.plugins.mkdir()
    for name in ("fake.py", "_fake_worker.py", *plugins):
        shutil.copy(PLUGINS / name, workspace.layout.plugins / name)
    return workspace


def campaign(name: str = "short", *, trials: int = 2, mode: str = "good", train_s: float = 0.05,
             extra: str = "skills: []") -> str:
    return f"""version: 1
name: {name}
task: fake_walk
budget: {{trials: {trials}}}
env: {{mode: {mode}, train_s: {train_s}}}
{extra}
"""
