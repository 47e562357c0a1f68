"""The tools that plugins offer: run in a process of their own, their answer bounded, fenced and redacted like any.

A plugin's tool answers with JSON values. One that `changes` something does not do it: it answers with a command,
`{"verb": ..., "args": {...}}`, which goes the way of all commands, under the caller's key and the policy for agents.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from pydantic import ConfigDict, Field

from vbotd.agent.changes import Outcome, command
from vbotd.agent.measures import compact
from vbotd.agent.registry import Arguments, Context, Key, Result, Tool, ToolError
from vbotd.agent.verbs import parse_output, verb_environment
from vbotd.core.wording import clean
from vbotd.domain.skill import ToolCard
from vbotd.layout import Layout

DEADLINE_S = 30.0
COMMANDS = ("cancel", "pause", "resume", "note", "propose", "amend")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,)}


class PluginArguments(Arguments):
    """Whatever the plugin's own schema says."""

    model_config = ConfigDict(extra="allow", frozen=True)


class KeyedPluginArguments(PluginArguments):
    """The same, and a key."""

    key: Key


class PluginAnswer(Result):
    """What a plugin answered; foreign words like all of its kind."""

    answer: Any = Field(default=None)


def plugin_tools(cards: Iterable[ToolCard], taken: Iterable[str]) -> tuple[Tool, ...]:
    """Return the tools of plugins; a name that one of ours has is left to ours."""
    names = set(taken)
    return tuple(_tool(card) for card in cards if card.name not in names)


def check_schema(schema: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check arguments against the plain part of JSON Schema: required, known, types, enum, minimum, maximum.

    Raises: ToolError with everything that is wrong.
    """
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    problems = [f"'{clean(name, 60)}' is missing" for name in schema.get("required") or () if name not in given]
    for name, value in given.items():
        rule = known.get(name)
        if not isinstance(rule, Mapping):
            problems.append(f"'{clean(name, 60)}' is no argument of it — allowed: {', '.join(known) or 'none'}")
            continue
        wanted = _TYPES.get(str(rule.get("type")))
        wrong_bool = isinstance(value, bool) and rule.get("type") != "boolean"
        if wanted and (wrong_bool or not isinstance(value, wanted)):
            problems.append(f"{clean(name, 60)}: {clean(repr(value), 60)} is no {rule['type']}")
        elif "enum" in rule and value not in rule["enum"]:
            problems.append(f"{clean(name, 60)}: allowed: {clean(rule['enum'], 200)}")
        elif wanted and not wrong_bool and isinstance(value, int | float):
            low, high = rule.get("minimum"), rule.get("maximum")
            if (low is not None and value < low) or (high is not None and value > high):
                problems.append(f"{clean(name, 60)}: {value} is outside [{low}, {high}]")
    if problems:
        raise ToolError("; ".join(problems[:8]))


def ask_plugin(layout: Layout, name: str, given: Mapping[str, Any]) -> Any:
    """Return a tool's answer, from a process that loads the plugins for this one question.

    Raises: ToolError where it raises, is too slow, or answers with what is no JSON.
    """
    question = json.dumps({"home": str(layout.home), "tool": name, "arguments": dict(given)}).encode()
    with tempfile.TemporaryDirectory(prefix="vbotd-tool-") as folder:
        try:
            done = subprocess.run([sys.executable, "-m", "vbotd.agent.plugin_process"], input=question, cwd=folder,
                                  capture_output=True, timeout=DEADLINE_S, env=verb_environment(layout), check=False)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"the plugin's tool '{name}' took longer than {DEADLINE_S:g} s and was ended") from error
    said = parse_output(f"the plugin's tool '{name}'", done.stdout, done.stderr)
    if "error" in said:
        raise ToolError(f"the plugin's tool '{name}' failed: {clean(said['error'], 300)}")
    return said.get("answer")


def _tool(card: ToolCard) -> Tool:
    schema = {"type": "object", "properties": {}, "additionalProperties": False, **dict(card.schema)}
    if not card.changes:
        return Tool(name=card.name, summary=clean(card.summary, 160), args=PluginArguments, result=PluginAnswer,
                    run=partial(_read, card.name, schema), schema=schema, owner="plugin")
    keyed = {**schema, "properties": {"key": {"type": "string"}, **schema["properties"]},
             "required": ["key", *schema.get("required", ())]}
    return Tool(name=card.name, summary=clean(card.summary, 160), args=KeyedPluginArguments, result=Outcome,
                run=partial(_change, card.name, schema), schema=keyed, changes=True, owner="plugin")


def _read(name: str, schema: Mapping[str, Any], context: Context, arguments: PluginArguments) -> PluginAnswer:
    given = arguments.model_dump()
    check_schema(schema, given)
    return PluginAnswer(answer=compact(ask_plugin(context.layout, name, given)))


def _change(name: str, schema: Mapping[str, Any], context: Context, arguments: KeyedPluginArguments) -> Outcome:
    given = arguments.model_dump(exclude={"key"})
    check_schema(schema, given)
    answer = ask_plugin(context.layout, name, given)
    if not isinstance(answer, dict) or answer.get("verb") not in COMMANDS or not isinstance(answer.get("args"), dict):
        raise ToolError(f"the plugin's tool '{name}' changes something, so it has to answer with "
                        f"{{\"verb\": one of {', '.join(COMMANDS)}, \"args\": {{...}}}} — nothing was changed")
    # Whatever the plugin says, it speaks as the agent that called it.
    args = {key: value for key, value in answer["args"].items() if key != "approved"}
    return command(context, arguments.key, str(answer["verb"]), args)
