"""The part of the morning report: how the champions move, where to look at them, and what a model thinks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vbotd.domain.history import History
from vbotd.domain.trial import Run

from .evidence import (
    GATE_RULE,
    OPINION_RULE,
    STILLS,
    captures_of,
    champion_of,
    finding_of,
    gate_words,
    known_answers,
    looks_at,
)

MOST_LINES = 15
LONGEST = 320  # characters of a model's or the gate's words on one line


def report_lines(histories: Sequence[History]) -> tuple[str, ...]:
    """Return the lines of the section: whole campaigns, as many as fit."""
    lines: list[str] = []
    wrong, shown = known_answers(histories)
    last = [f"- the model's opinions decide nothing; over all looks it was wrong in {wrong} of {shown} known clips"
            ] if shown else []
    for number, history in enumerate(histories):
        part = list(_campaign_lines(history))
        left = len(histories) - number
        if len(lines) + len(part) + len(last) + (left > 1) > MOST_LINES:
            return (*lines, f"- and {left} more campaigns", *last)
        lines += part
    return (*lines, *last)


def _campaign_lines(history: History) -> Iterator[str]:
    champion = champion_of(history)
    captures = captures_of(history, champion.id) if champion else ()
    if champion is None or not captures:
        yield f"- **{history.record.id}**: nothing captured yet"
        return
    newest = captures[-1]
    yield f"- **{history.record.id}**, {_name(champion.id)}: {_short(gate_words(newest))}{_speed(newest)} ({newest.id})"
    stills = newest.metrics.get(STILLS)
    if stills is not None and stills.value:
        yield f"  - to look at: runs/{newest.id}/capture/contact_sheet.png, and film and gait diagrams beside it"
    if newest.reason:
        yield f"  - missing: {_short(newest.reason)}"
    for look in looks_at(history, newest)[-1:]:
        opinion = finding_of(look, OPINION_RULE)
        if opinion is not None:
            yield f"  - {_short(opinion.message)} ({look.id})"
        if look.reason:
            yield f"  - the model: {_short(look.reason)}"
    stopped = [_name(trial.id) for trial in history.trials
               if trial.verdict in ("discard", "inconclusive") and GATE_RULE.replace("-", " ") in trial.why]
    if stopped:
        yield f"  - not walking, and so not kept: {', '.join(stopped[:8])}{' …' if len(stopped) > 8 else ''}"


def _speed(capture: Run) -> str:
    speed = capture.metrics.get("gait/speed_mps")
    return f"; {speed.value:.2f} m/s while it moves" if speed is not None else ""


def _name(trial: str) -> str:
    return trial.rpartition("/")[2]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[:LONGEST - 2] + " …"
