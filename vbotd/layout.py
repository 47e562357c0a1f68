"""Where everything of a workspace lies. The only place that joins path names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders and files of a workspace (`VBOTD_HOME`), as design section 5 lists them."""

    home: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Layout:
        """Return the workspace: `VBOTD_HOME`, else the nearest folder upwards that holds `vbotd.yaml` or
        `state/vbotd.db`, else the folder itself (where `vbotd run` then makes one)."""
        named = os.environ.get("VBOTD_HOME")
        if named:
            return cls(Path(named).expanduser().resolve())
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "vbotd.yaml").is_file() or (folder / "state" / "vbotd.db").exists():
                return cls(folder)
        return cls(here)

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def plugins(self) -> Path:
        return self.home / "plugins"

    @property
    def config(self) -> Path:
        return self.home / "vbotd.yaml"

    @property
    def inbox(self) -> Path:
        return self.state / "inbox"

    @property
    def commands(self) -> Path:
        return self.state / "commands"

    @property
    def rejected(self) -> Path:
        return self.state / "rejected"

    @property
    def campaigns(self) -> Path:
        return self.state / "campaigns"

    @property
    def store(self) -> Path:
        return self.state / "vbotd.db"

    @property
    def backups(self) -> Path:
        return self.state / "backups"

    @property
    def reading(self) -> Path:
        """The file that says which campaign file is being read just now."""
        return self.state / "reading.json"

    @property
    def lock(self) -> Path:
        return self.state / "vbotd.lock"

    @property
    def log(self) -> Path:
        return self.state / "vbotd.log"

    @property
    def host_log(self) -> Path:
        return self.state / "host.log"

    @property
    def fork_server_log(self) -> Path:
        return self.state / "fork_server.log"

    @property
    def catalogue(self) -> Path:
        return self.state / "catalogue.json"

    @property
    def shims(self) -> Path:
        return self.state / "shims"

    @property
    def wake_up(self) -> Path:
        return self.state / "WAKE_UP.md"

    @property
    def wake_up_json(self) -> Path:
        return self.state / "wake_up.json"

    @property
    def wake_up_archive(self) -> Path:
        return self.state / "archive"

    @property
    def adhoc_runs(self) -> Path:
        """Where `vbotd train` and `vbotd evaluate` put runs that belong to no campaign."""
        return self.runs / "by-hand"

    def campaign(self, campaign: str) -> Path:
        """The folder of a campaign's views."""
        return self.campaigns / campaign

    def run(self, run: str) -> Path:
        """The folder of a run; its id is the path below `runs/`."""
        return self.runs / run

    def make(self) -> None:
        """Create the folders that a daemon needs; safe to repeat."""
        for folder in (self.inbox, self.commands, self.rejected, self.campaigns, self.shims, self.runs,
                       self.wake_up_archive, self.state / "tasks", self.state / "reward_library"):
            folder.mkdir(parents=True, exist_ok=True)
