"""`vbotd cancel`: end a campaign, or one run, before its time."""

from __future__ import annotations

import sys

import click

from vbotd.cli.commanding import carry_out, json_option, key_option, require_known
from vbotd.layout import Layout


@click.command("cancel")
@click.argument("id")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@key_option
@json_option
def command(id: str, yes: bool, key: str | None, as_json: bool) -> None:
    """End a campaign, or a single run, before its time.

    ID is a campaign or a run. Its processes are asked to save a checkpoint and stop; nothing is deleted.
    """
    layout = Layout.find()
    target = require_known(layout, id)
    # Only a person at a terminal can answer; a script said what it wants by calling this.
    if not yes and not as_json and sys.stdin.isatty():
        click.confirm(f"cancel {target}? its runs are stopped (checkpoints are kept)", abort=True)
    carry_out(layout, "cancel", {"id": target}, key=key, as_json=as_json)
