"""What the daemon tells systemd: READY, STATUS, WATCHDOG, STOPPING. Silent where nobody asked."""

from __future__ import annotations

import os
import socket
import time


class Notices:
    """Sends notices to the socket that systemd names; a WATCHDOG is sent only by a loop that made progress."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        watchdog_us = os.environ.get("WATCHDOG_USEC", "")
        self._every_s = int(watchdog_us) / 2e6 if watchdog_us.isdigit() else None
        self._last = 0.0

    def send(self, text: str) -> None:
        """Send one notice; a socket that is gone is no reason to stop."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.sendto(text.encode(), address)
        except OSError:
            return

    def progressed(self) -> None:
        """Tell that a whole tick was completed."""
        now = time.monotonic()
        if self._every_s is not None and now - self._last >= self._every_s:
            self._last = now
            self.send("WATCHDOG=1")
