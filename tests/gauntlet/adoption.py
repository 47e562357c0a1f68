"""Restart the daemon under eight live runs: every one is adopted, and how each ended is told truly."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.gauntlet import beasts
from tests.gauntlet.kills import tidy
from tests.gauntlet.row import Row, Trial
from tests.waiting import wait_until
from vbotd.chaos.scratch import Scratch
from vbotd.domain.event import RunAdopted
from vbotd.domain.trial import Run
from vbotd.errors import StoreError
from vbotd.store.files import write_atomic
from vbotd.store.read import Reader

RESTARTS = 100
RESTARTS_A_ROUND = 20
RUNS = 8
ORDERS = (0, 5, 7, 125, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGTERM)  # how each run is to end
CONFIG = f"slots: {RUNS}\nfork_server: never\nmax_attempts: 1\ncrash_calm_s: 0\n"
BEAST = """version: 1
name: {name}
task: beast
skills: []
budget: {{trials: 1}}
env: {{kind: {kind}}}
"""
PATIENCE_S = 120.0


def adoption(trial: Trial) -> Row:
    """Restart by SIGKILL and SIGTERM in turns; at the end of each round all runs end while no daemon lives."""
    home = trial.folder / "w"
    home.mkdir()
    scratch = Scratch(home, plugin=Path(beasts.__file__), config=CONFIG, forked=True)
    restarts = trial.times(RESTARTS, 2)
    wrong: list[str] = []
    true = done = 0
    try:
        while done < restarts:
            count = min(RESTARTS_A_ROUND, restarts - done)
            wrong += [f"restart {done + n}: {line}" for n, line in play_round(scratch, f"round{done}", count)]
            done += count
            told = wrong_ends(scratch, f"round{done - count}")
            true += RUNS - len(told)
            wrong += told
            print(f"    {done} of {restarts} restarts", file=sys.stderr)
    finally:
        tidy(scratch)
    rounds = -(-restarts // RESTARTS_A_ROUND)
    adopted = events(scratch, RunAdopted.__name__)
    ok = not wrong and adopted == restarts * RUNS and true == rounds * RUNS
    if not ok and not wrong:
        wrong.append(f"{adopted} adoptions of {restarts * RUNS}")
    return Row(name="adoption", bar="every live run adopted, every exit code true", ok=ok, failures=tuple(wrong[:5]),
               figure=f"{adopted:,} of {restarts * RUNS:,} live runs adopted in {restarts} restarts; {true} of "
               f"{rounds * RUNS} ends that no daemon saw told truly")


def play_round(scratch: Scratch, name: str, restarts: int) -> list[tuple[int, str]]:
    """Start the runs, restart the daemon over them, let them end while it is down, and have a last one tell."""
    for number in range(RUNS):
        text = BEAST.format(name=f"{name}-{number}", kind="obedient")
        (scratch.layout.inbox / f"{name}-{number}.yaml").write_text(text)
    daemon = scratch.start()
    live = wait_until(lambda: all_running(scratch, name), PATIENCE_S)
    wrong = []
    for number in range(restarts):
        before = events(scratch, RunAdopted.__name__)
        if number % 2:
            daemon.terminate()
        else:
            daemon.kill()
        daemon.wait()
        daemon = scratch.start()
        until = time.monotonic() + PATIENCE_S
        while (found := events(scratch, RunAdopted.__name__) - before) < RUNS and time.monotonic() < until:
            time.sleep(0.02)
        if found != RUNS:
            wrong.append((number, f"{found} of {RUNS} adopted"))
    daemon.kill()
    daemon.wait()
    for run, order in zip(live, ORDERS, strict=True):
        # In one step: a run that read an order half written would end by that.
        write_atomic(scratch.layout.run(run.id) / beasts.ORDERS, str(order), durable=False)
    wait_until(lambda: all((scratch.layout.run(run.id) / "exit.json").exists() for run in live), PATIENCE_S)
    if scratch.start("--until-idle").wait(PATIENCE_S) != 0:
        wrong.append((restarts, "the last daemon did not end well"))
    return wrong


def all_running(scratch: Scratch, name: str) -> list[Run]:
    """Return the training runs of a round in the order of their campaigns, once each of them has begun."""
    begun = {run for what, run, _ in scratch.ledger() if what == "start"}
    runs = sorted((run for run in runs_of(scratch) if run.id.startswith(f"{name}-") and run.kind == "train"
                   and run.status == "running" and run.id in begun), key=lambda run: run.id)
    return runs if len(runs) == RUNS else []


def wrong_ends(scratch: Scratch, name: str) -> list[str]:
    """Return the runs of a round whose end is not told as it was."""
    runs = sorted((run for run in runs_of(scratch) if run.id.startswith(f"{name}-") and run.kind == "train"),
                  key=lambda run: run.id)
    wrong = [] if len(runs) == RUNS else [f"{name}: {len(runs)} training runs"]
    for run, order in zip(runs, ORDERS, strict=False):
        said = (run.outcome, run.exit_code, run.signal)
        is_so = ("finished" if order == 0 else "failed", order if order >= 0 else None, -order if order < 0 else None)
        if said != is_so:
            wrong.append(f"{run.id}: told {said}, was {is_so}")
    return wrong


def runs_of(scratch: Scratch) -> list[Run]:
    """Return all runs that the store knows."""
    try:
        with Reader(scratch.layout.store) as reader:
            return [run for record in reader.records() for run in reader.runs(record.id)]
    except StoreError:
        return []


def events(scratch: Scratch, kind: str) -> int:
    """Return how many events of a kind there are."""
    with Reader(scratch.layout.store) as reader:
        return len(reader.events(kinds=(kind,), limit=1_000_000))
