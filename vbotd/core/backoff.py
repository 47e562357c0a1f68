"""How long does a run wait before it is started again? The first time not at all, then twice as long each time."""

from __future__ import annotations

import zlib

from vbotd.domain.trial import Run

FIRST_S = 2.0
LONGEST_S = 300.0


def not_before(run: Run) -> float:
    """Return the epoch time before which a queued run is not launched.

    A run that never began (launches that were fenced) and one that was lost count alike. The wait is spread by
    up to a half either way, by the run's name, so that what failed together does not come back together.
    """
    tries = max(run.launch, run.attempt - 1)
    if tries < 2:
        return run.queued_at
    wait_s = min(LONGEST_S, FIRST_S * 2.0 ** (tries - 2))
    spread = 0.5 + zlib.crc32(f"{run.id}|{tries}".encode()) / 2**32
    return run.queued_at + wait_s * spread
