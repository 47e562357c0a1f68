"""The loop: observe, decide, commit, plan, perform. Everything else in this package is one of these words."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from vbotd import __version__, failpoint
from vbotd.core import sighting as s
from vbotd.core.config import Config
from vbotd.core.decide import decide
from vbotd.core.holding import LONGEST_CALM_S, crash_loop, low_disk
from vbotd.core.parse import parse_campaign
from vbotd.core.plan import Done, Patience, plan
from vbotd.core.redaction import secrets_of
from vbotd.core.sighting import Circumstances, FileSeen, Sighting
from vbotd.core.state import State
from vbotd.core.without_secrets import without_secrets
from vbotd.daemon import shim
from vbotd.daemon.agent_waking import AgentWaker
from vbotd.daemon.circumstances import circumstances_of, free_bytes
from vbotd.daemon.clock import Alarms, last_due, schedule_since
from vbotd.daemon.folders import FolderWatch
from vbotd.daemon.housekeeping import Housekeeping
from vbotd.daemon.intake import Inbox
from vbotd.daemon.launch import LocalLauncher
from vbotd.daemon.lock import WorkspaceLock
from vbotd.daemon.notices import Notices
from vbotd.daemon.perform import perform
from vbotd.daemon.questions import Questions
from vbotd.daemon.reporting import Reporting
from vbotd.daemon.watching import Watching
from vbotd.domain import event as e
from vbotd.domain.campaign import Campaign
from vbotd.domain.event import Event, Stored
from vbotd.domain.finding import Problem
from vbotd.errors import StoreFull
from vbotd.host.catalogue import Catalogue
from vbotd.host.client import PluginHost
from vbotd.host.messages import HostGone, Message
from vbotd.host.one_shot import remember_catalogue
from vbotd.layout import Layout
from vbotd.store.events import EventStore

log = logging.getLogger("vbotd.daemon")

BUSY_TICK_S = 0.2  # while a process or a plugin is expected to answer
IDLE_TICK_S = 1.0
WATCH_EVERY_S = 2.0
OPINION_EVERY_S = 30.0
SEEN_AGAIN = (s.RunSeen, s.FileSeen, s.CommandSeen, s.ScheduleDueSeen)  # at the next look, if they are not decided now


class Daemon:
    """One daemon over one workspace. `run` returns when it was asked to stop, or has nothing left to do."""

    def __init__(self, layout: Layout, config: Config, *, until_idle: bool = False) -> None:
        layout.make()
        self._layout, self._config, self._until_idle = layout, config, until_idle
        self._lock = WorkspaceLock(layout.lock)
        self._store = EventStore(layout.store)
        self._wake = threading.Event()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._host = PluginHost(layout.home, plugins_allowed=config.plugins, on_message=self._on_message,
                                deadlines={"opinion": config.opinion_s, "proposal": config.proposal_s})
        self._questions = Questions(self._host)
        self._launcher = LocalLauncher(layout, fork_server=config.fork_server, model_key=config.model_key)
        self._inbox = Inbox(layout, self._store)
        self._watching = Watching(layout)
        self._secrets = secrets_of(config, os.environ)
        self._reporting = Reporting(layout, self._questions, self._secrets)
        self._alarms = Alarms(self._wake.set, tick_s=5.0, report_hour=config.report_hour)
        self._folders = FolderWatch((layout.inbox, layout.commands), self._wake.set, how=config.watch)
        self._notices = Notices()
        self._housekeeping = Housekeeping(layout, config.keep_gb)
        self._waker = AgentWaker(layout, config)
        self._done = Done()
        self._later: list[Sighting] = []
        self._nonce = secrets.token_hex(8)
        self._stop_why = ""
        self._watched_at = self._opinions_at = self._started_at = 0.0
        self._unclean_starts: tuple[float, ...] = ()

    @property
    def state(self) -> State:
        """What is true now, for tests and for the final report."""
        return self._store.state

    def stop(self, why: str) -> None:
        """Ask the loop to end; runs go on. Safe in a signal handler."""
        self._stop_why = why
        self._wake.set()

    def reload(self, config: Config) -> None:
        """Take a new configuration; what a running host was started with changes at its next start."""
        self._config = config
        self._secrets = self._reporting.secrets = secrets_of(config, os.environ)
        self._launcher.fork_server, self._launcher.model_key = config.fork_server, config.model_key
        self._housekeeping.keep_gb = config.keep_gb
        self._waker.config = config
        self._wake.set()

    def run(self) -> None:
        """Work until stopped (or idle, where that was asked for)."""
        self._begin()
        try:
            while not self._stop_why:
                self._tick()
                if self._until_idle and self._is_idle():
                    self._stop_why = "nothing is left to do"
                    break
                self._wake.wait(BUSY_TICK_S if self._is_busy() else IDLE_TICK_S)
                self._wake.clear()
        finally:
            self._end()

    def _tick(self) -> None:
        seen = self._observe()
        circumstances = self._circumstances()
        failpoint.hit("tick.before_decide")
        events = decide(self.state, seen, circumstances)
        try:
            stored = self._commit(events, circumstances.now)
        except StoreFull as error:
            self._wait_for_room(error, seen)
            return
        failpoint.hit("tick.before_perform")
        for effect in plan(self.state, self._done, circumstances, self._patience()):
            self._later += perform(effect, done=self._done, launcher=self._launcher, questions=self._questions,
                                   blocked=self.state.blocked)
        self._after(seen, stored, circumstances.now)
        self._notices.progressed()
        failpoint.hit("tick.end")

    def _wait_for_room(self, error: StoreFull, seen: list[Sighting]) -> None:
        """Keep what would not be seen again until there is room; what runs goes on, nothing is acknowledged."""
        log.error("action=commit error=%s — it is tried again until there is room", error)
        self._later = [s for s in seen if not isinstance(s, SEEN_AGAIN)] + self._later
        self._reporting.update((), time.time(), self.state)  # there may be room enough for that
        self._notices.progressed()
        time.sleep(IDLE_TICK_S)

    def _observe(self) -> list[Sighting]:
        """Return everything that the shell can see now."""
        now = time.time()
        seen, self._later = self._later, []
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, HostGone):
                log.warning("action=host_gone %s", message.detail)
            seen += self._questions.hear(message)
        self._launcher.tend()
        seen += [self._launcher.look(run) for run in self.state.runs.values() if run.is_live]
        seen += self._watch(now)
        seen += self._due(now)
        for command in self._inbox.commands():
            if isinstance(command, Path):
                self._inbox.forget_command(command)
            else:
                seen.append(command)
        if self._questions.catalogue is not None:
            seen += [file for read in self._inbox.files(self._parse) if (file := self._questions.checked(read))]
        return [without_secrets(sighting, self._secrets) for sighting in seen]

    def _watch(self, now: float) -> list[Sighting]:
        if now - self._watched_at < WATCH_EVERY_S:
            return []
        self._watched_at = now
        live = [run for run in self.state.runs.values() if run.is_live]
        found: list[Sighting] = list(self._watching.poll(live))
        if self._questions.hooked("watch", self.state.blocked) and now - self._opinions_at > OPINION_EVERY_S:
            self._opinions_at = now
            for run in live:
                if run.kind == "train" and run.status == "running":
                    self._questions.watch(run.campaign, run.id)
        return found

    def _due(self, now: float) -> Iterable[Sighting]:
        self._alarms.follow(self.state.campaigns.values(), now)
        for campaign in self.state.campaigns.values():
            if campaign.status == "scheduled" and campaign.content.schedule:
                due = last_due(campaign.content.schedule, since=schedule_since(campaign), now=now)
                if due is not None:
                    yield s.ScheduleDueSeen(campaign=campaign.id, due_at=due,
                                            taken=self._store.campaign_ids(campaign.content.name))

    def _commit(self, events: tuple[Event, ...], now: float) -> tuple[Stored, ...]:
        stored = self._store.commit(events, now)
        for item in stored:
            log.info("action=%s seq=%d %s", type(item.event).__name__, item.seq, _brief(item.event))
        return stored

    def _after(self, seen: list[Sighting], stored: tuple[Stored, ...], now: float) -> None:
        """Clear what was decided from the drop folders, tell the plugins, write the views."""
        accepted = {item.event.sha256: item.event.campaign for item in stored
                    if isinstance(item.event, e.CampaignAccepted)}
        for sighting in seen:
            if isinstance(sighting, FileSeen):
                self._inbox.put_away(sighting, sighting.known_as or accepted.get(sighting.sha256))
            elif isinstance(sighting, s.CommandSeen):
                self._inbox.forget_command(sighting.key)
            elif isinstance(sighting, s.CatalogueSeen) and self._questions.catalogue is not None:
                self._remember(self._questions.catalogue)
        self._inbox.settled()
        for item in stored:
            if isinstance(item.event, e.PluginBlocked):
                self._host.block(item.event.plugin)
            elif self._questions.hooked("on_event", self.state.blocked):
                self._questions.notice(item.event)
        if any(isinstance(item.event, e.CampaignClosed) for item in stored):
            self._done.forget_closed(self.state)
            self._questions.forget_closed(self.state.runs)
        self._reporting.update(stored, now, self.state)
        self._waker.update(now)

    def _remember(self, catalogue: Catalogue) -> None:
        try:
            remember_catalogue(self._layout.home, catalogue, self._config.plugins)
        except OSError as error:  # a view: who needs it asks the plugins itself
            log.warning("action=remember_catalogue error=%s", error)

    def _circumstances(self) -> Circumstances:
        now = time.time()
        hold = crash_loop(self._unclean_starts, self._started_at, now, self._config.crash_calm_s) or low_disk(
            free_bytes(self._layout), was_low=bool(self.state.held))
        return circumstances_of(self.state, self._config, self._questions, now=now, nonce=self._nonce, hold=hold,
                                progress=self._watching.progress)

    def _parse(self, data: bytes) -> Campaign | tuple[Problem, ...]:
        catalogue = self._questions.catalogue
        assert catalogue is not None, "files are read only once the catalogue is known"
        return parse_campaign(data, tasks={task.name: task for task in catalogue.tasks},
                              skills={skill.name: skill for skill in catalogue.skills})

    def _patience(self) -> Patience:
        return Patience(before_term_s=self._config.stop_term_s, before_kill_s=self._config.stop_kill_s)

    def _is_busy(self) -> bool:
        return bool(self._later) or self._questions.is_waiting or not self._inbox.is_empty() or any(
            run.is_live for run in self.state.runs.values())

    def _is_idle(self) -> bool:
        """Say whether only a person or a clock could bring new work."""
        working = any(c.status in ("open", "closing") for c in self.state.campaigns.values())
        asking = self._questions.catalogue is None or self._questions.is_waiting
        return not (working or asking or self._later or any(run.is_live for run in self.state.runs.values())
                    ) and self._inbox.is_empty()

    def _on_message(self, message: Message) -> None:
        self._messages.put(message)
        self._wake.set()

    def _begin(self) -> None:
        last = self._store.last_event("DaemonStarted", "DaemonStopped")
        clean = last is None or isinstance(last.event, e.DaemonStopped)
        self._started_at = time.time()
        self._commit((e.DaemonStarted(pid=os.getpid(), version=__version__, boot_id=shim.boot_id(), clean=clean),),
                     self._started_at)
        self._unclean_starts = self._store.unclean_starts(since=self._started_at - LONGEST_CALM_S)
        self._housekeeping.start()
        self._host.start()
        self._folders.start()
        self._alarms.start()
        self._notices.send("READY=1")

    def _end(self) -> None:
        self._notices.send("STOPPING=1")
        left = sum(run.is_live for run in self.state.runs.values())
        if self._stop_why:  # without a reason an error is on its way out, and the next start will say so
            self._say_goodbye(left)
        self._housekeeping.stop()
        self._alarms.stop()
        self._folders.stop()
        self._host.stop()
        self._launcher.close()
        self._store.close()
        self._lock.release()


    def _say_goodbye(self, left: int) -> None:
        gone = e.DaemonStopped(pid=os.getpid(), why=self._stop_why, left_running=left)
        try:
            stored = self._commit((gone,), time.time())
        except StoreFull as error:  # the next start will say that this one died; nothing else is lost
            log.error("action=stop error=%s", error)
            return
        self._reporting.update(stored, time.time(), self.state, final=True)


def _brief(event: Event) -> str:
    """Return the ids and words of an event for one log line."""
    fields = {name: getattr(event, name) for name in event.__slots__ if name not in ("content", "text", "metrics")}
    return " ".join(f"{name}={str(value)[:120]!r}" for name, value in fields.items() if value not in ("", None, (), {}))
