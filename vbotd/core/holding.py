"""When is nothing new started, though there would be work? After a crash loop, and while the disk is nearly full.

What runs goes on and is watched, commands are answered and reports are written: only launches and proposals wait.
"""

from __future__ import annotations

from collections.abc import Iterable

CRASHES = 4  # daemons that died without a word, within the window: this many and the next one only looks on
CRASH_WINDOW_S = 300.0
LONGEST_CALM_S = 3600.0
LOW_BYTES = 512 << 20  # a checkpoint of a large run, the store and the reports must still fit
ENOUGH_BYTES = 768 << 20  # where it starts again, so that it does not flicker


def crash_loop(unclean_starts: Iterable[float], started_at: float, now: float, calm_s: float) -> str:
    """Return why a daemon that began at `started_at` holds back, "" where it need not.

    Args:
        unclean_starts: epoch times of starts before which a daemon had died without a word, this one's included.
        calm_s: how long it looks on before it tries again, doubled for each further crash; 0: it never holds back.
    """
    recent = sorted(at for at in unclean_starts if started_at - LONGEST_CALM_S <= at <= started_at)
    in_window = [at for at in recent if at >= started_at - CRASH_WINDOW_S]
    if len(in_window) < CRASHES:
        return ""
    calm_s = min(LONGEST_CALM_S, calm_s * 2.0 ** (len(recent) - CRASHES))
    if now >= started_at + calm_s:
        return ""
    return (f"the daemon died {len(in_window)} times in {CRASH_WINDOW_S / 60:.0f} minutes; it looks on until it has "
            f"lived for {calm_s / 60:.0f} minutes, then starts runs again; 'vbotd log' and state/vbotd.log tell of it")


def low_disk(free_bytes: int | None, *, was_low: bool) -> str:
    """Return why nothing may be started for want of room, "" where there is enough (None: nobody could look)."""
    bar = ENOUGH_BYTES if was_low else LOW_BYTES
    if free_bytes is None or free_bytes >= bar:
        return ""
    return (f"the disk has {free_bytes / 2**20:,.0f} MiB left, {bar / 2**20:,.0f} MiB are wanted before anything is "
            "started; make room, or lower keep_gb in vbotd.yaml, and it goes on by itself")
