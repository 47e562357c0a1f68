"""Kill anything: at random moments, and at every named place of the daemon. Nothing lost, doubled, or drifted."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from tests.gauntlet.lanes import side_by_side
from tests.gauntlet.row import Row, Trial
from vbotd import failpoint
from vbotd.chaos.killing import kill_again_and_again, run_processes
from vbotd.chaos.scratch import Scratch
from vbotd.chaos.verdict import Verdict, verdict
from vbotd.store.inbox import drop_campaign, send_command

KILLS = 500
LANES = 4
PATIENCE_S = 120.0
LATER = {"commit": 6, "write": 9, "tick": 7}  # at which passing the second death is; elsewhere the second
ONCE = ("backup.before_rename",)  # a second backup comes after an hour
BROKEN = b"version: 1\nname: broken\ntask: chaos_walk\nbudget: {trails: 1}\n"


def random_kills(trial: Trial) -> Row:
    """Kill daemons, shims and workers at random moments in several scratch workspaces."""
    kills = trial.times(KILLS, 4)
    lanes = min(LANES, kills // 4)
    shares = [kills // lanes + (lane < kills % lanes) for lane in range(lanes)]
    began = time.monotonic()
    tasks = [partial(_lane, trial.folder / f"w{lane}", count, trial.seed * 1000 + lane)
             for lane, count in enumerate(shares)]
    answers = side_by_side(tasks, trial.folder, lanes)
    wall_s = time.monotonic() - began
    victims: Counter[str] = sum((hits for hits, _ in answers), Counter())
    found = [each for _, each in answers]
    wrong = tuple(f"lane {lane}: {line}" for lane, each in enumerate(found) for line in told(each))
    hits = ", ".join(f"{count} {victim}" for victim, count in sorted(victims.items()))
    return Row(
        name="random kills", bar="0 lost, 0 doubled, 0 drift", ok=not wrong, failures=wrong[:5],
        figure=f"{victims.total()} SIGKILLs ({hits}), {wall_s / victims.total():.2f} s each; "
               f"{sum(len(each.lost) + len(each.false) for each in found)} lost or false, "
               f"{sum(len(each.doubled) for each in found)} doubled, {sum(len(each.drift) for each in found)} drift, "
               f"{sum(len(each.stray) for each in found)} stray of {sum(each.runs for each in found):,} runs, "
               f"{sum(each.adopted for each in found)} adopted")


def _lane(folder: Path, kills: int, seed: int) -> tuple[Counter[str], Verdict]:
    folder.mkdir()
    scratch = Scratch(folder, forked=True)
    try:
        victims = kill_again_and_again(scratch, kills, seed, _told, longest_s=1.5 * _first_run_s(scratch))
    finally:
        scratch.close()
    return victims, verdict(scratch)


def _first_run_s(scratch: Scratch) -> float:
    """Return how long it takes from a start to the first live run: kills are to fall before, at, and after it."""
    scratch.drop("first", trials=1)
    daemon, began = scratch.start(), time.monotonic()
    while not scratch.ledger() and time.monotonic() < began + PATIENCE_S:
        time.sleep(0.01)
    took_s = time.monotonic() - began
    daemon.kill()
    daemon.wait()
    return took_s


def _told(done: int, of: int) -> None:
    if done % 25 == 0:
        print(f"    {done} of {of} killed", file=sys.stderr)


def kills_at_places(trial: Trial) -> Row:
    """Kill the daemon at the first and at a later passing of every place, and let the next one finish."""
    rules = all_rules()
    chosen = rules[trial.seed % 3::max(1, round(1 / trial.share))]
    tasks = [partial(die_at, trial.folder / f"p{number}", *rule) for number, rule in enumerate(chosen)]
    wrong = tuple(line for lines in side_by_side(tasks, trial.folder, LANES) for line in lines)
    return Row(name="kills at places", bar="0 lost, 0 doubled, 0 drift, at every place", ok=not wrong,
               failures=wrong[:5], figure=f"{len(chosen)} deaths at {len({name for name, _ in chosen})} places of the "
               f"daemon; {len(wrong)} wrong")


def all_rules() -> list[tuple[str, int]]:
    """Return (place, passing) of the daemon's own; those of the agent loop are in sessions.py."""
    rules = []
    for name in failpoint.NAMES:
        kind = name.partition(".")[0]
        if kind != "agent":
            rules.append((name, 1))
            if name not in ONCE:
                rules.append((name, LATER.get(kind, 2)))
    return rules


def die_at(folder: Path, name: str, passing: int) -> list[str]:
    """Let a daemon die at a place, another one finish, and return what is wrong then."""
    rule = f"{name}=kill@{passing}"
    folder.mkdir()
    scratch = scene(folder)
    try:
        died = scratch.start("--until-idle", environment={failpoint.VARIABLE: rule}).wait(PATIENCE_S)
        if died != -signal.SIGKILL:
            return [f"{rule}: the place was not passed so often (exit code {died})"]
        code = scratch.start("--until-idle").wait(PATIENCE_S)
        if code != 0:
            return [f"{rule}: the daemon after it ended with {code}"]
    finally:
        tidy(scratch)
    return [f"{rule}: {line}" for line in (*told(verdict(scratch)), *unfinished(scratch))]


def scene(folder: Path, *, trials: int = 2) -> Scratch:
    """Return a workspace with a campaign, a file that will be refused, and two commands."""
    scratch = Scratch(folder, forked=True)
    scratch.drop("night", trials=trials, train_s=0.02)
    drop_campaign(scratch.layout, "broken.yaml", BROKEN)
    for number in (1, 2):
        send_command(scratch.layout, "resume", {"id": "nobody"}, principal="gauntlet", key=f"k{number}")
    return scratch


def unfinished(scratch: Scratch) -> list[str]:
    """Return what a daemon that had nothing left to do has left undone in the drop folders."""
    layout = scratch.layout
    left = [path.name for folder in (layout.inbox, layout.commands) for path in folder.iterdir() if path.name[0] != "."]
    found = [f"{name} still waits" for name in left]
    return found + [f"rejected/{name} is not there" for name in ("broken.yaml", "broken.yaml.why.md")
                    if not (layout.rejected / name).exists()]


def told(found: Verdict) -> list[str]:
    """Return what a verdict says is wrong, in words."""
    return [f"{name}: {', '.join(items[:5])}" for name, items in (
        ("lost", found.lost), ("doubled", found.doubled), ("false", found.false), ("drift", found.drift),
        ("stray", found.stray)) if items]


def tidy(scratch: Scratch) -> None:
    """End the daemon and, where it died for good, the runs that it left."""
    idle = scratch.daemon is not None and scratch.daemon.poll() == 0
    scratch.close()
    if not idle:
        for process in run_processes(scratch):
            with suppress(psutil.Error):
                process.kill()
