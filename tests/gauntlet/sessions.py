"""Kill sessions of the agent loop at every place of theirs: the ledger is never too small, each call is told once.

The model is a server on this machine that counts what it bills; it lives in a process of its own, since daemons and
sessions are forked from single threads.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.agent import spender
from tests.agent.conftest import ChatServer
from tests.agent.models import HttpReply, reply
from tests.gauntlet.kills import PATIENCE_S, tidy
from tests.gauntlet.lanes import side_by_side
from tests.gauntlet.row import Row, Trial
from vbotd import failpoint
from vbotd.agent import llm_calls
from vbotd.agent.ledger import calls_in
from vbotd.chaos.scratch import Scratch
from vbotd.core.spending import Caps, total
from vbotd.domain.event import AgentTurn
from vbotd.store.read import Reader

PLACES = tuple(name for name in failpoint.NAMES if name.startswith("agent."))
PASSINGS = (1, 2, 3)
TURNS = 4
LANES = 4
CAPS = Caps(tokens_a_day=10_000_000, tokens_a_session=10_000_000)


def kills_of_sessions(trial: Trial) -> Row:
    """Kill a session at each passing of each place, let the next one end well, and hold store and ledger together."""
    rules = [(place, passing) for passing in PASSINGS for place in PLACES]
    stride = max(1, round(1 / trial.share) // 2)
    chosen = rules[trial.seed % stride % len(PLACES)::stride]
    with a_model(trial.folder) as url:
        tasks = [partial(die_at, trial.folder / f"a{number}", url, number, *rule) for number, rule in enumerate(chosen)]
        wrong = tuple(line for lines in side_by_side(tasks, trial.folder, LANES) for line in lines)
    return Row(name="kills of sessions", bar="no call unpaid, unsettled, lost or told twice, at every place",
               ok=not wrong, failures=wrong[:5],
               figure=f"{len(chosen)} deaths at {len({place for place, _ in chosen})} places of the agent loop; "
               f"{len(wrong)} wrong")


def die_at(folder: Path, url: str, number: int, place: str, passing: int) -> list[str]:
    """Let a session die at a place, another one and a daemon finish, and return what is wrong then."""
    rule = f"{place}=kill@{passing}"
    folder.mkdir()
    scratch = Scratch(folder, forked=True)
    if session(scratch, f"{url}/{number}", 1, rule) != -signal.SIGKILL:
        return [f"{rule}: the place was not passed so often"]
    if session(scratch, f"{url}/{number}", 2, "") != 0:
        return [f"{rule}: the session after it did not end well"]
    try:
        code = scratch.start("--until-idle").wait(PATIENCE_S)
        if code != 0:
            return [f"{rule}: the daemon after it ended with {code}"]
    finally:
        tidy(scratch)
    return [f"{rule}: {line}" for line in differences(scratch, billed_by(folder.parent, number))]


def session(scratch: Scratch, url: str, number: int, rule: str) -> int:
    """Run one session in a copy of this process; return its exit code, or the negative number of its signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ["NO_PROXY"] = "127.0.0.1"
            llm_calls.post = spender.post
            place, _, passing = rule.partition("=kill@")
            spender.spend(scratch.layout, url, number, CAPS, place=place, passing=int(passing or 1), turns=TURNS)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def differences(scratch: Scratch, billed: list[int]) -> list[str]:
    """Return in words where the ledger, the store and the model's bill do not fit together."""
    days = sorted((scratch.layout.state / "agent").glob("spent-*.jsonl"))
    entries = {call: entry for day in days for call, entry in calls_in(day).items()}
    with Reader(scratch.layout.store) as reader:
        turns = [stored.event for stored in reader.events(kinds=("AgentTurn",), limit=1000)]
    told = Counter(turn.key for turn in turns if isinstance(turn, AgentTurn))
    spent, bill = total(entries.values()).tokens, sum(billed)
    wrong = [f"{call} was never settled" for call, entry in entries.items() if not entry.settled]
    wrong += [f"{call} is told {told[call]} times" for call in entries.keys() | told.keys() if told[call] != 1]
    wrong += [f"{call} is told and not in the ledger" for call in told.keys() - entries.keys()]
    if not 0 < len(billed) <= len(entries):
        wrong.append(f"{len(billed)} calls were billed, {len(entries)} are in the ledger")
    if bill > spent:
        wrong.append(f"{bill:,} tokens were billed, the ledger has {spent:,}")
    wrong += [f"command {path.name} still waits" for path in scratch.layout.commands.glob("*.json")]
    return wrong


@contextmanager
def a_model(folder: Path) -> Iterator[str]:
    """Serve a model that always asks for `status`; what it bills to whom stands in files beside the scenes."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=serve, args=(there, folder), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(10.0)


def serve(parent: Connection, folder: Path) -> None:
    """Be the model until the parent says that it is over."""
    def bill(asked: dict[str, Any]) -> HttpReply:
        usage = (len(json.dumps(asked)) // 4, 60)
        number = asked["path"].split("/")[2]
        with (folder / f"billed-{number}.txt").open("a") as file:
            file.write(f"{sum(usage)}\n")
        return reply(asked, [("status", {})], usage=usage)

    server = ChatServer()
    server.script = bill
    parent.send(server.url)
    parent.recv()


def billed_by(folder: Path, number: int) -> list[int]:
    """Return the tokens that were billed to a scene, call by call."""
    return [int(tokens) for tokens in (folder / f"billed-{number}.txt").read_text().split()]
