"""`vbotd evaluate`: measure checkpoints on held-out episodes, all of them on the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from vbotd.cli.checkpoint_of import find_checkpoint
from vbotd.cli.columns import columns
from vbotd.cli.commanding import json_option
from vbotd.cli.scores import HELD_OUT_INSTANCES, score_text
from vbotd.cli.train import cores
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import sha256_of


@click.command("evaluate")
@click.argument("names", nargs=-1, required=True, metavar="TRIAL|RUN|CHECKPOINT...")
@click.option("--episodes", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--instances", type=click.IntRange(min=1), default=HELD_OUT_INSTANCES, show_default=True,
              help="Seed of the episode instances; equal numbers give identical episodes.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads. Default: all cores.")
@json_option
def command(names: tuple[str, ...], episodes: int, instances: int, threads: int | None, as_json: bool) -> None:
    """Measure checkpoints on held-out episodes, with 95 % intervals.

    Several are measured on identical episodes, so that what differs is the policies. Copies of one checkpoint
    are told by their hash and measured once.
    """
    layout = Layout.find()
    rows: list[dict[str, Any]] = [{"name": name, "checkpoint": str(path), "sha256": sha256_of(path), "same_as": None}
                                  for name, path in ((name, find_checkpoint(layout, name)) for name in names)]
    measured: dict[str, dict[str, Any]] = {}
    first_of: dict[str, str] = {}
    for row in rows:
        sha256, name = str(row["sha256"]), str(row["name"])
        if sha256 in measured:
            row["same_as"] = first_of[sha256]
        else:
            first_of[sha256] = name
            measured[sha256] = _measure(Path(str(row["checkpoint"])), episodes, instances, threads or cores(),
                                        quiet=as_json)
        row["metrics"] = measured[sha256]
    if as_json:
        click.echo(json.dumps({"episodes": episodes, "instances": instances, "checkpoints": rows}))
    else:
        click.echo(_table(rows))


def _measure(checkpoint: Path, episodes: int, instances: int, threads: int, *, quiet: bool) -> dict[str, Any]:
    from vbotd.train.runio import SpecError
    from vbotd.train.session import evaluate_here
    if not quiet:
        click.echo(f"measuring {checkpoint} on {episodes} episodes", err=True)
    try:
        return evaluate_here(checkpoint, episodes, instances, threads)
    except SpecError as err:
        raise VbotdError(f"{checkpoint}: {err}") from err


def _table(rows: list[dict[str, Any]]) -> str:
    """Return the metrics side by side, and which names are copies of one checkpoint."""
    distinct = [row for row in rows if row["same_as"] is None]
    tags = sorted({tag for row in distinct for tag in row["metrics"]}, key=lambda tag: ("success" not in tag, tag))
    body = [(tag, *(score_text(row["metrics"][tag]) if tag in row["metrics"] else "-" for row in distinct))
            for tag in tags]
    lines = [columns(("metric", *(str(row["name"]) for row in distinct)), body)]
    lines += [f"{row['name']} is the same checkpoint as {row['same_as']} (sha256 {str(row['sha256'])[:12]}…): "
              "there is nothing to compare" for row in rows if row["same_as"]]
    return "\n".join(lines)
