"""Models for tests: what they answer is scripted, in whichever protocol they are asked by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.agent.conftest import ChatServer
from vbotd.agent.ask import Endpoint
from vbotd.agent.ledger import Ledger
from vbotd.agent.llm import Session
from vbotd.agent.llm_calls import Caller
from vbotd.agent.registry import Context
from vbotd.agent.tools import OWN
from vbotd.core.spending import Caps, Price
from vbotd.layout import Layout

Calls = Sequence[tuple[str, Any]]  # the tool, and its arguments: a value, or a text that is sent as it is
Turn = str | Calls
HttpReply = tuple[int, bytes, dict[str, str]]


def told(asked: dict[str, Any]) -> list[str]:
    """Return all texts that a request shows to the model, but not the model's own."""
    found: list[str] = []
    for item in asked.get("messages") or asked.get("input") or ():
        if item.get("role") in ("user", "tool"):
            content = item["content"]
            found += [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]
        elif item.get("type") == "function_call_output":
            found.append(str(item["output"]))
    return found


def reply(asked: dict[str, Any], turn: Turn, usage: tuple[int, int] | None = None) -> HttpReply:
    """Return the answer of a model that says or calls this; it is billed a token for four bytes unless told else."""
    text, calls = (turn, []) if isinstance(turn, str) else ("", [
        (f"call_{len(told(asked))}_{n}", name, given if isinstance(given, str) else json.dumps(given))
        for n, (name, given) in enumerate(turn)])
    tokens = usage or (len(json.dumps(asked)) // 4, 50)
    if asked["path"].endswith("/responses"):
        output: list[dict[str, Any]] = [{"type": "reasoning", "id": "r", "summary": []}]
        if text:
            output.append({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
        output += [{"type": "function_call", "call_id": id_, "name": name, "arguments": given}
                   for id_, name, given in calls]
        body: dict[str, Any] = {"id": "x", "object": "response", "output": output, "usage": {
            "input_tokens": tokens[0], "output_tokens": tokens[1]}}
    else:
        message = {"role": "assistant", "content": text or None, "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": given}}
            for id_, name, given in calls]}
        body = {"id": "x", "object": "chat.completion", "model": "m", "choices": [
            {"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}}
    return 200, json.dumps(body).encode(), {}


def scripted(*turns: Turn | Callable[[list[str]], Turn], last: str = "Done.") -> Callable[[dict[str, Any]], HttpReply]:
    """Return a model that takes these turns one after the other, each as it is or made of what it was told."""
    left = list(turns)

    def answer(asked: dict[str, Any]) -> HttpReply:
        turn = left.pop(0) if left else last
        return reply(asked, turn(told(asked)) if callable(turn) else turn)

    return answer


def session_over(layout: Layout, chat: ChatServer, *, api: str = "chat", turns: int = 10, once: bool = True,
                 caps: Caps | None = None, secrets: tuple[str, ...] = (), now: Callable[[], float] | None = None,
                 name: str = "s1", **changes: Any) -> Session:
    """Return a session over a workspace, with our own tools, that asks the test's server and never pauses."""
    import time
    clock = now or time.time
    caller = Caller(
        context=Context(layout=layout, principal="agent:llm", now=clock, secrets=secrets), api=api, tools=OWN,
        endpoint=Endpoint(**{"url": chat.url, "model": "mind-1", "key": "", "timeout_s": 20.0} | changes),
        instructions="rules", price=Price(usd_in=1.0, usd_out=4.0), answer_tokens=500, session=name,
        ledger=Ledger(layout=layout, caps=caps or Caps(tokens_a_day=10**7, tokens_a_session=10**7)),
        pause=lambda seconds: None)
    return Session(caller=caller, tools=OWN, turns=turns, once=once)
