"""`vbotd pause`: start no further run of a campaign until it is resumed."""

from __future__ import annotations

import click

from vbotd.cli.commanding import carry_out, json_option, key_option, require_known
from vbotd.layout import Layout


@click.command("pause")
@click.argument("campaign", metavar="ID")
@click.option("--why", default="", help="Shown in the report.")
@key_option
@json_option
def command(campaign: str, why: str, key: str | None, as_json: bool) -> None:
    """Start no further run of a campaign until it is resumed. Runs that are under way finish."""
    layout = Layout.find()
    target = require_known(layout, campaign, campaign_only=True)
    carry_out(layout, "pause", {"id": target, "why": why}, key=key, as_json=as_json)
