"""`vbotd call`: call a tool for agents from the command line."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import click

from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_atomic

ENDINGS = {"image/png": "png", "image/jpeg": "jpg"}


class CallFailed(VbotdError):
    """The tool had no answer."""


@click.command("call")
@click.argument("tool")
@click.argument("arguments", required=False, default="{}", metavar="[JSON|-]")
@click.option("--pictures", type=click.Path(file_okay=False, path_type=Path), help="Write the answer's pictures here.")
@click.option("--block", is_flag=True, help="With the tool wait: return when it is time, however long that takes.")
@click.option("--as", "name", default="call", show_default=True, metavar="NAME",
              help="Who asks: its keys and jobs are its own; the policy for agents holds in any case.")
def command(tool: str, arguments: str, pictures: Path | None, block: bool, name: str) -> None:
    """Call a TOOL with JSON arguments ('-': from the standard input); prints the answer as one JSON object.

    What a tool may change is what an agent may change: inside the declared space and budget it happens, the rest
    waits for 'vbotd approve'. Exit code 1: the tool had no answer, and says why.
    """
    from vbotd.agent.context import context_of
    from vbotd.agent.registry import call, parse_arguments
    from vbotd.agent.tools import all_tools
    layout = Layout.find()
    given = parse_arguments(sys.stdin.read() if arguments == "-" else arguments)
    context, tools = context_of(layout, f"agent:{_plain(name)}"), all_tools(layout)
    if block:
        if tool != "wait" or not isinstance(given, dict):
            raise click.UsageError("--block is for the tool wait")
        given = {**given, "wait_s": 30}
    reply = call(tools, context, tool, given)
    while block and reply.value is not None and not reply.value.get("awake"):
        reply = call(tools, context, tool, given)
    if reply.value is None:
        raise CallFailed(reply.error)
    click.echo(reply.text)
    for number, picture in enumerate(reply.pictures, 1):
        if pictures is None:
            click.echo(f"picture {number}: {picture.shows} (--pictures FOLDER writes it)", err=True)
            continue
        pictures.mkdir(parents=True, exist_ok=True)
        path = pictures / f"{tool}-{number}.{ENDINGS.get(picture.mime, 'bin')}"
        write_atomic(path, base64.b64decode(picture.base64))
        click.echo(f"picture {number}: {path}", err=True)


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isalnum() or char in "-_.")[:40] or "call"
