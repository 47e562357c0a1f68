"""`vbotd evaluate`: measure checkpoints on held-out episodes, all of them on the same ones."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.checkpoint_of import find_checkpoint
from vbotd.cli.columns import columns
from vbotd.cli.commanding import json_option
from vbotd.cli.measuring import Candidate, Measurer, candidates, distinct, settings_apart
from vbotd.cli.scores import HELD_OUT_INSTANCES, score_text
from vbotd.core.accounts import Accounts, pooled, tag_of
from vbotd.core.comparison import metric_differences
from vbotd.core.dogs import POINTS_COLUMN, Groups, draw_groups
from vbotd.core.interval import Measured
from vbotd.core.wording import counted
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_atomic

MARKS_PER_DOG = 2.0


@click.command("evaluate")
@click.argument("names", nargs=-1, required=True, metavar="TRIAL|RUN|CHECKPOINT...")
@click.option("--episodes", type=click.IntRange(min=1), default=256, show_default=True, help="Of each seed.")
@click.option("--seeds", type=click.IntRange(min=1, max=1000), default=1, show_default=True,
              help="How many seeds of instances, one after the other; a seed has terrain of its own.")
@click.option("--instances", type=click.IntRange(min=1), default=HELD_OUT_INSTANCES, show_default=True,
              help="The first seed of the episode instances; equal numbers give identical episodes.")
@click.option("--param", "--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Measure under this setting, such as env.spawn_radius_m=[10,11]; repeat.")
@click.option("--dogs", type=click.IntRange(min=1), help="Also draw 100 groups of so many dogs, as in a competition.")
@click.option("--full-marks", type=click.FloatRange(min=0, min_open=True), default=MARKS_PER_DOG, show_default=True,
              help="The most points that one dog can get.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), help="Write a row an episode here.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads. Default: all cores.")
@json_option
def command(names: tuple[str, ...], episodes: int, seeds: int, instances: int, settings: tuple[str, ...],
            dogs: int | None, full_marks: float, csv_path: Path | None, threads: int | None, as_json: bool) -> None:
    """Measure checkpoints on held-out episodes, with 95 % intervals.

    Several are measured on identical episodes, so that what differs is the policies, and the differences are shown
    with intervals of their own. Copies of one checkpoint are told by their hash and measured once.

    \b
    --json: {"episodes", "seeds", "instances", "params", "checkpoints": [{"name", "checkpoint", "sha256", "same_as",
             "task", "metrics": {TAG: {"value", "low", "high", "n"}}, "per_seed": [{"instances", "metrics"}],
             "dogs": {...} or null}], "differences": [{"name", "minus", "metrics"}], "notes": [...]}
    """
    layout = Layout.find()
    params = parse_assignments(settings)
    found = candidates((name, find_checkpoint(layout, name)) for name in names)
    measure = Measurer(threads, params, quiet=as_json)
    parts = {c.sha256: [measure(c, episodes, instances + k) for k in range(seeds)] for c in distinct(found)}
    whole = {sha256: pooled(seed_parts) for sha256, seed_parts in parts.items()}
    groups = {c.sha256: _draw(c, whole[c.sha256], dogs, full_marks) for c in distinct(found)} if dogs else {}
    notes = settings_apart(found, params)
    if csv_path is not None:
        write_atomic(csv_path, _csv(found, parts, instances))
    if as_json:
        click.echo(json.dumps(_document(found, parts, groups, notes, instances) | {
            "episodes": episodes, "seeds": seeds, "instances": instances, "params": params}))
        return
    click.echo(_table(found, whole))
    for block in (_spread(found, parts, instances), _differences_shown(found, whole), _groups_shown(found, groups),
                  _copies(found), [f"note: {note}" for note in notes]):
        if block:
            click.echo("\n" + "\n".join(block))
    if csv_path is not None:
        click.echo(f"\nepisodes: {csv_path}")


def differences(found: list[Candidate], whole: dict[str, Accounts]) -> list[tuple[str, str, dict[str, Measured]]]:
    """Return (name, minus, metrics): each checkpoint less the first one of its task, over the same episodes."""
    first: dict[str, Candidate] = {}
    told = []
    for candidate in distinct(found):
        base = first.setdefault(candidate.card.name, candidate)
        if base is not candidate:
            told.append((candidate.name, base.name, metric_differences(whole[candidate.sha256], whole[base.sha256])))
    return told


def _draw(candidate: Candidate, accounts: Accounts, dogs: int, full_marks: float) -> Groups:
    points = accounts.columns.get(POINTS_COLUMN)
    if points is None:
        raise VbotdError(f"{candidate.name}: {candidate.card.name} gives no competition points — --dogs is for tasks "
                         f"that count '{tag_of(POINTS_COLUMN)}' — leave it out")
    try:
        return draw_groups([p for p in points if math.isfinite(p)], dogs, full_marks=dogs * full_marks)
    except ValueError as err:
        raise VbotdError(f"{candidate.name}: {err} (--episodes, --seeds)") from err


def _csv(found: list[Candidate], parts: dict[str, list[Accounts]], instances: int) -> str:
    names = list(dict.fromkeys(name for each in parts.values() for part in each for name in part.columns))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["checkpoint", "sha256", "instances", "instance", *names])
    for candidate in distinct(found):
        for k, part in enumerate(parts[candidate.sha256]):
            for i in range(part.num_episodes):
                cells = (part.columns[name][i] if name in part.columns else math.nan for name in names)
                writer.writerow([candidate.name, candidate.sha256, instances + k, i,
                                 *(f"{cell:.12g}" if math.isfinite(cell) else "" for cell in cells)])
    return text.getvalue()


def _document(found: list[Candidate], parts: dict[str, list[Accounts]], groups: dict[str, Groups], notes: list[str],
              instances: int) -> dict[str, Any]:
    whole = {sha256: pooled(each) for sha256, each in parts.items()}
    first = next(iter(found))
    rows = [{"name": c.name, "checkpoint": str(c.path), "sha256": c.sha256, "same_as": c.same_as, "task": c.card.name,
             "metrics": whole[c.sha256].metrics(),
             "per_seed": [{"instances": instances + k, "metrics": part.metrics()}
                          for k, part in enumerate(parts[c.sha256])],
             "dogs": _groups_json(groups[c.sha256]) if c.sha256 in groups else None} for c in found]
    return {"task": first.card.name, "checkpoints": rows, "notes": notes,
            "differences": [{"name": name, "minus": minus, "metrics": metrics}
                            for name, minus, metrics in differences(found, whole)]}


def _groups_json(groups: Groups) -> dict[str, Any]:
    return {"dogs": groups.dogs, "groups": groups.groups, "mean": groups.mean, "full_marks": groups.full_marks,
            "num_full": groups.num_full}


def _sorted_tags(found: list[Candidate], accounts: dict[str, Any]) -> list[str]:
    """Return all tags: the task's metric first, then its quality, then by name."""
    card = found[0].card
    first = (card.metric.tag, card.quality.tag if card.quality else "")
    tags = {tag for metrics in accounts.values() for tag in metrics}
    return sorted(tags, key=lambda tag: (first.index(tag) if tag in first else len(first), tag))


