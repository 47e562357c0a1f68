"""How does a comparison of runs read as plain text? What differs first, then how each went, then who is better."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from vbotd.cli.checking import count
from vbotd.cli.columns import columns
from vbotd.cli.compare_runs import Compared, Improvement, Verdicts, differing_settings, series_of
from vbotd.cli.monitor_table import number
from vbotd.cli.scores import score_text

MOST_TERMS = 20


def tables(runs: Sequence[Compared], found: Verdicts) -> str:
    """Return the whole comparison."""
    names = short_names(runs)
    parts = [_runs(runs, names), _settings(runs, names), _series(runs, names), _held_out(runs, names, found),
             _differences(names, found), _improvements(names, found), [f"note: {note}" for note in found.notes]]
    return "\n\n".join("\n".join(part) for part in parts if part)


def short_names(runs: Sequence[Compared]) -> dict[str, str]:
    """Return what tells the runs apart: their names without the folders that all begin with."""
    common = os.path.commonpath([run.name for run in runs])
    return {run.name: run.name.removeprefix(common).lstrip("/") or run.name for run in runs}


def _runs(runs: Sequence[Compared], names: dict[str, str]) -> list[str]:
    two_sides = any(run.side for run in runs)
    rows = [(names[run.name], ("before", "behind")[run.side] if two_sides else "", run.view.state,
             count(run.view.diagnosis.env_steps), run.sha256[:12] or "no checkpoint",
             f"the same as {names[run.same_as]}" if run.same_as else "") for run in runs]
    return [f"{len(runs)} runs of {runs[0].task}", "",
            columns(("run", "--against" if two_sides else "", "state", "env steps", "checkpoint", ""), rows)]


def _settings(runs: Sequence[Compared], names: dict[str, str]) -> list[str]:
    differing = differing_settings(runs)
    if not differing:
        return ["no setting differs between them"]
    return [columns(("settings that differ", *(names[run.name] for run in runs)),
                    [(key, *values) for key, values in differing.items()])]


def _series(runs: Sequence[Compared], names: dict[str, str]) -> list[str]:
    told = [series_of(run) for run in runs]
    tags = list(dict.fromkeys(tag for each in told for tag in each["series"]))
    terms = list(dict.fromkeys(term for each in told for term in each["reward_terms"]))
    size = {term: max(abs(each["reward_terms"].get(term, 0.0)) for each in told) for term in terms}
    terms.sort(key=lambda term: -size[term])
    heads = [names[run.name] for run in runs]
    lines = []
    if tags:
        lines.append(columns(("training, last (best)", *heads),
                             [(tag, *(_last_and_best(each["series"].get(tag)) for each in told)) for tag in tags]))
    if terms:
        lines += ["", columns(("reward terms, per second", *heads), [
            (term, *(number(each["reward_terms"].get(term)) for each in told)) for term in terms[:MOST_TERMS]])]
        lines += [f"and {len(terms) - MOST_TERMS} smaller ones, see --json"] if len(terms) > MOST_TERMS else []
    return lines


def _last_and_best(told: Any) -> str:
    if told is None:
        return "-"
    best = "" if told["best"] is None else f" ({number(told['best'])} at {count(told['best_env_step'])})"
    return f"{number(told['final'])}{best}"


def _held_out(runs: Sequence[Compared], names: dict[str, str], found: Verdicts) -> list[str]:
    shown = [run for run in runs if run.standing is not None]
    if not shown:
        return []
    metrics = [run.standing.metrics for run in shown if run.standing is not None]
    first = [found.card.metric.tag, *([found.card.quality.tag] if found.card.quality else [])]
    tags = sorted({tag for each in metrics for tag in each},
                  key=lambda tag: (first.index(tag) if tag in first else len(first), tag))
    rows = [(tag, *(score_text(each[tag]) if tag in each else "-" for each in metrics)) for tag in tags]
    where = dict.fromkeys(f"{s.episodes} episodes of seed {s.instances}" for run in shown if (s := run.standing))
    return [columns((f"held out, {' / '.join(where)}", *(names[run.name] for run in shown)), rows)]


def _differences(names: dict[str, str], found: Verdicts) -> list[str]:
    lines = []
    for difference in found.differences:
        kept = [metric.tag for metric in (found.card.metric, found.card.quality) if metric is not None]
        for tag in (*kept, "eval/fall_rate"):
            measured = difference.metrics.get(tag)
            if measured is not None:
                apart = "" if measured["low"] <= 0 <= measured["high"] else ": apart"
                lines.append(f"{names[difference.name]} minus {names[difference.minus]}, {tag}: "
                             f"{measured['value']:+.4g} [{measured['low']:+.4g}, {measured['high']:+.4g}] over "
                             f"{measured['n']} paired episodes{apart}")
    return lines


def _improvements(names: dict[str, str], found: Verdicts) -> list[str]:
    return [_improvement(names, improvement) for improvement in found.improvements]


def _improvement(names: dict[str, str], told: Improvement) -> str:
    measured = told.measured
    what = "in an episode" if told.unit == "episode" else "as a training run"
    verdict = "not told apart" if measured["low"] <= 0.5 <= measured["high"] else (
        "better" if measured["value"] > 0.5 else "worse")
    return (f"P({names.get(told.name, told.name)} beats {names.get(told.over, told.over)} {what}, {told.tag}) = "
            f"{measured['value']:.2f} [{measured['low']:.2f}, {measured['high']:.2f}]: {verdict}")
