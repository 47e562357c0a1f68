"""Skill `curriculum`: climbs a campaign's stages by their gates alone, and goes back when a stage is forgotten.

It keeps nothing between two questions: where the climb stands is a fold over the campaign's own trials and runs.
Each attempt at a stage is one trial, one at a time. Its newest checkpoint is measured on fresh held-out episodes at the
stage's own pinned difficulty, and at that of every earlier stage, by evaluations that it asks for as follow-ups.
Levels inside a stage are the task's own, and no evaluation takes them: `env.spawn_curriculum`, `env.practice`.
"""

from __future__ import annotations

from collections.abc import Sequence

from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted, FollowUp, Opinion, Section, SkillCard
from vbotd.domain.trial import Proposal, Run, Trial
from vbotd.hookspecs import hookimpl

from .evidence import SKILL
from .moves import follow_ups, next_move, opinion
from .options import Options
from .rungs import DIFFICULTY


@hookimpl
def vbotd_skills() -> list[SkillCard]:
    """Declare the skill, the model of its block, and that it sets difficulties between the stages' own.

    It climbs last, with the best setting that the other skills have found.
    """
    return [SkillCard(name=SKILL, check=f"{__name__}:Options", may_change=(DIFFICULTY,), turn="last",
                      summary="climbs stages by gates on held-out success, goes back where one is forgotten")]


@hookimpl
def vbotd_propose(history: History, count: int) -> list[Proposal] | Exhausted | None:
    """Propose the rung that is up, or to train its trial on; nothing while one is at work."""
    options = options_of(history)
    if options is None or not history.campaign.stages:
        return None
    move = next_move(history, options)
    return [move] if isinstance(move, Proposal) else move


@hookimpl
def vbotd_follow_up(run: Run, history: History) -> list[FollowUp]:
    """Ask for the evaluations at the gate, and at the earlier stages once it is passed."""
    options = options_of(history)
    if options is None or run.kind != "evaluate":
        return []
    return follow_ups(run, history, options)


@hookimpl
def vbotd_judge(trial: Trial, history: History) -> Opinion | None:
    """Promote what passed its gate twice and forgot nothing; discard what is stuck or forgets."""
    options = options_of(history)
    return opinion(history, options, trial.id) if options is not None else None


@hookimpl
def vbotd_wake_up(histories: Sequence[History]) -> Section | None:
    """Show the ladder and the forgetting matrix of each campaign that has stages."""
    from .words import report_lines

    climbing = [(history, options) for history in histories
                if history.campaign.stages and (options := options_of(history)) is not None]
    lines = report_lines(climbing)
    return Section(title="Curriculum", lines=lines) if lines else None


def options_of(history: History) -> Options | None:
    """Return the campaign's block of this skill, or None where it does not name the skill."""
    use = history.campaign.skill(SKILL)
    return Options.model_validate(dict(use.options)) if use else None
