"""What broke, grouped by cause? Twenty runs that died of one thing are one line with a count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vbotd.core.auditing import overruled_by
from vbotd.core.report_best import is_current
from vbotd.core.report_facts import RECENT_S, Cause, Death, Facts
from vbotd.core.wording import clean, counted, when
from vbotd.domain import event as e
from vbotd.domain.event import Stored
from vbotd.domain.finding import Finding
from vbotd.domain.trial import Run

BAD_OUTCOMES = frozenset({"failed", "diverged", "lost"})
MOST_EXAMPLES = 3
RECOVERY_S = 600.0  # what a daemon that came back finds out, it finds out in its first minutes

_SAME = (
    (re.compile(r"\S*/\S*"), "<path>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-f]{8,}\b"), "<hex>"),
    (re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?"), "<n>"),
)
_Found = tuple[str, str, str, str]  # kind, what makes two the same, in words, id


def causes(facts: Facts) -> tuple[Cause, ...]:
    """Return what went wrong lately: daemon deaths first, then the most frequent."""
    found = [*_bad_runs(facts), *_findings(facts), *_from_events(facts)]
    return (*(_death(facts, death) for death in facts.deaths), *grouped(found))


def run_causes(runs: Iterable[Run]) -> tuple[Cause, ...]:
    """Return how the runs of some campaigns ended badly, the most frequent first."""
    return grouped(_bad(run) for run in runs if run.outcome in BAD_OUTCOMES)


def normalised(reason: str) -> str:
    """Return a reason without what differs from run to run: paths, numbers, hashes."""
    text = clean(reason)
    for pattern, mark in _SAME:
        text = pattern.sub(mark, text)
    return text.lower()


def grouped(found: Iterable[_Found]) -> tuple[Cause, ...]:
    """Return one cause for each set of equal ones, the most frequent first, in words of the newest."""
    groups: dict[tuple[str, str], list[_Found]] = {}
    for item in found:
        groups.setdefault(item[:2], []).append(item)
    made = [Cause(kind=items[0][0], what=items[-1][2], count=len(items),  # type: ignore[arg-type]
                  examples=tuple(dict.fromkeys(item[3] for item in reversed(items)))[:MOST_EXAMPLES])
            for items in groups.values()]
    return tuple(sorted(made, key=lambda cause: -cause.count))


def _bad(run: Run) -> _Found:
    reason = run.reason or "no reason was seen"
    return "run", f"{run.kind} {run.outcome} {normalised(reason)}", f"{run.kind} run {run.outcome}: {reason}", run.id


def _bad_runs(facts: Facts) -> Iterator[_Found]:
    for record in facts.records:
        if is_current(facts, record):
            for run in facts.runs_of(record.id):
                if run.outcome in BAD_OUTCOMES and _is_recent(facts, run.ended_at):
                    yield _bad(run)


def _findings(facts: Facts) -> Iterator[_Found]:
    for run in facts.runs:
        if run.is_live or _is_recent(facts, run.ended_at):
            for finding in run.findings:
                if finding.level != "info":
                    words = f"finding {finding.rule} ({_level(facts, run, finding)}): {finding.message}"
                    yield "finding", f"{finding.rule} {finding.level}", words, run.id


def _level(facts: Facts, run: Run, finding: Finding) -> str:
    """Return how grave a finding is, and who has overruled it where somebody has."""
    record = next((record for record in facts.records if record.id == run.campaign), None)
    past = overruled_by(finding, record) if record is not None and finding.level == "error" else ""
    return f"{finding.level}, {past}" if past else finding.level


def _from_events(facts: Facts) -> Iterator[_Found]:
    for stored in facts.events:
        if not _is_recent(facts, stored.at):
            continue
        event, origin = stored.event, f"event {stored.seq}"
        match event:
            case e.PluginFailed():
                same = f"{event.plugin} {event.hook} {event.how}"
                yield "plugin", same, f"plugin {event.plugin} in {event.hook}: {event.how}: {event.detail}", origin
            case e.ProposalRefused():
                same = f"{event.proposer} {normalised(event.why)}"
                yield "proposal", same, f"proposal of {event.proposer} refused: {event.why}", origin
            case e.CampaignRefused():
                first = event.problems[0].render(event.file) if event.problems else event.file
                more = f" (and {len(event.problems) - 1} more)" if len(event.problems) > 1 else ""
                yield "file", event.file, f"file refused: {first}{more}", origin
            case e.CommandRefused():
                yield "command", f"{event.verb} {normalised(event.why)}", f"{event.verb} refused: {event.why}", origin
            case e.RunFenced():
                yield "launch", normalised(event.why), f"launch came to nothing: {event.why}", origin


def _death(facts: Facts, death: Death) -> Cause:
    """Return a daemon's death with what became of the runs that it left alone."""
    after = _until_next_start(facts, death)
    adopted = {s.event.run for s in after if isinstance(s.event, e.RunAdopted)}
    ended = [s.event for s in after if isinstance(s.event, e.RunEnded) and s.at <= death.back_at + RECOVERY_S]
    meanwhile = [end for end in ended if end.outcome != "lost" and (end.ended_at or death.back_at + 1) <= death.back_at]
    lost = [end for end in ended if end.outcome == "lost"]
    offset = facts.utc_offset_s
    what = (f"the daemon died after {when(death.last_at, offset)} and came back at {when(death.back_at, offset)}: "
            f"{counted(len(adopted), 'run')} adopted, {len(meanwhile)} had ended meanwhile, {len(lost)} lost")
    return Cause(kind="daemon", what=what, count=1, examples=(f"event {death.last_seq}", f"event {death.back_seq}"))


def _until_next_start(facts: Facts, death: Death) -> list[Stored]:
    later = [s.seq for s in facts.events if isinstance(s.event, e.DaemonStarted) and s.seq > death.back_seq]
    end = min(later, default=None)
    return [s for s in facts.events if s.seq > death.back_seq and (end is None or s.seq < end)]


def _is_recent(facts: Facts, at: float | None) -> bool:
    return at is not None and facts.now - at <= RECENT_S
