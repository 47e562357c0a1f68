"""When does the daemon start the agent loop? At what the configuration names, as a process of its own, and never waits.

Whatever the model's endpoint does, the loop of the daemon has only started a process. What has been seen is in
`state/agent/woken.json`, so a cause that came while no daemon ran is seen late, and never missed.

Reads: the store, `state/sleeps/`. Writes: `state/agent/woken.json`, `state/agent/agent.log`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vbotd.core.agent_waking import KINDS, cause
from vbotd.core.config import Config
from vbotd.daemon.launch import ENV_KEPT, MODEL_ENV
from vbotd.domain.event import Stored
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, write_json_atomic
from vbotd.store.locks import is_locked
from vbotd.store.read import Reader

log = logging.getLogger("vbotd.daemon")

LOOK_EVERY_S = 1.0
A_PAGE = 1_000
MOST_HANDLES = 5
NICE = 5  # a session takes no core from a campaign
AWAKE = ".awake.json"
SLEEPER = "agent:llm"  # under which name the loop sleeps


class AgentWaker:
    """Starts `vbotd agent --once` where there is a reason to, one at a time, with a gap between two starts."""

    def __init__(self, layout: Layout, config: Config) -> None:
        self.config = config
        self._layout = layout
        self._process: subprocess.Popen[bytes] | None = None
        self._looked_at = 0.0

    @property
    def folder(self) -> Path:
        """Where the agent loop keeps its files."""
        return self._layout.state / "agent"

    def update(self, now: float) -> None:
        """Look for a reason, and start a session; what fails is logged and tried at the next look."""
        if not self.config.agents.wake or self.config.model is None or 0 <= now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        try:
            self._look(now)
        except (OSError, StoreError) as error:
            log.warning("action=wake_agent error=%s", error)

    def _look(self, now: float) -> None:
        known = _json(self.folder / "woken.json")
        if not known:
            with Reader(self._layout.store) as reader:  # what was before agents were wanted wakes nobody
                self._note(reader.last_seq(), 0.0)
            return
        at = float(known.get("at") or 0.0)
        if self._is_at_work() or 0 <= now - at < 60.0 * self.config.agents.wake_gap_min:
            return
        seen = int(known.get("seq") or 0)
        found, newest = self._cause(seen)
        handles = list(self._awake_since(max(at, float(_json(self.folder / "served.json").get("at") or 0.0))))
        if found is None and not handles:
            if newest > seen:
                self._note(newest, at)
            return
        # Noted first: a daemon that is killed here has missed one wake-up, it does not start one again and again.
        self._note(newest, now)
        self._start(found.seq if found else 0, handles[:MOST_HANDLES])

    def _cause(self, seen: int) -> tuple[Stored | None, int]:
        """Return the first reason behind an event, and the newest event that was looked at."""
        found: Stored | None = None
        with Reader(self._layout.store) as reader:
            newest = reader.last_seq()
            while found is None and (page := reader.events(after=seen, kinds=KINDS, limit=A_PAGE)):
                found, seen = cause(page, self.config.agents.wake), page[-1].seq
        return found, newest

    def _awake_since(self, at: float) -> Iterator[str]:
        """Yield the handles of the loop's own sleeps that ended after a time."""
        with suppress(FileNotFoundError):
            for path in sorted((self._layout.state / "sleeps").iterdir()):
                if path.name.endswith(AWAKE) and path.stat().st_mtime > at and _json(path).get("by") == SLEEPER:
                    yield path.name.removesuffix(AWAKE)

    def _is_at_work(self) -> bool:
        """Say whether a session is at work, one that a daemon before this one started included."""
        if self._process is not None and self._process.poll() is None:
            return True
        return is_locked(self.folder / "session.lock")

    def _start(self, event: int, handles: list[str]) -> None:
        why = ["--event", str(event)] if event else []
        why += [word for handle in handles for word in ("--awake", handle)]
        command = [sys.executable, "-m", "vbotd", "--home", str(self._layout.home), "agent", "--once", *why]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        output = os.open(self.folder / "agent.log", flags, 0o600)
        try:
            self._process = subprocess.Popen(
                ["nice", "-n", str(NICE), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment(self._layout, os.environ, self.config.model_key), cwd=self._layout.home,
                start_new_session=True, close_fds=True)
        finally:
            os.close(output)
        log.info("action=wake_agent pid=%d event=%d sleeps=%s", self._process.pid, event, ",".join(handles))

    def _note(self, seq: int, at: float) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(self.folder / "woken.json", {"seq": seq, "at": at})


def environment(layout: Layout, environ: Mapping[str, str], model_key: str) -> dict[str, str]:
    """Return the environment of a session: an allow-list, and of all keys the model's alone."""
    kept = {name: environ[name] for name in (*ENV_KEPT, *MODEL_ENV, model_key) if name in environ}
    return {**kept, "VBOTD_HOME": str(layout.home), "PYTHONUNBUFFERED": "1"}


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path) or {}
    except UnreadableFile:
        return {}
