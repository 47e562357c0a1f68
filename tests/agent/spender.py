"""A process that runs sessions of the agent loop and kills them, by failpoint or out of the blue; the last spends on.

Its arguments: the workspace, the endpoint, how many kills, and the caps in tokens and dollars of the day. It prints how
many sessions were killed, and how many there were.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from vbotd import failpoint
from vbotd.agent import llm_calls
from vbotd.agent.ask import Endpoint, ModelError
from vbotd.agent.ledger import Ledger
from vbotd.agent.llm import Session
from vbotd.agent.llm_calls import Caller, settle_lost
from vbotd.agent.registry import Context
from vbotd.core.spending import Caps, Price
from vbotd.layout import Layout

LONGEST_S = 0.3
PLACES = ("agent.after_reserve", "agent.after_answer", "agent.after_record", "agent.after_settle",
          "write.before_rename", "write.after_rename", "")


def post(endpoint: Endpoint, request: dict[str, Any], **_: Any) -> bytes:
    """Send a request as the client does, without the seconds that it takes to build two hundred clients."""
    url = f"{endpoint.url}/chat/completions"
    wanted = urllib.request.Request(url, json.dumps(request).encode(), {"Authorization": "none"})
    try:
        with urllib.request.urlopen(wanted, timeout=endpoint.timeout_s) as reply:
            return reply.read()
    except OSError as error:
        raise ModelError(str(error)) from error


def spend(layout: Layout, url: str, number: int, caps: Caps, *, place: str, passing: int, turns: int = 3) -> None:
    """Run one session until it is killed at a passing of a place, or ends."""
    context = Context(layout=layout, principal="agent:llm", now=time.time)
    ledger = Ledger(layout=layout, caps=caps)
    settle_lost(context, ledger)
    failpoint.arm(layout.home, {failpoint.VARIABLE: f"{place}=kill@{passing}" if place else ""})
    caller = Caller(context=context, api="chat", tools=(), ledger=ledger, instructions="rules", answer_tokens=200,
                    price=Price(usd_in=1.0, usd_out=4.0), session=f"s{number:03d}", pause=lambda seconds: None,
                    endpoint=Endpoint(url=url, model="m", key="", timeout_s=20.0))
    Session(caller=caller, tools=(), turns=turns).run(f"session {number}: " + "look after the night. " * 20)


def main() -> None:
    """Fork a session after the other; those without a place of death are killed after a moment of chance."""
    llm_calls.post = post
    layout, url, count = Layout(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    caps = Caps(tokens_a_day=int(sys.argv[4]), usd_a_day=float(sys.argv[5]), tokens_a_session=10**9)
    chance = random.Random(7)
    killed = number = 0
    while killed < count and number < 3 * count:
        number += 1
        place = PLACES[number % len(PLACES)]
        child = os.fork()
        if child == 0:
            try:
                spend(layout, url, number, caps, place=place, passing=1 + number % 2)
            finally:
                os._exit(0)
        if not place:
            time.sleep(chance.uniform(0.0, LONGEST_S))
            os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    spend(layout, url, number + 1, caps, place="", passing=1, turns=500)
    print(killed, number)


if __name__ == "__main__":
    main()
