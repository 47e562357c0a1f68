"""One call to the model: set aside what it may cost, send it, write down what came back, settle.

The rule this protects: no request leaves before its cost is on the disk and counted, and whatever comes back, an
answer, garbage or nothing, is in the record under the call's own key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vbotd import failpoint
from vbotd.agent.ask import Endpoint, ModelError, post
from vbotd.agent.ledger import Ledger
from vbotd.agent.llm_wire import Answer, Entry, answer_of, most_tokens_in, recorded, request_of
from vbotd.agent.registry import Context, Tool
from vbotd.core.agent_turns import LONGEST_ANSWERED, LONGEST_ASKED, VERB, shortened
from vbotd.core.redaction import redact, redact_text
from vbotd.core.spending import Cost, Price
from vbotd.core.wording import clean
from vbotd.store.inbox import send_command

MOST_TRIES = 3
BACKOFF_S = (1.0, 5.0)


@dataclass(slots=True, kw_only=True)
class Caller:
    """Makes the calls of one session, and counts them. `spent` is what this session has cost so far."""

    context: Context
    endpoint: Endpoint
    api: str
    tools: Sequence[Tool]
    instructions: str
    ledger: Ledger
    price: Price
    answer_tokens: int
    session: str
    pause: Callable[[float], None] = time.sleep
    calls: int = 0
    spent: Cost = Cost()
    told: int = 0  # entries of the history that the record has already

    def ask(self, history: Sequence[Entry]) -> Answer:
        """Return the model's answer to a conversation.

        Raises: OverCap before a call that could cost more than is left; ModelError after the last try.
        """
        request = request_of(self.api, self.endpoint.model, self.instructions, history, self.tools, self.answer_tokens)
        said = "input" if self.api == "responses" else "messages"
        request[said] = redact(request[said], self.context.secrets)  # the last thing that happens to it
        for left in reversed(range(MOST_TRIES)):
            try:
                return self._once(request, history)
            except ModelError as error:
                if not left or not error.again:
                    raise
                self.pause(BACKOFF_S[MOST_TRIES - 1 - left])
        raise AssertionError("the last try returns or raises")

    def _once(self, request: dict[str, Any], history: Sequence[Entry]) -> Answer:
        self.calls += 1
        key = key_of(self.session, self.calls)
        most = self.price.of(most_tokens_in(request), self.answer_tokens)
        day = self.ledger.reserve(key, self.session, most)
        failpoint.hit("agent.after_reserve")
        try:
            answer = answer_of(self.api, post(self.endpoint, request, api=self.api), self.endpoint.url,
                               self.context.secrets)
        except ModelError as error:
            cost = most if error.spent else Cost()
            self._record(key, history, None, cost, str(error))
            self.ledger.settle(day, key, cost, "no answer")
            self.spent += cost
            raise
        failpoint.hit("agent.after_answer")
        cost = self._cost(answer, most)
        self._record(key, history, answer, cost, "answered")
        failpoint.hit("agent.after_record")
        self.ledger.settle(day, key, cost, "answered")
        failpoint.hit("agent.after_settle")
        self.spent += cost
        return answer

    def _cost(self, answer: Answer, most: Cost) -> Cost:
        """Return what an answer cost by the endpoint's own count; without one, all that was set aside."""
        if answer.tokens_in is None or answer.tokens_out is None:
            return most
        return self.price.of(answer.tokens_in, answer.tokens_out)

    def _record(self, key: str, history: Sequence[Entry], answer: Answer | None, cost: Cost, how: str) -> None:
        """Tell the daemon of a call: what was new in its prompt, what came back, what it cost."""
        record_turn(self.context, key, session=self.session, turn=self.calls, cost=cost, how=how,
                    asked=recorded(history[self.told:]), answered=recorded([answer]) if answer else "")
        if answer is not None:
            self.told = len(history) + 1  # the answer itself is told with this call


def key_of(session: str, number: int) -> str:
    """Return the key under which a call stands in the ledger and in the record."""
    return f"turn-{session}-{number:03d}"


def record_turn(context: Context, key: str, *, session: str, turn: int, cost: Cost, how: str, asked: str = "",
                answered: str = "") -> None:
    """Leave a turn for the daemon, which puts it into the store; without secrets, as all that leaves."""
    args = {"session": session, "turn": turn, "asked": shortened(asked, LONGEST_ASKED),
            "answered": shortened(answered, LONGEST_ANSWERED), "how": clean(redact_text(how, context.secrets), 400),
            "tokens": cost.tokens, "usd": cost.usd}
    send_command(context.layout, VERB, redact(args, context.secrets), principal=context.principal, key=key)


def settle_lost(context: Context, ledger: Ledger) -> int:
    """Write down the calls whose process was killed before it could say how they ended; return how many.

    What was set aside for them counts as spent. Only for who holds the session's lock: no call is under way.
    """
    lost = ledger.unsettled()
    for day, entry in lost:
        _, _, number = entry.call.rpartition("-")
        record_turn(context, entry.call, session=entry.session, turn=int(number) if number.isdigit() else 0,
                    cost=entry.cost, how="lost: its process was killed before an answer was written down")
        ledger.settle(day, entry.call, entry.cost, "lost")
    return len(lost)
