"""`vbotd rank`: which checkpoint of a run is the best? A race on held-out episodes, confirmed on fresh ones."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.columns import columns
from vbotd.cli.commanding import json_option
from vbotd.cli.measuring import Candidate, Measurer, candidates, distinct, one_task, settings_apart
from vbotd.cli.runs_of import all_checkpoints
from vbotd.cli.scores import score_text
from vbotd.core.accounts import Accounts, column_of, is_rate_column
from vbotd.core.comparison import paired_difference
from vbotd.core.racing import FINALISTS, Criterion, Dropped, Screening, criteria_of, ordered, screen
from vbotd.core.wording import count
from vbotd.errors import VbotdError
from vbotd.layout import Layout

# Instances of the race, and far behind them those that confirm; neither is what `vbotd evaluate` or a campaign uses.
SCREEN_INSTANCES = 600_001
CONFIRM_DISTANCE = 100_000


@click.command("rank")
@click.argument("targets", nargs=-1, required=True, metavar="RUN|TRIAL|CAMPAIGN|CHECKPOINT...")
@click.option("--most", type=click.IntRange(min=1), default=1024, show_default=True,
              help="The most episodes of a checkpoint in the race.")
@click.option("--confirm", type=click.IntRange(min=1), default=512, show_default=True,
              help="Fresh episodes of each survivor, for the order that is reported.")
@click.option("--instances", type=click.IntRange(min=1), default=SCREEN_INSTANCES, show_default=True,
              help=f"The first seed of the race; the fresh ones lie {CONFIRM_DISTANCE:,} further on.")
@click.option("--param", "--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Measure under this setting, such as env.spawn_radius_m=[8,11]; repeat.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads. Default: all cores.")
@json_option
def command(targets: tuple[str, ...], most: int, confirm: int, instances: int, settings: tuple[str, ...],
            threads: int | None, as_json: bool) -> None:
    """Put the checkpoints of a run in order; of a campaign, the chosen checkpoint of each run.

    All run the same 64 episodes. Who is proved worse than the leader (paired Wilcoxon test, p < 0.05 after Holm) drops
    out, the episodes are doubled, until three are left. These run again on episodes that chose nothing, and only those
    numbers are reported. The order is by the task's metric, then falls, then the task's quality.

    \b
    --json: {"task", "criteria": [{"tag", "direction"}], "order": [{"rank", "name", "checkpoint", "sha256",
             "env_steps", "metrics", "minus_first": {TAG: {...}}}], "undecided": [{"name", "metrics"}],
             "dropped": [{"name", "leader", "tag", "mean", "leader_mean", "p", "episodes"}],
             "copies": [{"name", "same_as"}], "confirm_episodes", "confirm_instances", "screen_instances", "params",
             "notes": [...]}
    """
    layout, params = Layout.find(), parse_assignments(settings)
    found = candidates(pair for target in targets for pair in all_checkpoints(layout, target))
    card = one_task(found)
    by_name = {candidate.name: candidate for candidate in distinct(found)}
    if len(by_name) < len(distinct(found)):
        raise VbotdError("two different checkpoints have the same name — give their whole paths")
    measure, criteria = Measurer(threads, params, quiet=as_json), criteria_of(card)
    race = screen(list(by_name), criteria, lambda name, number, n: measure(by_name[name], n, instances + number),
                  most_episodes=most)
    fresh = {name: measure(by_name[name], confirm, instances + CONFIRM_DISTANCE) for name in race.survivors}
    order, notes = ordered(fresh, criteria), settings_apart(found, params)
    if as_json:
        click.echo(json.dumps({
            "task": card.name, "criteria": [{"tag": c.tag, "direction": c.direction} for c in criteria],
            "order": [_entry(by_name[name], place + 1, fresh, order[0], criteria) for place, name in enumerate(order)],
            "undecided": [{"name": name, "metrics": race.accounts[name].metrics()} for name in race.undecided],
            "dropped": [{"name": d.name, "leader": d.leader, "tag": d.criterion.tag, "mean": d.mean,
                         "leader_mean": d.leader_mean, "p": d.p, "episodes": d.episodes} for d in race.dropped],
            "copies": [{"name": c.name, "same_as": c.same_as} for c in found if c.same_as],
            "confirm_episodes": confirm, "confirm_instances": instances + CONFIRM_DISTANCE,
            "screen_instances": instances, "params": params, "notes": notes}))
        return
    click.echo(_report(found, race, fresh, order, criteria, confirm))
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"\nnext:\n  vbotd play {by_name[order[0]].path}")


def shortened(names: Sequence[str]) -> dict[str, str]:
    """Return what tells names apart: without the folders that all of them begin with."""
    common = os.path.commonpath([name.rpartition("/")[0] for name in names]) if all("/" in n for n in names) else ""
    return {name: name.removeprefix(f"{common}/") if common else name for name in names}


def _entry(candidate: Candidate, rank: int, fresh: dict[str, Accounts], first: str, criteria: Sequence[Criterion]
           ) -> dict[str, Any]:
    return {"rank": rank, "name": candidate.name, "checkpoint": str(candidate.path), "sha256": candidate.sha256,
            "env_steps": candidate.env_steps, "metrics": fresh[candidate.name].metrics(),
            "minus_first": {} if candidate.name == first else {
                c.tag: paired_difference(fresh[candidate.name].values(c.tag), fresh[first].values(c.tag),
                                         is_rate=is_rate_column(column_of(c.tag))) for c in criteria}}


def _report(found: list[Candidate], race: Screening, fresh: dict[str, Accounts], order: list[str],
            criteria: Sequence[Criterion], confirm: int) -> str:
    short = shortened([candidate.name for candidate in found])
    steps = {candidate.name: candidate.env_steps for candidate in found}
    metrics = {name: fresh[name].metrics() for name in order}
    body = [(str(place + 1), short[name], count(steps[name]),
             *(score_text(metrics[name][c.tag]) if c.tag in metrics[name] else "-" for c in criteria))
            for place, name in enumerate(order)]
    lines = [f"{len(distinct(found))} checkpoints of {found[0].card.name}; the order on {confirm} fresh episodes, "
             "which chose nothing:", "",
             columns(("#", "checkpoint", "env steps", *(c.tag for c in criteria)), body)]
    first = [metrics[name][criteria[0].tag]["value"] for name in order if criteria[0].tag in metrics[name]]
    if criteria[0].tag.endswith("_rate") and not any(first):
        lines += ["", f"none has any {criteria[0].words}: this is an order of those who fail"]
    lines += ["", *(_told_apart(short, order[0], name, fresh, criteria) for name in order[1:])] if order[1:] else []
    if race.undecided:
        most = race.accounts[race.undecided[0]].num_episodes
        lines += ["", f"not told apart from these after {most} episodes, and cut (a larger --most may tell):"]
        lines += [f"  {short[name]}: {_means(race.accounts[name], criteria)}" for name in race.undecided]
    if race.dropped:
        lines += ["", "dropped from the race:", *(_dropped(short, dropped) for dropped in race.dropped)]
    elif not race.accounts:
        lines += ["", f"{FINALISTS} or fewer need no race, so none was dropped"]
    copies = [c for c in found if c.same_as]
    lines += [f"{c.name} is a copy of {c.same_as} (sha256 {c.sha256[:12]}…) and did not run" for c in copies]
    return "\n".join(lines)


def _told_apart(short: dict[str, str], first: str, name: str, fresh: dict[str, Accounts], criteria: Sequence[Criterion]
                ) -> str:
    """Return by which criterion the first is better than another one, or that the episodes do not tell."""
    for criterion in criteria:
        apart = paired_difference(fresh[name].values(criterion.tag), fresh[first].values(criterion.tag),
                                  is_rate=is_rate_column(column_of(criterion.tag)))
        if apart is not None and not apart["low"] <= 0 <= apart["high"]:
            better = (apart["value"] > 0) == (criterion.direction == "max")
            return (f"{short[name]} is {'better' if better else 'worse'} than {short[first]} in {criterion.words}: "
                    f"{apart['value']:+.4g} [{apart['low']:+.4g}, {apart['high']:+.4g}] on the same episodes")
    return f"{short[name]} is not told apart from {short[first]} by these episodes"


def _dropped(short: dict[str, str], dropped: Dropped) -> str:
    return (f"  {short[dropped.name]} after {dropped.episodes} episodes: {dropped.criterion.words} "
            f"{dropped.mean:.4g} against {dropped.leader_mean:.4g} of {short[dropped.leader]} (p = {dropped.p:.2g})")


def _means(accounts: Accounts, criteria: Sequence[Criterion]) -> str:
    metrics = accounts.metrics()
    return ", ".join(f"{c.words} {score_text(metrics[c.tag])}" for c in criteria if c.tag in metrics)
