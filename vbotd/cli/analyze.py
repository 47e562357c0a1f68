"""`vbotd analyze`: what do the trials of a campaign teach? Which settings mattered, and which values were best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from vbotd.cli.show import json_option, print_json
from vbotd.core.importance import FEWEST_TRIALS, Importance, Tried, importances
from vbotd.core.report_facts import Best
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import MetricCard
from vbotd.domain.trial import Run, Trial
from vbotd.errors import NotFound, VbotdError
from vbotd.layout import Layout

MOST_BEST = 5
FEW_TRIALS = 20  # up to here an effect has to be large to be seen


@click.command("analyze")
@click.argument("campaign", metavar="CAMPAIGN")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.png",
              help="Also draw the score over each setting.")
@click.option("--export", "export_path", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.yaml",
              help="Also write a campaign that trains the best configuration again, with fresh seeds.")
@click.option("--trial", "chosen", default="", metavar="TRIAL", help="With --export: this one's, such as t003.")
@json_option
def command(campaign: str, plot_path: Path | None, export_path: Path | None, chosen: str, as_json: bool) -> None:
    """Say which settings of a campaign mattered, what scores their values had, and which configurations were best.

    Reads only the store, so it works with the daemon dead and while the campaign runs.

    \b
    --json: {"campaign", "task", "tag", "direction", "trials": {"scored", "failed", "open"}, "importances": [{"key",
             "share", "p", "matters", "rank_correlation", "groups": [{"values", "scored", "failed", "score"}]}],
             "best": [{"trial", "score", "confirmed", "seeds", "changes", "checkpoint", "verdict", "champion"}],
             "notes": [...]}
    """
    from vbotd.store.finding import resolve_id
    from vbotd.store.present import score_cards
    from vbotd.store.read import Reader
    if chosen and export_path is None:
        raise click.UsageError("--trial says whose settings to export — give --export too")
    layout = Layout.find()
    with Reader(layout.store) as reader:
        kind, name = resolve_id(reader, campaign)
        record = reader.record(name.partition("/")[0]) if kind != "event" else None
        if record is None:
            raise NotFound(f"{campaign} is no campaign — name one, see 'vbotd status'")
        trials, runs = reader.trials(record.id), reader.runs(record.id)
    metrics, qualities = score_cards(layout)
    metric = (metrics or {}).get(record.content.task, MetricCard(tag="eval/success_rate", unit="rate"))
    tried = [Tried(trial=t.id, params=t.proposal.params, score=t.score.value if t.score else None)
             for t in trials if t.judged]
    found, best = importances(tried), _best(record, trials, runs, metric, qualities)
    notes = _notes(tried, best)
    if plot_path is not None:
        _plot(record, trials, found, metric, plot_path)
    if export_path is not None:
        _export(layout, record, trials, runs, best, chosen, export_path)
    if as_json:
        print_json({"campaign": record.id, "task": record.content.task, "tag": metric.tag,
                    "direction": metric.direction, "trials": _counts(trials),
                    "importances": [_importance_json(each) for each in found],
                    "best": [_best_json(each) for each in best], "notes": notes})
        return
    from vbotd.cli.analyze_table import tables
    click.echo(tables(record, metric, _counts(trials), found, best, notes))
    if plot_path is not None:
        click.echo(f"\nplot: {plot_path}")
    if export_path is not None:
        click.echo(f"\nwrote {export_path}\n\nnext:\n  vbotd check  {export_path}\n  vbotd submit {export_path}")


def _best(record: CampaignRecord, trials: Sequence[Trial], runs: Sequence[Run], metric: MetricCard,
          qualities: Mapping[str, MetricCard]) -> list[Best]:
    """Return the best scored trials, as the morning report shows them."""
    from vbotd.core.report_best import best_from, ranked
    from vbotd.core.report_facts import Facts
    facts = Facts(now=0.0, records=(record,), trials=tuple(trials), runs=tuple(runs),
                  metrics={record.content.task: metric}, qualities=qualities)
    return [best_from(facts, record, trial) for trial in ranked(facts, record)[:MOST_BEST]]


def _counts(trials: Sequence[Trial]) -> dict[str, int]:
    return {"scored": sum(t.score is not None for t in trials),
            "failed": sum(t.judged and t.score is None for t in trials), "open": sum(not t.judged for t in trials)}


def _notes(tried: Sequence[Tried], best: Sequence[Best]) -> list[str]:
    scored = sum(trial.score is not None for trial in tried)
    notes = []
    if scored < FEWEST_TRIALS:
        notes.append(f"{scored} scored trial{'s' * (scored != 1)}: too few to say which setting mattered — "
                     f"{FEWEST_TRIALS} is the least, {FEW_TRIALS} or more are better")
    elif scored < FEW_TRIALS:
        notes.append(f"with {scored} scored trials only a large effect shows: a setting that is not called important "
                     "may matter all the same")
    if best and best[0].confirmed is None:
        notes.append("the best score was chosen for being the best of many, so it is too high: no fresh episodes have "
                     "confirmed it")
    if best and max(each.seeds for each in best) < 2:
        notes.append("each configuration has one training seed: a better score may be the seed's — --export writes a "
                     "campaign that repeats the best one with others")
    return notes


def _export(layout: Layout, record: CampaignRecord, trials: Sequence[Trial], runs: Sequence[Run], best: Sequence[Best],
            chosen: str, path: Path) -> None:
    from vbotd.cli.new import schema_for
    from vbotd.core.pinned import pinned_campaign
    from vbotd.store.files import write_atomic
    wanted = (chosen if "/" in chosen else f"{record.id}/{chosen}") if chosen else best[0].trial if best else ""
    trial = next((t for t in trials if t.id == wanted), None)
    if trial is None:
        raise NotFound(f"no trial '{chosen}' in {record.id} — it has {', '.join(t.id for t in trials[:8]) or 'none'}"
                       if chosen else f"{record.id} has no scored trial to export — name one with --trial")
    if path.exists():
        raise VbotdError(f"{path} is there already — it was not touched — give another name with --export")
    trained = [run for run in runs if run.trial == trial.id and run.kind == "train"]
    spec = trained[-1].spec if trained else {}
    sizes = spec.get("train") or {}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, pinned_campaign(
        record, trial, task=str(spec.get("task") or record.content.task), env_steps=sizes.get("env_steps"),
        num_envs=sizes.get("num_envs"), schema=schema_for(path, layout)))


def _plot(record: CampaignRecord, trials: Sequence[Trial], found: Sequence[Importance], metric: MetricCard, path: Path
          ) -> None:
    from vbotd.cli.analyze_plot import plot
    if not found:
        raise VbotdError(f"{record.id} has no setting that varies over its judged trials — there is nothing to draw — "
                         "leave --plot out")
    logs = {dimension.key for dimension in record.content.space.dimensions if dimension.kind == "log"}
    plot(record.id, [trial for trial in trials if trial.judged], found, metric, logs, path)


def _importance_json(each: Importance) -> dict[str, Any]:
    return {"key": each.key, "share": each.share, "p": each.p, "matters": each.matters,
            "rank_correlation": each.rank_correlation, "groups": each.groups}


def _best_json(each: Best) -> dict[str, Any]:
    return {"trial": each.trial, "tag": each.tag, "score": each.score, "score_run": each.score_run,
            "confirmed": each.confirmed, "confirm_run": each.confirm_run, "seeds": each.seeds,
            "over_seeds": each.over_seeds, "changes": each.changes, "checkpoint": each.checkpoint,
            "verdict": each.verdict, "champion": each.champion}
