"""The curriculum's part of the morning report: the ladder and the forgetting matrix, in one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vbotd.domain.history import History

from .bounds import pooled
from .evidence import Attempt
from .ladder import Ladder, Score
from .moves import score_of, stand
from .options import Options
from .rungs import Rung

LINES = 15
MOST_ROWS = 9


def report_lines(campaigns: Sequence[tuple[History, Options]]) -> tuple[str, ...]:
    """Return the lines of the report section: tables as long as they fit, then a line for each other campaign."""
    lines: list[str] = []
    for number, (history, options) in enumerate(campaigns):
        left = len(campaigns) - number - 1
        ladder, attempts = stand(history, options)
        table = list(_table(history, ladder, attempts))
        head = _head(history, ladder, attempts)
        if len(lines) + 2 + len(table) + left <= LINES:
            lines += [head, "", *table]
        elif len(lines) + 1 + bool(left) <= LINES:
            lines.append(head)
        else:
            return (*lines, f"- and {left + 1} more campaigns with stages")
    return tuple(lines)


def _head(history: History, ladder: Ladder, attempts: Sequence[Attempt]) -> str:
    stages = ladder.stages()
    passed = sum(stage.name in ladder.passed for stage in stages)
    text = f"- **{history.record.id}**: {passed} of {len(stages)} stages passed"
    if ladder.demotions:
        text += f", {ladder.demotions} demoted"
    if ladder.rung is None:
        return text + ", at the top."
    if ladder.over:
        return f"{text}. Stopped: {ladder.over}."
    at_work = attempts and not attempts[-1].trial.judged
    return f"{text}; {ladder.rung.name} is up" + (f", {attempts[-1].name} is at work." if at_work else ".")


def _table(history: History, ladder: Ladder, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield a row an attempt: what it was worth at each stage (bold: where it was trained), and what became of it."""
    if not attempts:
        return
    stages, score = ladder.stages(), score_of(history)
    yield f"| {score.tag} of | {' | '.join(stage.name for stage in stages)} | env steps | what became of it |"
    yield "|---" * (len(stages) + 3) + "|"
    for attempt in attempts[-MOST_ROWS:]:
        cells = [_cell(attempt, place, stage, score) for place, stage in enumerate(stages)]
        said = ladder.said.get(attempt.name, "at work")
        yield f"| {attempt.name} | {' | '.join(cells)} | {attempt.env_steps / 1e6:.2f} M | {said} |"


def _cell(attempt: Attempt, place: int, stage: Rung, score: Score) -> str:
    if attempt.trial.stage == stage.stage:
        own = [metrics[score.tag] for metrics in attempt.gates() or ((attempt.scored,) if attempt.scored else ())
               if score.tag in metrics]
        return f"**{pooled(own).value:.3f}**" if own else ""
    kept = attempt.memories(place, score.tag)
    return f"{pooled(kept).value:.3f}" if kept else ""
