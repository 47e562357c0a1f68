"""What is kept of a campaign for good? A section in its own `report.md` and a paragraph in the task's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vbotd.core.auditing import is_preflight, overruled_by
from vbotd.core.report_best import best_from, changes_of, ranked
from vbotd.core.report_causes import run_causes
from vbotd.core.report_facts import Best, Facts
from vbotd.core.report_needs import gate_words
from vbotd.core.wording import clean, code, count, counted, duration, escaped, interval, number, when, zone_name
from vbotd.domain.event import Stored
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run, Trial

MOST_TRIALS = 200


def marker(closed: Stored) -> str:
    """Return the line by which the section of this very closing is known again."""
    return f"<!-- vbotd: closed by event {closed.seq} -->"


def closing_section(facts: Facts, record: CampaignRecord, closed: Stored) -> str:
    """Return the section of a campaign that has closed, as Markdown that ends with a line break."""
    return "\n".join([marker(closed), *_lines(facts, record, closed)]) + "\n"


def task_paragraph(facts: Facts, record: CampaignRecord, closed: Stored) -> str:
    """Return the paragraph that a task's history gets when a campaign on it closes."""
    best = ranked(facts, record)
    causes = run_causes(facts.runs_of(record.id))
    said = [f"**{code(record.id)}**, {when(closed.at, facts.utc_offset_s)} {zone_name(facts.utc_offset_s)}, "
            f"{escaped(record.outcome)}: {escaped(record.why)} (event {closed.seq})."]
    if best:
        said.append(f"Best: {_best(best_from(facts, record, best[0])).removeprefix('- best: ')}.")
    if causes:
        said.append(f"Broke: {'; '.join(f'{cause.count} of {escaped(cause.what)}' for cause in causes[:3])}.")
    return "\n".join([marker(closed), " ".join(said)]) + "\n"


def _lines(facts: Facts, record: CampaignRecord, closed: Stored) -> Iterator[str]:
    trials, runs = facts.trials_of(record.id), facts.runs_of(record.id)
    offset = facts.utc_offset_s
    yield f"## Closed {when(closed.at, offset)} {zone_name(offset)}: {escaped(record.outcome)}"
    yield ""
    yield f"{escaped(record.why)} (event {closed.seq})."
    yield ""
    yield (f"- task {code(record.content.task)}, accepted {when(record.accepted_at, offset)}"
           + (f", gate {code(gate_words(record.content.gates))}" if record.content.gates else ""))
    yield (f"- {counted(len(trials), 'trial')}, {counted(len(runs), 'run')}, "
           f"{count(sum(run.own_env_steps for run in runs if run.kind == 'train'))} env steps, "
           f"{duration(sum(run.wall_s for run in runs))} of run time")
    best = ranked(facts, record)
    if best:
        yield _best(best_from(facts, record, best[0]))
    for cause in run_causes(runs):
        often = "once" if cause.count == 1 else f"{cause.count} times"
        yield f"- broke {often}: {escaped(cause.what)} ({', '.join(code(i) for i in cause.examples)})"
    yield from _before_training(record, runs)
    for note in record.notes:
        yield f"- note: {escaped(note)}"
    yield ""
    yield "| trial | proposed by | settings | score | verdict |"
    yield "|---|---|---|---|---|"
    yield from (_row(facts, record, trial) for trial in trials[:MOST_TRIALS])
    if len(trials) > MOST_TRIALS:
        yield f"| ... and {len(trials) - MOST_TRIALS} more: {code('vbotd explain ' + record.id)} | | | | |"


def _before_training(record: CampaignRecord, runs: Sequence[Run]) -> Iterator[str]:
    """Yield what was found to be wrong before any training, each rule once, and by whom it was overruled."""
    found = {finding.rule: (finding, run) for run in runs if is_preflight(run) for finding in run.findings
             if finding.level == "error"}
    for finding, run in found.values():
        past = overruled_by(finding, record)
        yield (f"- {'overruled' if past else 'found before training'}: {code(finding.rule)}"
               + (f", {escaped(past)}" if past else "") + f": {escaped(finding.message, 300)} ({code(run.id)})")


def _best(best: Best) -> str:
    score = f"{number(best.score.value, best.tag)} [{interval(best.score, best.tag)}] ({code(best.score_run)})"
    fresh = "not measured" if best.confirmed is None else (
        f"{number(best.confirmed.value, best.tag)} [{interval(best.confirmed, best.tag)}] of "
        f"{count(best.confirmed.n)} ({code(best.confirm_run)})")
    return (f"- best: {code(best.trial)}, {code(best.tag)} on fresh episodes {fresh}, on those that chose it {score}, "
            f"{counted(best.seeds, 'seed')}; checkpoint {code(best.checkpoint)}, sha256 {code(best.sha256)}")


def _row(facts: Facts, record: CampaignRecord, trial: Trial) -> str:
    tag = facts.metric_of(record).tag
    score = "none" if trial.score is None else (
        f"{number(trial.score.value, tag)} [{interval(trial.score, tag)}] of {count(trial.score.n)}")
    changes = clean(", ".join(changes_of(trial)), 120)
    return (f"| {code(trial.id.rpartition('/')[2])} | {escaped(trial.proposal.proposer, 40)} | "
            f"{code(changes) if changes else 'the defaults'} | {score} | "
            f"{escaped(trial.verdict or 'not judged')}: {escaped(trial.why, 120)} |")
