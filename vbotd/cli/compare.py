"""`vbotd compare`: what do runs differ in, how did each go, and which one is better, with what certainty?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.commanding import json_option
from vbotd.cli.compare_runs import (
    Compared,
    Verdicts,
    compared_runs,
    differing_settings,
    measured_now,
    series_of,
    verdicts,
)
from vbotd.cli.scores import HELD_OUT_INSTANCES
from vbotd.errors import VbotdError
from vbotd.layout import Layout

AGAINST = "--against"


@click.command("compare", context_settings={"ignore_unknown_options": True})
@click.argument("targets", nargs=-1, required=True, metavar="RUN... [--against RUN...]")
@click.option("--episodes", type=click.IntRange(min=1),
              help="Measure all of them now, on so many identical held-out episodes. Default: what was measured.")
@click.option("--instances", type=click.IntRange(min=1), default=HELD_OUT_INSTANCES, show_default=True,
              help="With --episodes: the seed of the episode instances.")
@click.option("--param", "--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="With --episodes: measure under this setting; repeat.")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.png",
              help="Also draw the series of all runs over each other.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads for measuring. Default: all cores.")
@json_option
def command(targets: tuple[str, ...], episodes: int | None, instances: int, settings: tuple[str, ...],
            plot_path: Path | None, threads: int | None, as_json: bool) -> None:
    """Put runs side by side: the settings that differ, series, reward terms, held-out scores, and which is better.

    A RUN is a run, a trial, a campaign (all of its runs), a folder or a checkpoint in one. Without --against every run
    is compared with the first, over paired episodes: that speaks of these checkpoints. With --against the runs before
    it are compared with those behind it, one score a run, each with a training seed of its own: that speaks of the
    settings.

    \b
    --json: {"task", "runs": [{"name", "side", "state", "env_steps", "checkpoint", "sha256", "same_as", "settings",
             "series": {TAG: {"final", "best", "best_env_step"}}, "reward_terms": {TERM: final}, "held_out": {"source",
             "purpose", "instances", "episodes", "metrics"} or null}], "settings": {KEY: [value a run]},
             "differences": [{"name", "minus", "metrics"}], "improvement": [{"name", "over", "unit", "tag", "value",
             "low", "high", "n"}], "notes": [...]}
    """
    layout = Layout.find()
    ours, theirs = _sides(targets)
    params = parse_assignments(settings)
    if (params or instances != HELD_OUT_INSTANCES) and episodes is None:
        raise click.UsageError("--param and --instances say how to measure — give --episodes too")
    runs = compared_runs(layout, ours, theirs)
    if len(runs) < 2:
        raise VbotdError(f"{runs[0].name} is one run — there is nothing to compare it with — name another one, "
                         "or see 'vbotd monitor'")
    if episodes is not None:
        runs = measured_now(runs, episodes, instances, threads, params, quiet=as_json)
    found = verdicts(runs, params if episodes is not None else {})
    if plot_path is not None:
        from vbotd.cli.monitor_plot import plot
        plot([run.view for run in runs], plot_path)
    if as_json:
        click.echo(json.dumps(_document(runs, found), allow_nan=False))
        return
    from vbotd.cli.compare_table import tables
    click.echo(tables(runs, found))
    if plot_path is not None:
        click.echo(f"\nplot: {plot_path}")


def _sides(targets: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the runs before and behind `--against`, which click cannot take with several values of its own."""
    unknown = [word for word in targets if word.startswith("-") and word != AGAINST]
    if unknown:
        raise click.UsageError(f"there is no option '{unknown[0]}' — see 'vbotd compare --help'")
    if AGAINST not in targets:
        return list(targets), []
    place = list(targets).index(AGAINST)
    ours, theirs = list(targets[:place]), [word for word in targets[place + 1:] if word != AGAINST]
    if not ours or not theirs:
        raise click.UsageError(f"{AGAINST} stands between runs — as in 'vbotd compare A1 A2 {AGAINST} B1 B2'")
    return ours, theirs


def _document(runs: Sequence[Compared], found: Verdicts) -> dict[str, Any]:
    return {
        "task": found.card.name,
        "runs": [{"name": run.name, "side": run.side, "state": run.view.state,
                  "env_steps": run.view.diagnosis.env_steps, "checkpoint": str(run.checkpoint or "") or None,
                  "sha256": run.sha256 or None, "same_as": run.same_as, "settings": run.settings, **series_of(run),
                  "held_out": None if run.standing is None else {
                      "source": run.standing.source, "purpose": run.standing.purpose,
                      "instances": run.standing.instances, "episodes": run.standing.episodes,
                      "metrics": run.standing.metrics}} for run in runs],
        "settings": differing_settings(runs),
        "differences": [{"name": d.name, "minus": d.minus, "metrics": d.metrics} for d in found.differences],
        "improvement": [{"name": i.name, "over": i.over, "unit": i.unit, "tag": i.tag, **i.measured}
                        for i in found.improvements],
        "notes": list(found.notes)}
