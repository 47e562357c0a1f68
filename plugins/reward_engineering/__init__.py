"""Skill `reward-engineering`: sees what robots do instead of their task, and tests one change of one weight against it.

Diagnose, hypothesise, test on paired seeds, decide, archive: each in a file of its own, all pure but the archive. It
keeps nothing between two questions; what was refuted stands in `state/reward_library/`, which is written from the
campaigns' histories whenever a report is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vbotd.domain.finding import Finding
from vbotd.domain.ground import ground_of, placed
from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted, FollowUp, Section, SkillCard
from vbotd.domain.task import RunKindCard
from vbotd.domain.trial import Proposal, Run
from vbotd.hookspecs import Series, View, hookimpl
from vbotd.layout import Layout

from .asking import follow_ups
from .diagnosis import Diagnosis, diagnose
from .hypotheses import MOVES, PREFIX
from .options import Options
from .plan import IDEAS, diagnoses, next_moves
from .signals import read
from .story import SKILL, adopted, tell


@hookimpl
def vbotd_skills() -> list[SkillCard]:
    """Declare the skill, the model of its block, and that it changes weights, before others build on them."""
    return [SkillCard(name=SKILL, check=f"{__name__}:Options", may_change=(PREFIX,), turn="first", summary=(
        "sees what robots do instead of the task, and tests one change of one reward weight at a time"))]


@hookimpl
def vbotd_run_kinds() -> list[RunKindCard]:
    """Offer the red team, which attacks the reward before anything is trained on it, and the asking of a model."""
    return [RunKindCard(name="red-team", entry="vbotd.train.red_team:red_team", preflight_of=SKILL,
                        summary="look for simple behaviours that are paid without doing the task"),
            RunKindCard(name=IDEAS, entry="vbotd.agent.ideas_run:think",
                        summary="ask a model which weight it would change")]


@hookimpl
def vbotd_follow_up(run: Run, history: History) -> list[FollowUp]:
    """Ask a model for ideas where robots do something else than their task."""
    options = options_of(history)
    return follow_ups(run, ground_of(history), options) if options is not None else []


@hookimpl
def vbotd_propose(history: History, count: int, view: View) -> list[Proposal] | Exhausted | None:
    """Propose the baseline, the test of a change, or more seeds for one that promises."""
    options = options_of(history)
    if options is None:
        return None
    from . import library

    layout, task = Layout.find(), history.campaign.task
    moves = next_moves(ground_of(history), options, view.series, library.refuted(layout, task),
                       lambda behaviour: library.adopted(layout, task, behaviour))
    return moves if isinstance(moves, Exhausted) else placed(moves[:count], history.campaign)


@hookimpl
def vbotd_amend(proposal: Proposal, history: History) -> Proposal | None:
    """Give what others propose the weights that healed the robots, unless they set these themselves."""
    options = options_of(history)
    if options is None or proposal.proposer == SKILL:
        return None
    healed = adopted(tell(ground_of(history), options))
    return replace(proposal, params={**healed, **proposal.params}) if healed.keys() - proposal.params.keys() else None


@hookimpl
def vbotd_watch(run: Run, series: Series, history: History) -> list[Finding]:
    """Name what the robots of a live training do instead of the task; stop it where that is settled."""
    if options_of(history) is None or run.kind != "train" or history.task is None:
        return []
    trial = next((trial for trial in history.trials if trial.id == run.trial), None)
    if trial is None:
        return []
    signals = read(lambda tag: series[tag], run, history.task, trial.params)
    return [_finding(found) for found in diagnose(signals) if found.behaviour in MOVES]


@hookimpl
def vbotd_wake_up(histories: Sequence[History]) -> Section | None:
    """Say what was seen, changed and decided; and bring the library up to date."""
    from . import library
    from .words import report_lines

    told = []
    for history in histories:
        options = options_of(history)
        if options is None or not history.trials:
            continue
        story, seen = tell(ground_of(history), options), _seen(history)
        library.write(Layout.find(), library.entries(history, options, story, seen))
        told.append((history, story, seen))
    lines = report_lines(told)
    return Section(title="Reward engineering", lines=lines) if lines else None


def options_of(history: History) -> Options | None:
    """Return the campaign's block of this skill, or None where it does not name the skill."""
    use = history.campaign.skill(SKILL)
    return Options.model_validate(dict(use.options)) if use else None


def _finding(found: Diagnosis) -> Finding:
    return Finding(rule=f"{SKILL}/{found.behaviour}", level="error" if found.stops else "warning", stop=found.stops,
                   message=f"behaviour {found.behaviour}: {found.evidence}",
                   fix="a change of one weight against it is tested next")


def _seen(history: History) -> dict[str, Diagnosis]:
    """Return what was seen in each trial, by its id, from the findings that its trainings got while they ran."""
    found = {}
    for trial in history.trials:
        seen = diagnoses(history, trial)
        if seen:
            found[trial.id] = seen[0]
    return found
