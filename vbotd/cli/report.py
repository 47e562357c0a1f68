"""`vbotd report`: the morning report, made anew from the store."""

from __future__ import annotations

import click

from vbotd.cli.show import json_option, now, print_json
from vbotd.layout import Layout


@click.command("report")
@json_option
def command(as_json: bool) -> None:
    """Print the report as it would stand in state/WAKE_UP.md now. Plugins' sections are those last written there.

    \b
    --json: {"version": 1, "at", "utc_offset_s", "verdict", "daemon", "needs": [{"text", "command", "origin"}],
             "bests": [{"campaign", "status", "trials": [...], "more"}],
             "causes": [{"kind", "what", "count", "examples"}], "spent": [...], "running": [...], "cores",
             "cores_busy", "sections": [[plugin, {"title", "lines"}]], "notes": [...], "commands": [...],
             "fingerprint": [...]}; the fields are those of vbotd.core.report_facts.Report.
    """
    from vbotd.core.report import build, to_json, to_markdown
    from vbotd.store.facts import gather
    from vbotd.store.read import Reader
    from vbotd.store.views import last_sections

    layout = Layout.find()
    with Reader(layout.store) as reader:
        report = build(gather(reader, layout, now(), sections=last_sections(layout)))
    if as_json:
        print_json(to_json(report))
    else:
        click.echo(to_markdown(report), nl=False)
