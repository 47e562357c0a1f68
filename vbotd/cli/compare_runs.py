"""What is known of runs that are to be compared, and what follows from it? From their folders alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vbotd.cli.checkpoint_of import checkpoint_in
from vbotd.cli.plot_style import smoothed
from vbotd.cli.run_view import RunView, RunWatch
from vbotd.cli.runs_of import read_spec, trained_runs
from vbotd.cli.standing import Standing, on_the_same, standings
from vbotd.core.accounts import Accounts
from vbotd.core.comparison import improvement_over_episodes, improvement_over_runs, metric_differences
from vbotd.core.diagnose import KEY_TAGS
from vbotd.core.interval import Measured
from vbotd.core.trend import key_metric
from vbotd.core.wording import counted, setting
from vbotd.domain.metric import MetricCard
from vbotd.domain.task import ParamValue, TaskCard
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import sha256_of

FEW_RUNS = 4  # three runs all better than three others: chance does that in 1 of 10 cases (two-sided)
# Which way these series are better; others have a last value and no best one.
BETTER = {"train/success_rate": max, "train/episode_return": max, "train/fall_rate": min}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One run of a comparison. `side` is 0 for those before --against, 1 for those behind it.

    `checkpoint` is None before the first one; `same_as` names the earlier run with the very same checkpoint;
    `standing` is the held-out evaluation that is shown, None where there is none.
    """

    name: str
    side: int
    folder: Path
    view: RunView
    task: str
    settings: Mapping[str, Any]
    checkpoint: Path | None
    sha256: str
    same_as: str | None
    standing: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A run's metrics less another's, over the same episodes."""

    name: str
    minus: str
    metrics: Mapping[str, Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """The probability that one is better than another: in an episode, or in a training run."""

    name: str
    over: str
    unit: Literal["episode", "run"]
    tag: str
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What follows: differences over paired episodes, probabilities of improvement, and what limits them."""

    card: TaskCard
    differences: tuple[Difference, ...]
    improvements: tuple[Improvement, ...]
    notes: tuple[str, ...]


def compared_runs(layout: Layout, ours: Sequence[str], theirs: Sequence[str]) -> list[Compared]:
    """Return the runs that are meant, those of ours first, each once, with evaluations over the same episodes if all
    have such, else each with its own.

    Raises: NotFound; VbotdError where they are of several tasks or one run is on both sides.
    """
    runs: list[Compared] = []
    for side, targets in enumerate((ours, theirs)):
        for folder in dict.fromkeys(f.resolve() for target in targets for f in trained_runs(layout, target)):
            if any(run.folder == folder and run.side != side for run in runs):
                raise VbotdError(f"{folder} is on both sides — a run cannot be compared with itself — name it once")
            runs.append(_run(layout, folder, side, runs))
    tasks = dict.fromkeys(run.task for run in runs)
    if len(tasks) > 1:
        raise VbotdError(f"these runs are of {len(tasks)} tasks ({', '.join(tasks)}) — only scores of one task can be "
                         "compared — name runs of one task")
    of_runs = [standings(run.folder) for run in runs]
    same = on_the_same(of_runs)
    chosen: list[Standing | None] = [*same] if same else [each[-1] if each else None for each in of_runs]
    return [replace(run, standing=standing) for run, standing in zip(runs, chosen, strict=True)]


def measured_now(runs: Sequence[Compared], episodes: int, instances: int, threads: int | None,
                 params: Mapping[str, ParamValue], *, quiet: bool) -> list[Compared]:
    """Return the runs with their checkpoints measured on identical episodes; copies are measured once.

    Raises: VbotdError for a run without a checkpoint.
    """
    from vbotd.cli.measuring import Measurer, candidates
    for run in runs:
        if run.checkpoint is None:
            raise VbotdError(f"{run.name} has no checkpoint yet — it cannot be measured — leave --episodes out")
    found = candidates((run.name, run.checkpoint) for run in runs if run.checkpoint is not None)
    measure, measured = Measurer(threads, params, quiet=quiet), {}
    for candidate in found:
        if candidate.sha256 not in measured:
            measured[candidate.sha256] = measure(candidate, episodes, instances)
    return [replace(run, standing=Standing(
        source="", purpose="now", instances=instances, episodes=episodes, sha256=run.sha256,
        metrics=measured[run.sha256].metrics(), accounts=measured[run.sha256])) for run in runs]


