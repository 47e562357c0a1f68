"""`vbotd resume`: let a paused campaign go on."""

from __future__ import annotations

import click

from vbotd.cli.commanding import carry_out, json_option, key_option, require_known
from vbotd.layout import Layout


@click.command("resume")
@click.argument("campaign", metavar="ID")
@key_option
@json_option
def command(campaign: str, key: str | None, as_json: bool) -> None:
    """Let a paused campaign go on."""
    layout = Layout.find()
    target = require_known(layout, campaign, campaign_only=True)
    carry_out(layout, "resume", {"id": target}, key=key, as_json=as_json)
