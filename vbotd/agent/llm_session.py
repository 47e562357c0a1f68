"""How does a session of the agent loop begin? One at a time, with its goal, why it was woken, and what stands where.

Reads: `vbotd.yaml`, the store. Writes: `state/agent/` (the ledger, `session.lock`, `served.json`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from vbotd import failpoint
from vbotd.agent.ask import endpoint_of
from vbotd.agent.context import context_of
from vbotd.agent.ledger import Ledger, folder
from vbotd.agent.llm import GOAL, RULES, Ending, Session, new_session
from vbotd.agent.llm_calls import Caller, settle_lost
from vbotd.agent.looking import WakeUpArguments, wake_up
from vbotd.agent.registry import Context
from vbotd.agent.tools import INSTRUCTIONS, all_tools
from vbotd.agent.untrusted import fence
from vbotd.core.config import AgentsConfig
from vbotd.core.redaction import redact_text
from vbotd.core.spending import Caps, Price
from vbotd.core.telling import about, tell
from vbotd.errors import LockHeld, StoreError
from vbotd.layout import Layout
from vbotd.store.configuration import read_config
from vbotd.store.files import write_json_atomic
from vbotd.store.read import Reader

PRINCIPAL = "agent:llm"
BRIEF_TOKENS = 600
LOCK_TRIES = 5


def run_session(layout: Layout, *, goal: str = "", turns: int | None = None, once: bool = False, event: int = 0,
                awake: Sequence[str] = (), tell: Callable[[str], None] = lambda line: None) -> Ending:
    """Run one session over a workspace and return how it ended.

    `event` and `awake` (handles of sleeps that are over) say why the daemon woke it. Raises: ModelError where no model
    is configured or its key is missing; LockHeld where another session is at work; ConfigError.
    """
    config = read_config(layout)
    endpoint = endpoint_of(config.model)
    assert config.model is not None, "endpoint_of raises without one"
    failpoint.arm(layout.home)
    with only_session(layout):
        context, tools = context_of(layout, PRINCIPAL), all_tools(layout)
        ledger = ledger_of(layout, config.agents)
        settle_lost(context, ledger)
        caller = Caller(
            context=context, endpoint=endpoint, api=config.model.api, tools=tools, ledger=ledger,
            instructions=f"{INSTRUCTIONS}\n\n{RULES}", price=price_of(config.agents), session=new_session(),
            answer_tokens=config.agents.answer_tokens)
        session = Session(caller=caller, tools=tools, turns=turns or config.agents.turns, once=once, tell=tell,
                          sees=config.model.sees)
        ending = session.run(opening(session, context, goal or config.agents.goal or GOAL, event, awake))
        write_json_atomic(folder(layout) / "served.json", {"at": time.time()})
        return ending


def ledger_of(layout: Layout, agents: AgentsConfig) -> Ledger:
    """Return the ledger with the caps that a person has set."""
    return Ledger(layout=layout, caps=Caps(tokens_a_day=agents.tokens_per_day, usd_a_day=agents.usd_per_day,
                                           tokens_a_session=agents.tokens_per_wake))


def price_of(agents: AgentsConfig) -> Price:
    """Return what tokens cost, as far as a person has said."""
    return Price(usd_in=agents.usd_per_million_in, usd_out=agents.usd_per_million_out)


def opening(session: Session, context: Context, goal: str, event: int, awake: Sequence[str]) -> str:
    """Return the first words to the model; what others wrote stands in them as data."""
    parts = [redact_text(goal, context.secrets)]
    with suppress(StoreError), Reader(context.layout.store) as reader:
        found = reader.events(after=event - 1, limit=1) if event else ()
        parts += [f"You were woken by event {stored.seq}: {type(stored.event).__name__} {about(stored.event)} "
                  f"{fence(redact_text(tell(stored.event), context.secrets))}".strip() for stored in found]
    parts += [session.awake(handle) for handle in awake]
    with suppress(StoreError):
        brief = wake_up(context, WakeUpArguments(budget_tokens=BRIEF_TOKENS))
        parts.append(f"What wake_up tells now (event {brief.event}):\n{redact_text(brief.text, context.secrets)}")
        session.tool_characters += len(brief.text)
    return "\n\n".join(parts)


@contextmanager
def only_session(layout: Layout) -> Iterator[None]:
    """Hold the lock of the one session that may be at work; it is gone with the process, however that ends.

    Raises: LockHeld.
    """
    folder(layout).mkdir(parents=True, exist_ok=True)
    handle = os.open(folder(layout) / "session.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _locked(handle):
            raise LockHeld("another session of the agent loop is at work here — wait until it ends")
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Take the lock; tried for a moment, since a daemon that looks whether anybody has it holds it for as long."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.02)
    return False