def differing_settings(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """Return the settings in which the runs differ, a value a run in words; 'default' where a run does not set it."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    rows = {key: [setting(run.settings[key]) if key in run.settings else "default" for run in runs] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def series_of(run: Compared) -> dict[str, Any]:
    """Return the last and the best value of a run's key series, and the last of its reward terms, per second."""
    series = {}
    for tag in KEY_TAGS:
        smooth = smoothed(run.view.points.get(tag, ()))
        if smooth:
            better = BETTER.get(tag)
            step, best = better(smooth, key=lambda point: point[1]) if better else (None, None)
            series[tag] = {"final": key_metric(tag, run.view.points[tag]).latest, "best": best, "best_env_step": step}
    terms = {metric.tag.removeprefix("reward/"): metric.latest for metric in run.view.diagnosis.reward_terms
             if metric.latest is not None}
    return {"series": series, "reward_terms": terms}


def verdicts(runs: Sequence[Compared], overrides: Mapping[str, ParamValue]) -> Verdicts:
    """Return which run, or side, is better and how sure that is."""
    card = _card(runs[0].task)
    sides = [[run for run in runs if run.side == side] for side in (0, 1)]
    over_runs = bool(sides[1]) and max(map(len, sides)) > 1
    notes = [*_copy_notes(runs), *_standing_notes(runs), *_env_notes(runs, overrides)]
    differences: list[Difference] = []
    improvements: list[Improvement] = []
    if over_runs:
        improvements = _between_sides(sides, card)
        notes += _side_notes(sides, improvements)
    else:
        first, *rest = runs
        for run in rest:
            if run.sha256 != first.sha256 or not run.sha256:
                differences += _difference(run, first)
                improvements += _between_checkpoints(run, first, card)
        if improvements:
            notes.append("these numbers speak of the checkpoints that were measured; the same settings trained with "
                         "another seed may come out the other way: name several runs a side with --against")
    return Verdicts(card=card, differences=tuple(differences), improvements=tuple(improvements), notes=tuple(notes))


def _run(layout: Layout, folder: Path, side: int, before: Sequence[Compared]) -> Compared:
    spec, checkpoint = read_spec(folder), checkpoint_in(folder)
    sha256 = sha256_of(checkpoint) if checkpoint else ""
    same = next((run.name for run in before if sha256 and run.sha256 == sha256), None)
    view = RunWatch(folder, layout).look()
    settings = {"seed": spec.get("seed")}
    for block, prefix in (("train", "train."), ("params", "")):
        part = spec.get(block)
        settings |= {f"{prefix}{key}": value for key, value in part.items()} if isinstance(part, dict) else {}
    if isinstance(warm := spec.get("warm_start"), dict):
        settings["warm_start"] = str(warm.get("checkpoint", ""))
    return Compared(name=view.name, side=side, folder=folder, view=view, task=str(spec.get("task", "")),
                    settings=settings, checkpoint=checkpoint, sha256=sha256, same_as=same, standing=None)


def _card(task: str) -> TaskCard:
    from vbotd.train.runio import SpecError
    from vbotd.train.tasks.registry import find
    try:
        return find(task)
    except SpecError:
        # Its plugin is gone; what it measured is still there, under the tag that tasks are scored by unless they say.
        return TaskCard(name=task or "unknown", summary="", factory="")


def _difference(run: Compared, first: Compared) -> list[Difference]:
    pair = _paired(run, first)
    if pair is None:
        return []
    ours, theirs = pair
    return [Difference(name=run.name, minus=first.name, metrics=metric_differences(ours, theirs))]


def _paired(run: Compared, first: Compared) -> tuple[Accounts, Accounts] | None:
    """Return the episodes of both if they are the same ones, else None."""
    a, b = run.standing, first.standing
    if a is None or b is None or a.accounts is None or b.accounts is None:
        return None
    same = (a.instances, a.accounts.num_episodes) == (b.instances, b.accounts.num_episodes)
    return (a.accounts, b.accounts) if same else None


def _between_checkpoints(run: Compared, first: Compared, card: TaskCard) -> list[Improvement]:
    pair = _paired(run, first)
    if pair is None:
        return []
    found = []
    for metric in _metrics(card):
        measured = improvement_over_episodes(pair[0].values(metric.tag), pair[1].values(metric.tag), metric.direction)
        if measured is not None:
            found.append(Improvement(name=run.name, over=first.name, unit="episode", tag=metric.tag, measured=measured))
    return found


def _between_sides(sides: Sequence[Sequence[Compared]], card: TaskCard) -> list[Improvement]:
    found = []
    for metric in _metrics(card):
        scores = [[float(run.standing.metrics[metric.tag]["value"]) for run in side
                   if run.standing is not None and metric.tag in run.standing.metrics] for side in sides]
        measured = improvement_over_runs(scores[0], scores[1], metric.direction)
        if measured is not None:
            found.append(Improvement(name=f"a run before --against ({len(scores[0])})",
                                     over=f"one behind it ({len(scores[1])})", unit="run", tag=metric.tag,
                                     measured=measured))
    return found


def _metrics(card: TaskCard) -> list[MetricCard]:
    return [card.metric, *([card.quality] if card.quality else [])]


def _copy_notes(runs: Sequence[Compared]) -> list[str]:
    return [f"{run.name} has the very same checkpoint as {run.same_as} (sha256 {run.sha256[:12]}…): what differs "
            "between them is not the policy" for run in runs if run.same_as]


def _standing_notes(runs: Sequence[Compared]) -> list[str]:
    missing = [run.name for run in runs if run.standing is None]
    if missing:
        return [f"{', '.join(missing[:3])}{' and others' if missing[3:] else ''}: no held-out episodes were measured — "
                "give --episodes 256 to measure all now"]
    if len({(run.standing.instances, run.standing.episodes) for run in runs if run.standing}) > 1:
        return ["they were measured on different episodes, so nothing is paired — give --episodes 256 to measure all "
                "on the same ones"]
    return []


def _env_notes(runs: Sequence[Compared], overrides: Mapping[str, ParamValue]) -> list[str]:
    keys = [key for key in differing_settings(runs) if key.startswith("env.") and key not in overrides]
    if not keys or not any(run.standing for run in runs):
        return []
    return [f"each was measured under its own {', '.join(keys)} — --episodes 256 --param {keys[0]}=VALUE measures all "
            "under one"]


def _side_notes(sides: Sequence[Sequence[Compared]], improvements: Sequence[Improvement]) -> list[str]:
    notes = []
    for words, side in zip(("before", "behind"), sides, strict=True):
        mixed = [key for key in differing_settings(side) if key != "seed"]
        if mixed:
            notes.append(f"the runs {words} --against differ in {', '.join(mixed[:5])}: they are no repeats of one "
                         "setting")
        seeds = {run.settings.get("seed") for run in side}
        if len(seeds) < len(side):
            notes.append(f"the {counted(len(side), 'run')} {words} --against have {counted(len(seeds), 'seed')}: "
                         "runs of one seed are no independent evidence")
    few = min((i.measured["n"] for i in improvements), default=0)
    if improvements and few < FEW_RUNS:
        notes.append(f"with only {counted(few, 'run')} on a side nothing is proved, even where all of one side are "
                     f"better: train at least {FEW_RUNS} seeds of each")
    return notes
