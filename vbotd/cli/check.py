"""`vbotd check`: say everything that is wrong with a campaign file, before the daemon does."""

from __future__ import annotations

import json

import click

from vbotd.cli.checking import as_json as json_of
from vbotd.cli.checking import check_files, load_catalogue, print_problems, summary_lines
from vbotd.cli.commanding import json_option
from vbotd.errors import InvalidCampaign
from vbotd.host.estimating import estimates
from vbotd.layout import Layout


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
def command(files: tuple[str, ...], as_json: bool) -> None:
    """Say everything that is wrong with campaign files: line, column, value, what is allowed, what to do.

    Exit code 4 when any of them cannot run. A file that can is summed up: its trials, env steps, what varies.
    """
    layout = Layout.find()
    catalogue = load_catalogue(layout)
    results = check_files(files, catalogue, layout)
    if as_json:
        click.echo(json.dumps({"files": [json_of(result) for result in results]}))
    for result in results:
        if not as_json and result.campaign is not None:
            click.echo(f"{result.file}: ok")
            expected = estimates(result.campaign, catalogue, layout)
            for word, line in summary_lines(result.campaign, catalogue, expected):
                click.echo(f"  {word:<13}{line}")
        elif not as_json:
            print_problems(result)
    problems = sum(len(result.problems) for result in results)
    if problems:
        bad = sum(1 for result in results if result.problems)
        raise InvalidCampaign(f"{problems} problem{'s' * (problems != 1)} in {bad} of {len(results)} "
                              f"file{'s' * (len(results) != 1)}")
