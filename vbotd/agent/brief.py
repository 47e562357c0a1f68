"""What does an agent need to know, in so many tokens? The report, its most pressing parts first.

Tokens are counted as characters divided by four, which is near enough for English and identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vbotd.agent.numbers import measured
from vbotd.agent.untrusted import fence
from vbotd.core.report_facts import Best, Report
from vbotd.core.wording import clean, counted, duration

CHARACTERS_A_TOKEN = 4
Part = tuple[str, list[str], str]  # title, lines, the tool that tells the rest


def write_brief(report: Report, changed: Sequence[tuple[str, str]], since: int, budget_tokens: int) -> str:
    """Return the brief. `changed` are (event, what it says), shown first; what has no room is counted."""
    room = budget_tokens * CHARACTERS_A_TOKEN
    lines: list[str] = []
    for line in (fence(report.verdict, 700), clean(report.daemon, 300)):
        room = _put(lines, line, room)
    parts = list(_parts(report, changed, since))
    for index, (title, said, more) in enumerate(parts):
        # Each part may take what is left, but leaves its followers room to say that they are there.
        room = _fill(lines, title, said, more, room, keep=40 * (len(parts) - index - 1))
    return "\n".join(lines)


def _fill(lines: list[str], title: str, said: list[str], more: str, room: int, *, keep: int) -> int:
    if not said:
        return room
    heading = f"# {title}"
    tail = 34 + len(more)
    if room - keep < len(heading) + len(said[0]) + 2 + (tail if len(said) > 1 else 0):
        return _put(lines, f"# {title}: {len(said)}, see {more}", room)
    room = _put(lines, heading, room)
    for index, line in enumerate(said):
        left = len(said) - index
        if room - keep < len(line) + 1 + (tail if left > 1 else 0):
            return _put(lines, f"... {left} more, see {more}", room)
        room = _put(lines, line, room)
    return room


def _put(lines: list[str], line: str, room: int) -> int:
    if not line or len(line) + 1 > room:
        return room
    lines.append(line)
    return room - len(line) - 1


def _parts(report: Report, changed: Sequence[tuple[str, str]], since: int) -> Iterator[Part]:
    needs = [f"{fence(need.text, 240)} -> {clean(need.command, 120)}" for need in report.needs]
    yield "needs a person", needs, "wake_up"
    if since:
        # The newest first: where there is no room for all, these count.
        told = [f"{head}: {fence(said, 160)}" if said else head for head, said in reversed(changed)]
        yield f"since event {since}, newest first", told or ["nothing that matters"], "explain"
    yield "best trials", [_best(best, of.campaign) for of in report.bests for best in of.trials], "list"
    yield "broke", [f"{cause.count} x {fence(cause.what, 160)} ({', '.join(cause.examples[:2])})"
                    for cause in report.causes], "findings"
    yield "runs now", [
        f"{run.run} {run.status}" + ("" if run.share is None else f" {run.share:.0%}")
        + ("" if run.left_s is None else f", {duration(run.left_s)} left") for run in report.running], "status"
    yield "budgets", [
        f"{item.campaign}: {item.trials_judged} of {counted(item.trials_budget, 'trial')} judged"
        + ("" if item.hours_left is None else f", {item.hours_left:.1f} h left") + f"; next: {fence(item.next, 120)}"
        for item in report.spent], "status"
    yield "notes", [f"{note.campaign}: {fence(note.text, 160)} by {fence(note.by, 40)}"
                    for note in report.notes], "explain"
    for plugin, section in report.sections:
        yield f"plugin {clean(plugin, 40)}", [fence(line, 160) for line in (section.title, *section.lines)], "wake_up"


def _best(best: Best, campaign: str) -> str:
    fresh = (f"fresh episodes {measured(best.confirmed)} ({_below(best.confirm_run, campaign)})" if best.confirmed
             else "not confirmed on fresh episodes")
    changes: Iterable[str] = (clean(change, 50) for change in best.changes[:4])
    return (f"{best.trial}{' (champion)' if best.champion else ''}: {clean(best.tag, 60)} {fresh}; chosen by "
            f"{measured(best.score)} ({_below(best.score_run, campaign)}); {counted(best.seeds, 'training seed')}; "
            f"{fence(', '.join(changes)) or 'the defaults'}")


def _below(run: str, campaign: str) -> str:
    return run.removeprefix(f"{campaign}/")
