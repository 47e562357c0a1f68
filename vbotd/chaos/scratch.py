"""A scratch workspace with the chaos task, campaigns to drop into it, and real daemons over it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from vbotd import failpoint
from vbotd.chaos import plugin
from vbotd.chaos.forked import ForkedDaemon
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_atomic
from vbotd.store.inbox import drop_campaign

PLUGIN = Path(plugin.__file__)
Daemon = subprocess.Popen[bytes] | ForkedDaemon
CAMPAIGN = """version: 1
name: {name}
task: chaos_walk
skills: []
budget: {{trials: {trials}}}
env: {{train_s: {train_s}}}
"""


CONFIG = "slots: 4\nfork_server: never\nmax_attempts: 10\ncrash_calm_s: 0\n"


class Scratch:
    """One scratch workspace; its daemon is gone after `close`.

    `plugin` is the file with the task whose workers are killed. `forked`: daemons are copies of this process, which
    spares each of them the second that its imports take; only for a process with a single thread.
    """

    def __init__(self, home: Path, *, plugin: Path = PLUGIN, config: str = CONFIG, forked: bool = False) -> None:
        if any(home.iterdir()) and not (home / failpoint.MARK).exists():
            raise VbotdError(f"{home}: is not empty and no scratch workspace — give a new folder, all in it is at risk")
        self.layout = Layout(home)
        self.layout.make()
        (home / failpoint.MARK).touch()
        self.layout.plugins.mkdir(exist_ok=True)
        self._name, self._forked = plugin.stem if plugin != PLUGIN else "chaos", forked
        write_atomic(self.layout.plugins / f"{self._name}.py", plugin.read_bytes())
        write_atomic(self.layout.config, config)
        self.daemon: Daemon | None = None

    @property
    def out(self) -> Path:
        """What the daemons said to their terminal."""
        return self.layout.state / "daemon.out"

    def drop(self, name: str, *, trials: int, train_s: float = 0.05) -> None:
        """Hand a campaign in, as `vbotd submit` does."""
        text = CAMPAIGN.format(name=name, trials=trials, train_s=train_s)
        drop_campaign(self.layout, f"{name}.yaml", text.encode())

    def start(self, *flags: str, environment: Mapping[str, str] | None = None) -> Daemon:
        """Start a daemon; the one before it must have ended."""
        environ = {**os.environ, "VBOTD_HOME": str(self.layout.home), "VBOTD_PLUGINS": self._name,
                   **(environment or {})}
        if self._forked:
            self.daemon = ForkedDaemon(flags, environment=environ, out=self.out, folder=self.layout.home)
            return self.daemon
        with open(self.out, "ab") as out:
            self.daemon = subprocess.Popen([sys.executable, "-m", "vbotd", "run", "--quiet", *flags], env=environ,
                                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                           cwd=self.layout.home)
        return self.daemon

    def ledger(self) -> list[tuple[str, str, int]]:
        """Return what the workers wrote: (start or end, run, process), in its order."""
        path = self.layout.home / plugin.LEDGER
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(what, run, int(pid)) for what, run, pid in (line.split() for line in lines)]

    def close(self) -> None:
        """End the daemon, if one lives."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
