"""`vbotd tools`: the tools for agents, as people or as a model's protocol want them."""

from __future__ import annotations

import json

import click

from vbotd.layout import Layout

FORMATS = ("md", "openai-chat", "openai-responses", "mcp")


@click.command("tools")
@click.option("--format", "shape", type=click.Choice(FORMATS), default="md", show_default=True,
              help="For people, or as a protocol's list of tools.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: with --format md the list of MCP.")
def command(shape: str, as_json: bool) -> None:
    """List the tools for agents, those of plugins included; 'vbotd call TOOL JSON' calls one.

    \b
    --format openai-chat: [{"type": "function", "function": {"name", "description", "parameters"}}]
    --format openai-responses: [{"type": "function", "name", "description", "parameters", "strict"}]
    --format mcp, and --json: [{"name", "description", "inputSchema", "outputSchema", "annotations"}]
    """
    from vbotd.agent.faces import SHAPES, mcp
    from vbotd.agent.tools import all_tools
    tools = all_tools(Layout.find())
    if shape == "md":
        click.echo(json.dumps(mcp(tools)) if as_json else SHAPES["md"](tools))
    else:
        click.echo(json.dumps(SHAPES[shape](tools)))
