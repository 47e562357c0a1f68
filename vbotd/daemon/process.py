"""The daemon as a process: configuration, log, signals; then the loop."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
from logging.handlers import RotatingFileHandler
from typing import Any

from vbotd import failpoint
from vbotd.core.config import ConfigError
from vbotd.daemon.loop import Daemon
from vbotd.layout import Layout
from vbotd.store.configuration import read_config

__all__ = ["read_config", "run_daemon"]

log = logging.getLogger("vbotd.daemon")

LOG_BYTES = 8 << 20


def run_daemon(layout: Layout, *, until_idle: bool = False, quiet: bool = False) -> None:
    """Run a daemon over a workspace until it is stopped or idle.

    Raises: LockHeld, StoreError or ConfigError, each with what to do.
    """
    os.umask(0o077)
    config = read_config(layout)
    layout.make()
    failpoint.arm(layout.home)
    _log_to(layout, quiet=quiet)
    daemon = Daemon(layout, config, until_idle=until_idle)
    _handle_signals(daemon, layout)
    daemon.run()


def _log_to(layout: Layout, *, quiet: bool) -> None:
    root = logging.getLogger("vbotd")
    root.setLevel(logging.INFO)
    root.propagate = False
    handlers: list[logging.Handler] = [RotatingFileHandler(layout.log, maxBytes=LOG_BYTES, backupCount=3)]
    if not quiet:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        root.addHandler(handler)


def _handle_signals(daemon: Daemon, layout: Layout) -> None:
    asked: list[int] = []

    def on_stop(number: int, frame: Any) -> None:
        if asked:
            os._exit(128 + number)
        asked.append(number)
        daemon.stop(f"asked to by {signal.Signals(number).name}")

    def on_reload(number: int, frame: Any) -> None:
        try:
            daemon.reload(read_config(layout))
            log.info("action=reload file=%s", layout.config)
        except ConfigError as error:
            log.error("action=reload error=%s — the configuration stays as it was", error)

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, on_reload)
    faulthandler.register(signal.SIGUSR1)
