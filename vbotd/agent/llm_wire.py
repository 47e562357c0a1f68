"""What is said to a model and what it answers, in the two protocols that endpoints speak.

A conversation is kept in our own few words and put into a protocol for every call, so nothing that an endpoint sends
goes back to it unread: text, calls and token counts are taken out of an answer, the rest is left behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vbotd.agent.ask import ModelError, plain
from vbotd.agent.faces import openai_chat, openai_responses
from vbotd.agent.registry import LONGEST_ARGUMENTS, Picture, Tool
from vbotd.core.redaction import redact_text

LONGEST_SAID = 8_000  # characters of an answer that are kept
MOST_CALLS = 16  # of one answer that are read at all
TOKENS_A_PICTURE = 3_000  # set aside for one; more than the known models take


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Words to the model."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool that the model wants called; `arguments` is the text that it sent for them."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model answered. `tokens_in` and `tokens_out` are the endpoint's own count, None where it gives none."""

    text: str
    calls: tuple[Call, ...] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a tool answered to a call."""

    call: str
    text: str
    pictures: tuple[Picture, ...] = ()


Entry = Said | Answer | Told


def request_of(api: str, model: str, instructions: str, history: Sequence[Entry], tools: Sequence[Tool],
               answer_tokens: int) -> dict[str, Any]:
    """Return the body of the next call in a protocol, `chat` or `responses`."""
    if api == "responses":
        return {"model": model, "instructions": instructions, "input": [item for entry in history for item in
                                                                        _as_items(entry)],
                "tools": openai_responses(tools), "max_output_tokens": answer_tokens, "store": False}
    messages = [{"role": "system", "content": instructions}]
    messages += [message for entry in history for message in _as_messages(entry)]
    return {"model": model, "messages": _pictures_last(messages), "tools": openai_chat(tools),
            "max_completion_tokens": answer_tokens}


def most_tokens_in(request: Mapping[str, Any]) -> int:
    """Return more tokens than a request can have: a token is at least one byte, a picture has a price of its own."""
    pictures = 0

    def without(node: Any) -> Any:
        nonlocal pictures
        if isinstance(node, Mapping):
            return {key: without(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [without(value) for value in node]
        if isinstance(node, str) and node.startswith("data:image/"):
            pictures += 1
            return ""
        return node

    text = json.dumps(without(request), ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + TOKENS_A_PICTURE * pictures


def answer_of(api: str, reply: bytes, url: str, secrets: Sequence[str] = ()) -> Answer:
    """Return the answer in the body of a reply, without secrets and without anything that a terminal would obey.

    Raises: ModelError for a body that is no answer of this protocol.
    """
    try:
        body = json.loads(reply)
        text, calls = _of_responses(body) if api == "responses" else _of_chat(body)
        usage = body.get("usage") or {}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        what = "answer of the responses protocol" if api == "responses" else "chat completion"
        raise ModelError(f"{url} answered something that is no {what} ({type(error).__name__}) — "
                         "check model.endpoint and model.api in vbotd.yaml") from error
    kind = ("input_tokens", "output_tokens") if api == "responses" else ("prompt_tokens", "completion_tokens")
    counts = [_count(usage.get(name)) if isinstance(usage, Mapping) else None for name in kind]
    return Answer(text=plain(redact_text(text, secrets), LONGEST_SAID), tokens_in=counts[0], tokens_out=counts[1],
                  calls=tuple(_call(number, call, secrets) for number, call in enumerate(calls[:MOST_CALLS])))


def recorded(entries: Sequence[Entry]) -> str:
    """Return entries as JSON text for the record; pictures by what they show."""
    return json.dumps([_recorded(entry) for entry in entries], ensure_ascii=False, separators=(",", ":"))


def _recorded(entry: Entry) -> dict[str, Any]:
    match entry:
        case Said():
            return {"said": entry.text}
        case Told():
            shown = {"pictures": [picture.shows for picture in entry.pictures]} if entry.pictures else {}
            return {"call": entry.call, "tool": entry.text, **shown}
        case Answer():
            return {"answer": entry.text, "calls": [
                {"id": call.id, "name": call.name, "arguments": call.arguments} for call in entry.calls]}


def _as_messages(entry: Entry) -> list[dict[str, Any]]:
    match entry:
        case Said():
            return [{"role": "user", "content": entry.text}]
        case Told():
            told: list[dict[str, Any]] = [{"role": "tool", "tool_call_id": entry.call, "content": entry.text}]
            # A tool's message holds text alone in this protocol, so what it shows follows as words of ours.
            shown = [part for picture in entry.pictures for part in (
                {"type": "text", "text": f"Picture of call {entry.call}, data like all it shows: {picture.shows}"},
                {"type": "image_url", "image_url": {"url": f"data:{picture.mime};base64,{picture.base64}"}})]
            return told + ([{"role": "user", "content": shown}] if shown else [])
        case Answer():
            message: dict[str, Any] = {"role": "assistant", "content": entry.text or None}
            if entry.calls:
                message["tool_calls"] = [{"id": call.id, "type": "function", "function": {
                    "name": call.name, "arguments": call.arguments}} for call in entry.calls]
            return [message]


def _pictures_last(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages with pictures behind all answers of the tools that were called together."""
    ordered: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] != "tool" and isinstance(message["content"], list):
            held.append(message)
            continue
        if message["role"] != "tool":
            ordered, held = ordered + held, []
        ordered.append(message)
    return ordered + held


def _as_items(entry: Entry) -> list[dict[str, Any]]:
    match entry:
        case Said():
            return [{"role": "user", "content": entry.text}]
        case Told():
            shown = [{"type": "input_image", "detail": "low",
                      "image_url": f"data:{picture.mime};base64,{picture.base64}"} for picture in entry.pictures]
            output: Any = [{"type": "input_text", "text": entry.text}, *shown] if shown else entry.text
            return [{"type": "function_call_output", "call_id": entry.call, "output": output}]
        case Answer():
            said = [{"role": "assistant", "content": entry.text}] if entry.text else []
            return said + [{"type": "function_call", "call_id": call.id, "name": call.name,
                            "arguments": call.arguments} for call in entry.calls]


def _of_chat(body: Mapping[str, Any]) -> tuple[str, list[tuple[Any, Any, Any]]]:
    message = body["choices"][0]["message"]
    calls = [(call.get("id"), call["function"]["name"], call["function"].get("arguments"))
             for call in message.get("tool_calls") or ()]
    return _text(message.get("content")), calls


def _of_responses(body: Mapping[str, Any]) -> tuple[str, list[tuple[Any, Any, Any]]]:
    output = body["output"]
    if not isinstance(output, list):
        raise TypeError("output is no list")
    calls = [(item.get("call_id"), item["name"], item.get("arguments")) for item in output
             if item["type"] == "function_call"]
    said = [_text(part.get("text")) for item in output if item["type"] == "message"
            for part in item["content"] if part["type"] == "output_text"]
    return "\n".join(said), calls


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("a text is wanted")
    return value


def _call(number: int, call: tuple[Any, Any, Any], secrets: Sequence[str]) -> Call:
    id_, name, arguments = call
    if not isinstance(name, str):
        raise ModelError("the model called a tool without a name")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments if arguments is not None else {})
    return Call(id=id_[:100] if isinstance(id_, str) and id_ else f"call_{number}", name=plain(name, 80),
                arguments=redact_text(text[: LONGEST_ARGUMENTS + 1], secrets))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None
