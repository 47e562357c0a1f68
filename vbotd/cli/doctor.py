"""`vbotd doctor`: is everything in order, and if not, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from vbotd.cli.commanding import json_option
from vbotd.cli.doctor_machine import Check, machine_checks
from vbotd.cli.doctor_repair import repairs
from vbotd.cli.doctor_workspace import workspace_checks
from vbotd.layout import Layout

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@click.option("--rebuild", is_flag=True, help="Fold all events anew, compare with what is stored, repair it.")
@click.option("--restore", is_flag=True, help="Put the newest sound backup in the place of a damaged store; the "
              "damaged one is kept beside it.")
@click.option("--tidy", is_flag=True, help="Delete what dead processes left behind half-written.")
@json_option
def command(rebuild: bool, restore: bool, tidy: bool, as_json: bool) -> None:
    """Look at the machine and the workspace; a line for each thing: ok, warn or fail, and what to do.

    Nothing is changed without --rebuild, --restore or --tidy; with the first two the daemon must not be running.

    Exit code 1 when something fails. Takes some seconds: rendering and torch are tried for real.
    """
    layout = Layout.find()
    checks = []
    for check in (*repairs(layout, restore=restore, tidy=tidy, rebuild=rebuild), *_all(layout)):
        checks.append(check)
        if not as_json:
            _say(check)
    failed = sum(1 for check in checks if check.level == "fail")
    if as_json:
        click.echo(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}))
    if failed:
        raise click.ClickException(f"{failed} of {len(checks)} checks failed")


def _all(layout: Layout) -> Iterator[Check]:
    yield from workspace_checks(layout)
    yield from machine_checks(layout)


def _say(check: Check) -> None:
    level = click.style(f"{check.level:<5}", fg=COLOURS[check.level])
    click.echo(f"{level}{check.name:<17}{check.message}" + (f" — {check.fix}" if check.fix else ""))
