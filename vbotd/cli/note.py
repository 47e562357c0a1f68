"""`vbotd note`: write a remark to a campaign, for its report."""

from __future__ import annotations

import click

from vbotd.cli.commanding import carry_out, json_option, key_option, require_known
from vbotd.layout import Layout


@click.command("note")
@click.argument("campaign", metavar="ID")
@click.argument("text", nargs=-1, required=True)
@key_option
@json_option
def command(campaign: str, text: tuple[str, ...], key: str | None, as_json: bool) -> None:
    """Write a remark to a campaign; it stands in its report with your name and the time."""
    layout = Layout.find()
    target = require_known(layout, campaign, campaign_only=True)
    carry_out(layout, "note", {"id": target, "text": " ".join(text)}, key=key, as_json=as_json)
