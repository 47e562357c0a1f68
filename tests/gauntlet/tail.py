"""The tail of event files: ten million scalars, and every kind of damage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.gauntlet.row import Row, Trial
from tests.store.event_files import CONTENT_DAMAGE, GOOD, LATER, steps
from vbotd.store.tfevents import RunTail

SCALARS = 10_000_000
BAR_S, BAR_MB = 30.0, 200.0
BENCH = Path(__file__).parents[2] / "bench" / "tail.py"


def ten_million_scalars(trial: Trial) -> Row:
    """Read them in a process of its own, as `bench/tail.py` does, and look at the clock and the memory."""
    points = trial.times(SCALARS, 100_000)
    done = subprocess.run([sys.executable, str(BENCH), "--points", str(points), "--no-reference"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        return Row(name="ten million scalars", figure="bench/tail.py failed", bar="", ok=False,
                   failures=(done.stderr[-500:],))
    said = json.loads(done.stdout)
    wall_s, peak_mb = said["points"] / said["points_per_s"], float(said["max_rss_mb"])
    return Row(name="ten million scalars", figure=f"{points:,} scalars in {wall_s:.1f} s, {peak_mb:.0f} MB at most",
               bar=f"{BAR_S:.0f} s for {SCALARS:,}, {BAR_MB:.0f} MB",
               ok=wall_s <= BAR_S * max(trial.share, 0.1) and peak_mb <= BAR_MB)


def damaged_event_files(trial: Trial) -> Row:
    """Put each kind of damage between sound records: it is reported in the first poll, and what follows is read."""
    wrong = []
    for number, (name, (damage, kind)) in enumerate(CONTENT_DAMAGE.items()):
        folder = trial.folder / f"damage-{number}"
        folder.mkdir()
        (folder / "events.out.tfevents.1.host.1").write_bytes(GOOD + damage + LATER)
        seen = RunTail(folder).poll()
        if kind not in [trouble.kind for trouble in seen.troubles]:
            wrong.append(f"{name}: not reported in one poll ({[trouble.kind for trouble in seen.troubles]})")
        if steps(seen)[-1:] != [11]:
            wrong.append(f"{name}: what follows it was not read")
    return Row(name="damaged event files", figure=f"{len(CONTENT_DAMAGE)} kinds, {len(wrong)} wrong",
               bar="each reported within one poll, and what follows is read", ok=not wrong, failures=tuple(wrong[:5]))
