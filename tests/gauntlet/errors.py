"""Make the n-th write, fsync, rename or commit fail with every error, for each n until none is left.

Success, or a loud stop; never something that was acknowledged and is gone.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.gauntlet.kills import scene, tidy, told, unfinished
from tests.gauntlet.lanes import side_by_side
from tests.gauntlet.row import Row, Trial
from vbotd import failpoint
from vbotd.chaos.verdict import verdict

ERRORS = ("ENOSPC", "EIO", "EROFS", "EDQUOT")
PLACES = {"write": "write.before_create", "fsync": "write.before_fsync", "rename": "write.before_rename",
          "folder fsync": "write.after_rename", "commit": "commit.after_events", "end of a commit": "commit.before_end",
          "rename out of the inbox": "intake.before_put_away", "rename of a backup": "backup.before_rename"}
LANES = 6
PATIENCE_S = 120.0
MOST = 400  # passings of one place; a daemon that passes it more often than that in two trials has gone mad


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What came of the passings of one place that failed with one error."""

    cases: int = 0
    borne: int = 0
    stopped: int = 0
    wrong: tuple[str, ...] = ()


def failing_writes(trial: Trial) -> Row:
    """Sweep every place with every error; a part of the share takes, of each pair in turn, every so many-th passing."""
    pairs = [(place, error) for place in PLACES.values() for error in ERRORS]
    stride = max(1, round(1 / trial.share))
    if stride > 1:  # fewer pairs, so that each place comes with one error or another, and each error with a place
        pairs = pairs[trial.seed % 5::min(5, stride)]
    tasks = [partial(sweep, trial.folder / f"e{number}", place, error, stride, trial.seed)
             for number, (place, error) in enumerate(pairs)]
    swept = side_by_side(tasks, trial.folder, LANES)
    wrong = tuple(line for each in swept for line in each.wrong)
    return Row(name="failing writes", bar="success or a loud stop, nothing acknowledged and lost", ok=not wrong,
               failures=wrong[:5],
               figure=f"{sum(each.cases for each in swept)} failures: {len({place for place, _ in pairs})} places, "
               f"each passing with {', '.join(sorted({error for _, error in pairs}))}: "
               f"{sum(each.borne for each in swept)} borne, {sum(each.stopped for each in swept)} loud stops, "
               f"{len(wrong)} wrong")


def sweep(folder: Path, place: str, error: str, stride: int = 1, offset: int = 0) -> Swept:
    """Let the n-th passing fail, n = 1, 2, ... until a daemon is done before it."""
    folder.mkdir()
    found = Swept()
    for passing in range(1 + offset % min(stride, 2), MOST, stride):
        one = case(folder / f"n{passing}", place, error, passing)
        if one is None:
            return found
        found = Swept(cases=found.cases + 1, borne=found.borne + one.borne, stopped=found.stopped + one.stopped,
                      wrong=found.wrong + one.wrong)
    return Swept(cases=found.cases, wrong=(*found.wrong, f"{place}: no end after {MOST} passings"))


def case(folder: Path, place: str, error: str, passing: int) -> Swept | None:
    """Let one passing fail; None where it was never reached."""
    rule = f"{place}={error}@{passing}"
    folder.mkdir()
    scratch = scene(folder, trials=1)
    try:
        try:
            code = scratch.start("--until-idle", environment={failpoint.VARIABLE: rule}).wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            return Swept(cases=1, wrong=(f"{rule}: neither done nor stopped after {PATIENCE_S:.0f} s",))
        if f"place={place}" not in scratch.layout.log.read_text():
            return None
        wrong = []
        if code != 0 and not scratch.out.read_text().strip():
            wrong.append(f"{rule}: the daemon ended with {code} and without a word")
        if code != 0 or unfinished(scratch):  # what could not be put away stays in the folder for the next one
            again = scratch.start("--until-idle").wait(PATIENCE_S)
            if again != 0:
                wrong.append(f"{rule}: the daemon after it ended with {again}")
        wrong += [f"{rule}: {line}" for line in (*told(verdict(scratch)), *unfinished(scratch))]
    finally:
        tidy(scratch)
    if wrong:
        print("\n".join(f"    {line}" for line in wrong), file=sys.stderr)
    return Swept(cases=1, borne=int(code == 0), stopped=int(code != 0), wrong=tuple(wrong))
