"""What becomes of a campaign that is dropped into the inbox? Known, accepted, refused, or still waiting."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from vbotd.domain.event import CampaignRefused
from vbotd.layout import Layout
from vbotd.store.inbox import daemon_is_running, drop_campaign, wait_in_store
from vbotd.store.read import Reader

WAIT_S = 5.0
Fate = tuple[str, Any]


def submit_bytes(layout: Layout, file: str, data: bytes, *, wait_s: float = WAIT_S) -> Fate:
    """Put one file into the inbox and return what became of it.

    Returns: ("known", campaign), ("accepted", campaign), ("refused", problems) or ("queued", path in the inbox).
    """
    sha256 = hashlib.sha256(data).hexdigest()
    known = wait_in_store(layout, lambda reader: reader.campaign_with(sha256), 0.0)
    if known is not None:
        return "known", known
    path = drop_campaign(layout, "stdin.yaml" if file == "-" else file, data)
    fate = wait_in_store(layout, lambda reader: _fate_of(reader, sha256, path),
                         wait_s if daemon_is_running(layout) else 0.0)
    return fate or ("queued", str(path))


def _fate_of(reader: Reader, sha256: str, waits_as: Path) -> Fate | None:
    """Return what the daemon decided about the bytes with this hash, None while it has not."""
    campaign = reader.campaign_with(sha256)
    if campaign is not None:
        return "accepted", campaign
    # A refusal from before may be out of date, so it counts only once the file has been taken and refused again,
    # which the store does not repeat.
    if waits_as.exists():
        return None
    for stored in reversed(reader.last_events(kinds=("CampaignRefused",), limit=200)):
        if isinstance(stored.event, CampaignRefused) and stored.event.sha256 == sha256:
            return "refused", stored.event.problems
    return None
