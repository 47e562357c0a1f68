"""Skill `vlm-capture`: looks at what was trained before anybody calls it a success.

A capture shows the policy and has the kinematic gate judge how it moves; the gate has the last word on whether it
walks. A vision model may be asked as well: its opinion is shown, with its measured error rate, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from vbotd.domain.history import History
from vbotd.domain.skill import FollowUp, Opinion, Section, SkillCard
from vbotd.domain.task import RunKindCard
from vbotd.domain.trial import Run, Trial
from vbotd.hookspecs import hookimpl

from .evidence import GATE_RULE, PASSES, UNCLEAR, captures_of, gate_words
from .options import Options
from .wishes import LOOK, follow_ups

SKILL = "vlm-capture"


@hookimpl
def vbotd_skills() -> list[SkillCard]:
    """Declare the skill and the model of its block."""
    return [SkillCard(name=SKILL, check=f"{__name__}:Options",
                      summary="captures the best policies, lets a kinematic gate judge how they move, asks a model")]


@hookimpl
def vbotd_run_kinds() -> list[RunKindCard]:
    """Publish the run that asks a vision model about a capture."""
    return [RunKindCard(name=LOOK, entry="vbotd.agent.vision_run:look_at_capture",
                        summary="a vision model's opinion of a capture, its error rate measured on known clips")]


@hookimpl
def vbotd_follow_up(run: Run, history: History) -> list[FollowUp]:
    """Ask for a capture of the trials that the campaign wants captured, and for a look at each capture."""
    options = options_of(history)
    return follow_ups(run, history, options) if options is not None else []


@hookimpl
def vbotd_judge(trial: Trial, history: History) -> Opinion | None:
    """Discard a trial that walks in none of its captured episodes; one that walks in half of them proves nothing.

    Of episodes that were too short to tell the gate says nothing, neither for the trial nor against it.
    """
    if options_of(history) is None or GATE_RULE in history.campaign.allow:
        return None
    captures = captures_of(history, trial.id)
    if not captures:
        return None
    metrics = captures[-1].metrics
    unclear = metrics[UNCLEAR].value if UNCLEAR in metrics else 0.0
    passes = metrics[PASSES].value
    if unclear == 1.0 or passes > 0.5 * (1.0 - unclear):
        return None
    return Opinion(verdict="inconclusive" if passes else "discard", why=gate_words(captures[-1]))


@hookimpl
def vbotd_wake_up(histories: Sequence[History]) -> Section | None:
    """Say how each champion moves, where its pictures are, and what a model thinks of them."""
    from .words import report_lines

    lines = report_lines([history for history in histories if options_of(history) and history.trials])
    return Section(title="How the champions move", lines=lines) if lines else None


def options_of(history: History) -> Options | None:
    """Return the campaign's block of this skill, or None where it does not name the skill."""
    use = history.campaign.skill(SKILL)
    return Options.model_validate(dict(use.options)) if use else None
