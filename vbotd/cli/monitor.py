"""`vbotd monitor`: how is the training going? Reads the run folders, so it works with the daemon dead."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vbotd.cli.commanding import json_option

if TYPE_CHECKING:
    from vbotd.cli.run_view import RunView

REFRESH_S = 2.0


@click.command("monitor")
@click.argument("target", metavar="RUN_OR_TRIAL_OR_CAMPAIGN")
@click.option("--follow", "-f", is_flag=True, help="Go on showing it, every 2 s, until all of its runs have ended.")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.png",
              help="Also draw the series: a run in full, several on top of each other.")
@json_option
def command(target: str, follow: bool, plot_path: Path | None, as_json: bool) -> None:
    """Show a run in full, or every run of a trial or campaign in a row: progress, metrics, findings.

    What is shown is what training itself reports; it is no score. A score comes from held-out episodes:
    'vbotd report'.
    """
    from vbotd.cli.run_view import RunWatch, find_runs
    from vbotd.layout import Layout

    if follow and as_json:
        raise click.UsageError("--follow and --json do not go together — ask for --json again instead")
    layout = Layout.find()
    watches: dict[Path, RunWatch] = {}

    def look() -> list[RunView]:
        # Found anew each time: a campaign starts further runs while it is watched.
        for folder in find_runs(layout, target):
            watches.setdefault(folder, RunWatch(folder, layout))
        return [watch.look() for watch in watches.values()]

    views = look()
    if as_json:
        click.echo(json.dumps({"runs": [_as_json(view) for view in views]}, allow_nan=False))
    else:
        from rich.console import Console
        from rich.live import Live

        from vbotd.cli.monitor_table import tables

        console = Console(highlight=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = 160  # A pipe has no width of its own, and 80 would fold the names.
        if follow:
            with Live(tables(views), console=console, auto_refresh=False) as live:
                try:
                    while not all(view.has_ended for view in views):
                        time.sleep(REFRESH_S)
                        views = look()
                        live.update(tables(views), refresh=True)
                except KeyboardInterrupt:
                    live.update(tables(views), refresh=True)
        else:
            console.print(tables(views))
    if plot_path is not None:
        from vbotd.cli.monitor_plot import plot

        plot(views, plot_path)
        if not as_json:
            click.echo(f"plot: {plot_path}")


def _as_json(view: RunView) -> dict[str, Any]:
    from vbotd.core.diagnosis_words import shares

    return {"run": view.name, "state": view.state, "has_ended": view.has_ended, **asdict(view.diagnosis),
            "reward_shares": {term.tag: round(share, 6) for term, share in shares(view.diagnosis.reward_terms)},
            "words": list(view.words), "troubles": list(view.troubles)}
