"""The tools as others want them described: for OpenAI's two protocols, for MCP, and for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vbotd.agent.registry import Tool

CHARACTERS_A_TOKEN = 4
FORMATS = ("md", "openai-chat", "openai-responses", "mcp")


def openai_chat(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """Return the tools as the `tools` of a chat completion."""
    return [{"type": "function", "function": {"name": tool.name, "description": tool.summary,
                                              "parameters": tool.input_schema()}} for tool in tools]


def openai_responses(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """Return the tools as the `tools` of the responses protocol."""
    # Not strict: strict mode wants every argument required, and defaults save tokens.
    return [{"type": "function", "name": tool.name, "description": tool.summary, "parameters": tool.input_schema(),
             "strict": False} for tool in tools]


def mcp(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """Return the tools as MCP's `tools/list` has them."""
    return [{"name": tool.name, "description": tool.summary, "inputSchema": tool.input_schema(),
             "outputSchema": tool.output_schema(), "annotations": hints(tool)} for tool in tools]


def hints(tool: Tool) -> dict[str, Any]:
    """Return the hints about a tool; nothing here destroys anything or reaches beyond the workspace."""
    return {"readOnlyHint": not tool.changes, "destructiveHint": tool.name == "cancel", "idempotentHint": True,
            "openWorldHint": False}


def markdown(tools: Sequence[Tool]) -> str:
    """Return the tools as a page for people: what each does and takes."""
    lines = ["# Tools", ""]
    for title, wanted in (("Look", False), ("Change", True)):
        chosen = [tool for tool in tools if tool.changes is wanted]
        lines += [f"## {title}", ""]
        for tool in chosen:
            lines += [f"- **{tool.name}**{' (plugin)' if tool.owner else ''}: {tool.summary} {_takes(tool)}".rstrip()]
        lines += [""]
    return "\n".join(lines)


def _takes(tool: Tool) -> str:
    schema = tool.input_schema()
    required = schema.get("required", ())
    words = [_argument(name, rule, required=name in required) for name, rule in schema.get("properties", {}).items()]
    return f"`{', '.join(words)}`" if words else ""


def _argument(name: str, rule: Mapping[str, Any], *, required: bool) -> str:
    if "enum" in rule:
        return f"{name}: {'|'.join(map(str, rule['enum']))}"
    kind = rule.get("type") or "|".join(str(each.get("type", "?")) for each in rule.get("anyOf", ()))
    return f"{name}: {kind}" + ("" if required else f" = {rule['default']!r}" if "default" in rule else "?")


SHAPES: Mapping[str, Callable[[Sequence[Tool]], Any]] = {
    "openai-chat": openai_chat, "openai-responses": openai_responses, "mcp": mcp, "md": markdown}
