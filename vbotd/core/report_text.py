"""How is a report written out? As Markdown of at most 120 lines, always, and as JSON for programs.

The rule this protects: nobody scrolls in the morning. Each part has a share of the lines, what does not fit is
counted in a last line, and the plugins' sections get what the parts before them left over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from vbotd.core.report_facts import Best, BestOf, Cause, Report, Running, Spent
from vbotd.core.wording import (
    clean,
    code,
    count,
    counted,
    duration,
    escaped,
    interval,
    markdown_line,
    number,
    when,
    zone_name,
)
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Section

MOST_LINES = 120
SECTION_LINES = 15
# Shares of the lines, headings and blank lines included; with title and footer they leave 15 to the plugins.
NEEDS_LINES, BEST_LINES, BROKE_LINES, SPENT_LINES, NOTES_LINES = 14, 36, 18, 22, 7
LONGEST_SENTENCE = 900  # a sentence of ours with several texts in it, each of them cut already
WHERE = "vbotd report --json"


def to_markdown(report: Report) -> str:
    """Return the report as Markdown, at most 120 lines."""
    title = f"# WAKE_UP: {when(report.at, report.utc_offset_s)} {zone_name(report.utc_offset_s)}"
    head = [title, "", f"**{escaped(report.verdict, LONGEST_SENTENCE)}**"]
    head += ["", escaped(report.daemon)] if report.daemon else []
    parts = [
        _part("What needs you", _needs(report), NEEDS_LINES),
        _part("Best trials", _bests(report.bests, BEST_LINES - 3), BEST_LINES),
        _part("What broke, by cause", [_cause(cause) for cause in report.causes] or ["Nothing broke."], BROKE_LINES),
        _part("Spent and next", _spent_and_next(report, SPENT_LINES - 3), SPENT_LINES),
        _part("Notes", [_note(note.campaign, note.text, note.by, note.origin) for note in report.notes], NOTES_LINES),
    ]
    foot = ["", "Look further: " + ", ".join(code(command) for command in report.commands[:8])]
    used = len(head) + len(foot) + sum(map(len, parts))
    parts.insert(4, _sections(report.sections, MOST_LINES - used))
    lines = [*head, *(line for part in parts for line in part), *foot]
    assert len(lines) <= MOST_LINES, f"the report has {len(lines)} lines"
    return "\n".join(lines) + "\n"


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values: `version`, then the fields of `Report` by name; texts are cleaned."""
    return {"version": 1, **plain(report)}


def _part(title: str, lines: Sequence[str], most: int) -> list[str]:
    """Return a part with its heading, nothing when it is empty, cut to its share of the lines."""
    return ["", f"## {title}", "", *cut(lines, most - 3)] if lines else []


