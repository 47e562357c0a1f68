"""Skill `hp-search`: proposes the next trials of a campaign with Optuna, from our own history alone.

It keeps nothing between two questions. The same history gives the same proposals; a proposal that was
refused changes the seed, so that the search does not insist.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted, Section, SkillCard
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Proposal
from vbotd.hookspecs import View, hookimpl

from .options import Options
from .space import grid, key_of, to_optuna

SKILL = "hp-search"
BASELINE = "the task's defaults, as the baseline"


@hookimpl
def vbotd_skills() -> list[SkillCard]:
    """Declare the skill and the model of its block."""
    return [SkillCard(name=SKILL, summary="searches the campaign's space with Optuna (tpe, gp, cmaes, random, grid)",
                      check=f"{__name__}:Options")]


@hookimpl
def vbotd_propose(history: History, count: int, view: View) -> list[Proposal] | Exhausted | None:
    """Propose the baseline, then the settings asked for, then what the sampler thinks worth a trial."""
    options = options_of(history)
    if options is None:
        return None
    space = history.campaign.space
    taken = {key_of(space, trial.params) for trial in history.trials if to_optuna(space, trial.params) is not None}
    proposals: list[Proposal] = []
    # Which ones were refused is not told, only how many: drop as many wishes, rather than insist on one for ever.
    given = [wish for wish in _given(history, options) if key_of(space, wish[0]) not in taken]
    for params, why in given[history.record.refused_proposals:]:
        if len(proposals) < count and key_of(space, params) not in taken:
            taken.add(key_of(space, params))
            proposals.append(Proposal(params=params, proposer=SKILL, why=why))
    proposals += _searched(history, options, view, count - len(proposals), taken)
    return proposals or Exhausted(why=_why_exhausted(history, options))


@hookimpl
def vbotd_wake_up(histories: Sequence[History]) -> Section | None:
    """Say what was varied, what was best, and what seems to have mattered."""
    from .words import report_lines

    lines = report_lines([history for history in histories if options_of(history) and history.trials])
    return Section(title="Hyper-parameter search", lines=lines) if lines else None


def options_of(history: History) -> Options | None:
    """Return the campaign's block of this skill, or None where it does not name the skill."""
    for use in history.campaign.skills:
        if use.name.replace("_", "-") == SKILL:
            return Options.model_validate(dict(use.options))
    return None


def _given(history: History, options: Options) -> Iterator[tuple[dict[str, ParamValue], str]]:
    """Yield the settings that need no search: the task's defaults where they fit the space, then `first`."""
    space = history.campaign.space
    defaults = _defaults(history)
    if not space.problems(defaults):
        yield defaults, BASELINE if space.dimensions else "the one setting that there is: the search space is empty"
    for number, wish in enumerate(options.first, start=1):
        params = {**defaults, **wish}
        if not space.problems(params):
            yield params, f"asked for in the campaign (number {number} of 'first')"


def _defaults(history: History) -> dict[str, ParamValue]:
    """Return the task's defaults of the searched settings, without those that the task does not know."""
    if history.task is None:
        return {}
    cards = [history.task.param(dimension.key) for dimension in history.campaign.space.dimensions]
    return {card.key: card.default for card in cards if card is not None}


def _notes(history: History, options: Options) -> list[str]:
    """Return what a person should know of wishes that cannot be granted."""
    space, defaults = history.campaign.space, _defaults(history)
    misfits = [str(number) for number, wish in enumerate(options.first, start=1)
               if space.problems({**defaults, **wish})]
    return [f"left out of 'first', since outside the space: number {', '.join(misfits)}"] if misfits else []


def _searched(history: History, options: Options, view: View, count: int, taken: set[str]) -> list[Proposal]:
    if count < 1 or not history.campaign.space.dimensions:
        return []
    from .study import fresh
    from .words import why

    seed = view.seed(f"{SKILL}/{options.seed}/{len(history.trials)}/{history.record.refused_proposals}")
    if options.sampler == "grid":
        chosen = _next_of_grid(history, options, view, count, taken)
    else:
        chosen = fresh(history, options, seed, count, taken)
    notes = _notes(history, options)
    return [Proposal(params=params, proposer=SKILL, why=why(history, options, params, notes)) for params in chosen]


def _next_of_grid(history: History, options: Options, view: View, count: int,
                  taken: set[str]) -> list[dict[str, ParamValue]]:
    """Return the next untried points, in an order that spreads over the whole grid from the start."""
    import random

    space = history.campaign.space
    points = grid(space, options.grid_points)
    random.Random(view.seed(f"{SKILL}/grid/{options.seed}")).shuffle(points)
    left = [point for point in points if key_of(space, point) not in taken]
    start = history.record.refused_proposals % len(left) if left else 0  # do not insist on a refused point
    return [*left[start:], *left[:start]][:count]


def _why_exhausted(history: History, options: Options) -> str:
    tried = len(history.trials)
    if not history.campaign.space.dimensions:
        return "the search space is empty, and its one setting was tried"
    if options.sampler == "grid":
        return f"every point of the grid was tried ({tried} trials)"
    return f"every setting of the search space was tried ({tried} trials)"

