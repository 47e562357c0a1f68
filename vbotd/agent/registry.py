"""What is a tool, and what happens when one is called? Its arguments are checked, its answer is redacted.

The rule this protects: whatever face a call comes through (command line, MCP, the agent loop), it takes this one way.
Nothing a tool raises reaches the caller but words, and no answer leaves without redaction.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from vbotd.core.redaction import redact, redact_text
from vbotd.core.wording import clean
from vbotd.errors import VbotdError
from vbotd.layout import Layout

log = logging.getLogger("vbotd.agent")

LONGEST_ARGUMENTS = 96 << 10  # characters of JSON; a campaign's text has to fit
LONGEST_ANSWER = 48_000  # characters of JSON; every tool caps itself well below
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_ID = re.compile(r"#?[A-Za-z0-9][A-Za-z0-9 ._/-]{0,199}")


class ToolError(VbotdError):
    """A call that cannot be answered; the message says why and what would work."""


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError("a key has 1 to 80 letters, digits, '.', '_' or '-'")
    return text


def _id(text: str) -> str:
    if not _ID.fullmatch(text) or ".." in text:
        raise ValueError("an id has letters, digits, '-', '_', '.' and '/', at most 200 of them")
    return text


# The patterns are not in the schema: they would be repeated in every tool, and the messages say more.
Key = Annotated[str, AfterValidator(_key)]
Id = Annotated[str, AfterValidator(_id)]


class Arguments(BaseModel):
    """What a tool takes; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Keyed(Arguments):
    """What a tool takes that changes something: a repeat under one key has one effect."""

    key: Key


class Result(BaseModel):
    """What a tool answers."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image in an answer: what it shows, and its bytes (base64)."""

    shows: str
    mime: str
    base64: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer with pictures."""

    result: Result
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """On whose behalf a tool works, and where. `secrets` are values that no answer may hold."""

    layout: Layout
    principal: str
    now: Callable[[], float]
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool. `schema` replaces that of `args` where it is a plugin's own; `owner` is that plugin."""

    name: str
    summary: str
    args: type[BaseModel]
    result: type[BaseModel]
    run: Callable[[Context, Any], Result | Shown]
    changes: bool = False
    schema: Mapping[str, Any] | None = None
    owner: str = ""

    def input_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments, without what no caller needs."""
        return slim(dict(self.schema) if self.schema is not None else _schema_of(self.args))

    def output_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the answer."""
        return slim(_schema_of(self.result))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a call: `value` where it went well, else `error`; both are redacted."""

    value: dict[str, Any] | None = None
    error: str = ""
    pictures: tuple[Picture, ...] = ()

    @property
    def text(self) -> str:
        """The words of the answer: compact JSON, or the error."""
        if self.value is None:
            return self.error
        return json.dumps(self.value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def call(tools: Iterable[Tool], context: Context, name: str, arguments: Any) -> Reply:
    """Call a tool and return its reply; nothing is raised."""
    secrets = context.secrets
    try:
        shown = _run(tool_named(tools, name), context, arguments)
        value = redact(_finite(shown.result.model_dump(mode="json", exclude_defaults=True)), secrets)
        reply = Reply(value=value, pictures=shown.pictures)
        if len(reply.text) > LONGEST_ANSWER:
            raise ToolError(f"the answer has {len(reply.text):,} characters — ask for less (a smaller limit, one id)")
        return reply
    except VbotdError as error:
        return Reply(error=redact_text(_worded(error), secrets))
    except Exception as error:  # a bug of ours, or of a plugin: told by its kind alone, the details are for the log
        log.exception("action=call tool=%s", clean(name, 60))
        return Reply(error=f"the tool failed inside ({type(error).__name__}); nothing more is known — "
                           "a person finds the details in the log")


def tool_named(tools: Iterable[Tool], name: str) -> Tool:
    """Return a tool by its name.

    Raises: ToolError with the nearest names.
    """
    by_name = {tool.name: tool for tool in tools}
    if name in by_name:
        return by_name[name]
    from difflib import get_close_matches
    near = get_close_matches(str(name)[:60], by_name, n=3, cutoff=0.5)
    raise ToolError(f"there is no tool '{clean(name, 60)}' — "
                    + (f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(by_name)}"))


def parse_arguments(text: str) -> Any:
    """Return the arguments in a JSON text; no text is no arguments.

    Raises: ToolError for what is no JSON, or too long.
    """
    if len(text) > LONGEST_ARGUMENTS:
        raise ToolError(f"the arguments have {len(text):,} characters — allowed: {LONGEST_ARGUMENTS:,}")
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments are no JSON object: {clean(error, 120)} — as in '{{\"id\": \"…\"}}'") from error


@cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of arguments or an answer; the same object each time, so nobody changes it."""
    return model.model_json_schema()


def slim(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without titles and docstrings, which only repeat the names of what they stand at."""
    def walk(node: Any, names: bool) -> Any:
        if isinstance(node, list):
            return [walk(item, False) for item in node]
        if not isinstance(node, dict):
            return node
        # Under `properties` the keys are names of ours, and one of them may well be "title".
        return {key: walk(item, not names and key in ("properties", "$defs")) for key, item in node.items()
                if names or not (key == "title" or (key == "description" and node.get("type") == "object"))}
    found: dict[str, Any] = walk(schema, False)
    return found


def _run(tool: Tool, context: Context, arguments: Any) -> Shown:
    if not isinstance(arguments, Mapping):
        raise ToolError(f"the arguments of '{tool.name}' are a JSON object, this is a {type(arguments).__name__}")
    try:
        if len(json.dumps(arguments)) > LONGEST_ARGUMENTS:
            raise ToolError(f"the arguments are longer than {LONGEST_ARGUMENTS:,} characters")
        checked = tool.args.model_validate(dict(arguments))
    except ValidationError as error:
        raise ToolError(f"{tool.name}: {_problems(tool, error)}") from error
    except (RecursionError, TypeError, ValueError) as error:
        raise ToolError(f"{tool.name}: the arguments cannot be read ({type(error).__name__})") from error
    answer = tool.run(context, checked)
    return answer if isinstance(answer, Shown) else Shown(result=answer)


def _problems(tool: Tool, error: ValidationError) -> str:
    """Return what is wrong with the arguments, each with its place, the value and what is allowed."""
    found = []
    for item in error.errors(include_url=False)[:5]:
        place = ".".join(str(part) for part in item["loc"]) or "arguments"
        if item["type"] == "extra_forbidden":
            allowed = ", ".join(tool.args.model_fields) or "none"
            found.append(f"'{clean(place, 60)}' is no argument of it — allowed: {allowed}")
        elif item["type"] == "missing":
            found.append(f"'{clean(place, 60)}' is missing")
        else:
            said = clean(item["msg"], 160).removeprefix("Value error, ").replace("Input should", "it should")
            found.append(f"{clean(place, 60)}: {said} (it is {clean(repr(item['input']), 60)})")
    return "; ".join(found)


def _worded(error: VbotdError) -> str:
    return "\n".join(clean(line, 600) for line in str(error).splitlines()[:30])


def _finite(value: Any) -> Any:
    """Return JSON values in which numbers that are not finite are null, since JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