def cut(lines: Sequence[str], most: int, where: str = WHERE) -> list[str]:
    """Return at most that many lines; the last of a longer list says how many are left out and where they are."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: max(0, most - 1)], f"... and {len(lines) - max(0, most - 1)} more: {code(where)}"]


def _needs(report: Report) -> list[str]:
    if not report.needs:
        return ["Nothing needs you."]
    return [f"{index}. {escaped(need.text, LONGEST_SENTENCE)} → {code(need.command)} ({_origin(need.origin)})"
            for index, need in enumerate(report.needs, start=1)]


def _origin(origin: str) -> str:
    return clean(origin) if origin.startswith("event ") and origin[6:].isdigit() else code(origin)


def _bests(bests: Sequence[BestOf], most: int) -> list[str]:
    """Return the tables of as many campaigns as fit whole; the rest is counted."""
    lines: list[str] = []
    for index, best_of in enumerate(bests):
        block = ([""] if lines else []) + _table(best_of)
        # Two lines stay free to say how many campaigns are left out.
        if len(lines) + len(block) + (2 if index + 1 < len(bests) else 0) > most:
            return [*lines, "", f"... and {counted(len(bests) - index, 'more campaign')}: {code(WHERE)}"]
        lines += block
    return lines


def _table(best_of: BestOf) -> list[str]:
    prefix = f"{best_of.campaign}/"
    furthest = max((best.trained_to for best in best_of.trials), default=0)
    rows = [_row(best, prefix, furthest) for best in best_of.trials]
    command = code(f"vbotd explain {best_of.campaign}")
    more = [f"| ... and {best_of.more} more: {command} | | | | | |"] if best_of.more else []
    return [f"{code(best_of.campaign)} ({escaped(best_of.status.replace('_', ' '))}); runs and paths below are inside "
            f"{code('runs/' + prefix)}", "",
            "| trial | score on the episodes that chose | on fresh episodes | seeds | changed | checkpoint |",
            "|---|---|---|---|---|---|", *rows, *more, *_others(best_of)]


def _others(best_of: BestOf) -> list[str]:
    """Return what else was measured of the champion, in one line."""
    champion = next((best for best in best_of.trials if best.champion and best.others), None)
    if champion is None:
        return []
    shown = [f"{code(tag)} {number(measured.value, tag)} [{interval(measured, tag)}]"
             for tag, measured in champion.others]
    return ["", f"Also measured by {code(champion.others_run)}: {', '.join(shown)}."]


def _row(best: Best, prefix: str, furthest: int) -> str:
    """Return one line; it says of a trial that it was trained less far than others, whose scores are then no rivals."""
    name = code(best.trial.removeprefix(prefix)) + (" (best)" if best.champion else "")
    fresh = _measured(best.confirmed, best.tag, best.confirm_run, prefix) if best.confirmed else "not measured"
    seeds = _seeds(best)
    shown = [code(change, 60) for change in best.changes[:4]]
    changed = ", ".join(shown) + (f" and {len(best.changes) - 4} more" if len(best.changes) > 4 else "")
    kept = (f"{code(best.checkpoint.removeprefix(prefix))} {code(best.sha256[:8])}" if best.checkpoint else "none")
    score = _measured(best.score, best.tag, best.score_run, prefix)
    if 0 < best.trained_to < furthest:
        score += f", after {count(best.trained_to)} of {count(furthest)} env steps"
    return f"| {name} | {code(best.tag)} {score} | {fresh} | {seeds} | {changed or 'the defaults'} | {kept} |"


def _seeds(best: Best) -> str:
    """Return what is known over seeds: the mean of the report seeds, what the pairs say, else what is not known."""
    if best.seeds <= 1:
        expected = "" if best.expected is None else f"; expect {number(best.expected, best.tag)} of another"
        return f"1 seed: not confirmed over seeds{expected}"
    low, high = best.over_seeds or (best.score.value, best.score.value)
    found = [f"{best.seeds} seeds: {number(low, best.tag)} to {number(high, best.tag)}"]
    if best.over_report_seeds is not None:
        mean = best.over_report_seeds
        found.append(f"{number(mean.value, best.tag)} [{interval(mean, best.tag)}] of {count(mean.n)} fresh episodes "
                     f"over {counted(len(best.report_runs), 'seed')} that did not choose")
    return "; ".join([*found, best.claim] if best.claim else found)


def _measured(measured: Measurement, tag: str, run: str, prefix: str) -> str:
    return (f"{number(measured.value, tag)} [{interval(measured, tag)}] of {count(measured.n)}, "
            f"{code(run.removeprefix(prefix)) if run else 'run unknown'}")


def _cause(cause: Cause) -> str:
    often = "once" if cause.count == 1 else f"{cause.count} times"
    return f"- {often}: {escaped(cause.what)} ({', '.join(_origin(example) for example in cause.examples)})"


def _spent_and_next(report: Report, most: int) -> list[str]:
    running = [_running(run) for run in report.running]
    spent = [_spent(item) for item in report.spent]
    slots = f"- cores: {report.cores_busy} of {report.cores} busy"
    now = cut(running, most // 2, "vbotd status") or ["- now: nothing is running"]
    return [*cut(spent, most - len(now) - 1), *now, slots]


def _spent(item: Spent) -> str:
    trials = f"{item.trials_judged} of {counted(item.trials_budget, 'trial')} judged, {item.trials_admitted} admitted"
    budget = f" of {count(item.env_steps_budget)}" if item.env_steps_budget else ""
    left = "" if item.hours_left is None else f", {item.hours_left:.1f} h left"
    left += f", deadline {escaped(item.deadline, 40)}" if item.deadline else ""
    status = escaped(item.status.replace("_", " "))
    return (f"- {code(item.campaign)} ({status}): {trials}, {count(item.env_steps)}{budget} env steps and "
            f"{duration(item.wall_s)} of run time (sum over its {counted(item.runs, 'run')}){left}. "
            f"Next: {escaped(item.next)}.")


def _running(run: Running) -> str:
    if run.share is None:
        return f"- now: {code(run.run)} ({run.status}), no heartbeat yet"
    success = ("" if run.success_rate is None else
               f", {number(run.success_rate, '_rate')} of its exploring episodes succeed")
    rate = f" at {count(run.env_steps_per_s)}/s, {duration(run.left_s)} left" if run.env_steps_per_s else ""
    return (f"- now: {code(run.run)}: {run.share * 100:.1f} % of {count(run.total_env_steps)} env steps{rate}{success} "
            f"(its heartbeat, {duration(run.heartbeat_age_s)} ago)")


def _note(campaign: str, text: str, by: str, origin: str) -> str:
    who = f", by {escaped(by, 60)}" if by else ""
    return f"- {code(campaign)}: {escaped(text)} ({_origin(origin)}{who})"


def _sections(sections: Iterable[tuple[str, Section]], room: int) -> list[str]:
    """Return the plugins' sections, each cut to 15 lines, as many as there is room for."""
    lines: list[str] = []
    left_out = 0
    for plugin, section in sections:
        body = cut([markdown_line(line) for line in section.lines], SECTION_LINES)
        part = ["", f"## {escaped(section.title, 80) or 'Untitled'} (plugin {code(plugin, 60)})", "", *body]
        # Two lines stay free to say how many sections are left out.
        if len(lines) + len(part) > room - 2:
            left_out += 1
        else:
            lines += part
    return [*lines, "", f"... and {counted(left_out, 'more section')} of plugins: {code(WHERE)}"] if left_out else lines


def plain(value: Any) -> Any:
    """Return values that every JSON reader takes: clean texts, no number that is not finite."""
    if isinstance(value, str):
        return clean(value, LONGEST_SENTENCE)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
