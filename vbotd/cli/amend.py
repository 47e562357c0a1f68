"""`vbotd amend`: change the budget of a campaign while it runs."""

from __future__ import annotations

import click

from vbotd.cli.commanding import carry_out, json_option, key_option, require_known
from vbotd.layout import Layout


@click.command("amend")
@click.argument("campaign", metavar="CAMPAIGN")
@click.option("--trials", type=click.IntRange(min=1), help="Trials in all, those before included.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Hours in all, since it was accepted.")
@click.option("--env-steps", type=click.FloatRange(min=1), help="Environment steps in all, such as 400e6.")
@key_option
@json_option
def command(campaign: str, trials: int | None, hours: float | None, env_steps: float | None, key: str | None,
            as_json: bool) -> None:
    """Change the budget of an open campaign. The numbers are new totals, not additions."""
    budget = {"trials": trials, "hours": hours, "env_steps": None if env_steps is None else int(env_steps)}
    given = {name: value for name, value in budget.items() if value is not None}
    if not given:
        raise click.UsageError("nothing to change — give --trials, --hours or --env-steps")
    layout = Layout.find()
    target = require_known(layout, campaign, campaign_only=True)
    carry_out(layout, "amend", {"id": target, **given}, key=key, as_json=as_json)
