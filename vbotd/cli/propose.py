"""`vbotd propose`: ask a campaign to try settings of your own."""

from __future__ import annotations

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.commanding import carry_out, json_option, key_option, require_known
from vbotd.layout import Layout


@click.command("propose")
@click.argument("campaign", metavar="CAMPAIGN")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--why", default="", help="Why it is worth a trial; shown in the report.")
@key_option
@json_option
def command(campaign: str, settings: tuple[str, ...], why: str, key: str | None, as_json: bool) -> None:
    """Ask a campaign to try settings of your own, such as ppo.learning_rate=5e-4.

    The proposal passes the same checks as a plugin's: inside the search space, inside the budget, not tried before.
    """
    layout = Layout.find()
    target = require_known(layout, campaign, campaign_only=True)
    args = {"id": target, "params": parse_assignments(settings), "why": why}
    carry_out(layout, "propose", args, key=key, as_json=as_json)
