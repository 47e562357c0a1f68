"""The skill's part of the morning report: what the robots did, what was changed against it, and what came of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vbotd.domain.history import History

from .diagnosis import Diagnosis
from .plan import IDEAS
from .story import Experiment, Story

MOST_LINES = 15
NO_MODEL = "no model is configured"


def report_lines(told: Sequence[tuple[History, Story, Mapping[str, Diagnosis]]]) -> tuple[str, ...]:
    """Return the lines of the section, whole campaigns only, as many as fit."""
    lines: list[str] = []
    for number, (history, story, seen) in enumerate(told):
        part = list(_campaign(history, story, seen))
        left = len(told) - number
        if len(lines) + len(part) + (left > 1) > MOST_LINES:
            return (*lines, *part[:max(0, MOST_LINES - 1 - len(lines))], f"- and {left} more")[:MOST_LINES]
        lines += part
    return tuple(lines)


def _campaign(history: History, story: Story, seen: Mapping[str, Diagnosis]) -> Iterator[str]:
    first = next((trial for trial in history.trials if trial.id in seen), None)
    if first is None and not story.experiments:
        yield f"- **{history.record.id}**: nothing that a reward could heal was seen"
        yield from _silent_model(history)
        return
    if first is not None:
        found = seen[first.id]
        yield (f"- **{history.record.id}**: behaviour of {first.id.rpartition('/')[2]}: *{found.behaviour}*: "
               f"{found.evidence}")
    else:
        yield f"- **{history.record.id}**"
    for experiment in story.experiments:
        yield f"  - {_name(experiment)}: {_outcome(experiment)}"
    yield from _silent_model(history)
    base = story.base
    if story.experiments and base is not None:
        yield f"  - stands now: {base.id.rpartition('/')[2]}"


def _silent_model(history: History) -> Iterator[str]:
    """Say once that a model was asked and had no idea, and why; nobody is told of a model that nobody has."""
    reasons = [run.reason for run in history.runs if run.kind == IDEAS and not run.findings and run.reason]
    told = [reason for reason in reasons if NO_MODEL not in reason]
    if told:
        often = f" ({len(told)} times)" if len(told) > 1 else ""
        yield f"  - a model was asked{often} and the search went on without it: {told[-1]}"


def _name(experiment: Experiment) -> str:
    return (f"{experiment.trial.id.rpartition('/')[2]}, reward.{experiment.term} {experiment.before:g} → "
            f"{experiment.after:g}" + (f" ({experiment.source})" if experiment.source else ""))


def _outcome(experiment: Experiment) -> str:
    if experiment.decision is None:
        return f"at work, pairs measured so far: {len(experiment.pairs)}"
    pairs = ", ".join(f"seed {pair.seed} {pair.before:.2f} → {pair.after:.2f}" for pair in experiment.pairs)
    half = "; nobody succeeded before, so getting there counts half" if experiment.half_way else ""
    return f"**{experiment.decision.verdict}**, {experiment.decision.why}{half}" + (f" ({pairs})" if pairs else "")