def _table(found: list[Candidate], whole: dict[str, Accounts]) -> str:
    """Return the metrics of the checkpoints side by side."""
    metrics = {c.name: whole[c.sha256].metrics() for c in distinct(found)}
    body = [(tag, *(score_text(each[tag]) if tag in each else "-" for each in metrics.values()))
            for tag in _sorted_tags(found, metrics)]
    return columns(("metric", *metrics), body)


def _spread(found: list[Candidate], parts: dict[str, list[Accounts]], instances: int) -> list[str]:
    """Return the task's metric seed by seed: is the whole number that of any seed, or of some?"""
    lines = []
    for candidate in distinct(found):
        each = parts[candidate.sha256]
        tag = candidate.card.metric.tag
        values = [part.metrics()[tag]["value"] for part in each if tag in part.metrics()]
        if len(each) > 1 and values:
            shown = ", ".join(f"{value:.4g}" for value in values[:10]) + (", …" if len(values) > 10 else "")
            lines.append(f"{candidate.name}: {tag} of {len(values)} seeds from {instances} on: {min(values):.4g} to "
                         f"{max(values):.4g} ({shown})")
    return lines


def _differences_shown(found: list[Candidate], whole: dict[str, Accounts]) -> list[str]:
    lines = []
    for name, minus, metrics in differences(found, whole):
        body = [(f"  {tag}", _signed(metrics[tag]), "" if metrics[tag]["low"] <= 0 <= metrics[tag]["high"] else "apart")
                for tag in _sorted_tags(found, {"": metrics})]
        lines += [f"{name} minus {minus}, the same episodes:", columns(("  metric", "difference", ""), body)]
    return lines


def _signed(measured: Measured) -> str:
    return (f"{measured['value']:+.4g} [{measured['low']:+.4g}, {measured['high']:+.4g}] n={measured['n']}")


def _groups_shown(found: list[Candidate], groups: dict[str, Groups]) -> list[str]:
    return [f"{c.name}: {each.groups} draws of {counted(each.dogs, 'dog')} score {each.mean['value']:.2f} "
            f"[{each.mean['low']:.2f}, {each.mean['high']:.2f}] of {each.full_marks:g} on average, {each.num_full} of "
            f"them full marks (from {each.mean['n']:,} episodes)"
            for c in distinct(found) if (each := groups.get(c.sha256)) is not None]


def _copies(found: list[Candidate]) -> list[str]:
    return [f"{c.name} is the same checkpoint as {c.same_as} (sha256 {c.sha256[:12]}…): there is nothing to compare"
            for c in found if c.same_as]
