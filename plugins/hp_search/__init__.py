"""Skill `hp-search`: proposes the next trials of a campaign with Optuna, from our own history alone.

It keeps nothing between two questions. The same history gives the same proposals; a proposal that was
refused changes the seed, so that the search does not insist. Whoever else proposes, another skill, an agent or a
person: their trials are in the history, and the sampler learns from them as from its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from vbotd.domain.history import History
from vbotd.domain.skill import Estimate, Exhausted, Section, SkillCard
from vbotd.domain.trial import Proposal
from vbotd.hookspecs import View, hookimpl

from .options import Options

SKILL = "hp-search"


@hookimpl
def vbotd_skills() -> list[SkillCard]:
    """Declare the skill and the model of its block."""
    return [SkillCard(name=SKILL, summary="searches the campaign's space with Optuna, by rungs (successive halving)",
                      check=f"{__name__}:Options")]


@hookimpl
def vbotd_propose(history: History, count: int, view: View) -> list[Proposal] | Exhausted | None:
    """Propose trials that go on, then new ones, and at the end the winner again with fresh seeds."""
    options = options_of(history)
    if options is None:
        return None
    from .nights import next_proposals

    return next_proposals(history, options, view, count, SKILL)


@hookimpl
def vbotd_estimate(history: History) -> Estimate | None:
    """Say what the search will train, and what confirms its winner."""
    options = options_of(history)
    if options is None:
        return None
    from .estimate import estimated
    from .planning import part_of

    return estimated(part_of(history, options.share), options, SKILL)


@hookimpl
def vbotd_wake_up(histories: Sequence[History]) -> Section | None:
    """Say what was varied, what was best, what it is worth with fresh seeds, and what seems to have mattered."""
    from .planning import part_of
    from .words import report_lines

    nights = [(part_of(history, options.share), options) for history in histories
              if (options := options_of(history)) is not None]
    lines = report_lines([(history, options) for history, options in nights if history.trials], SKILL)
    return Section(title="Hyper-parameter search", lines=lines) if lines else None


def options_of(history: History) -> Options | None:
    """Return the campaign's block of this skill, or None where it does not name the skill."""
    use = history.campaign.skill(SKILL)
    return Options.model_validate(dict(use.options)) if use else None
