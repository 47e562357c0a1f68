"""What to do with a free place, from the first question of a night to the last: the skill's one decision."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from vbotd.domain.ground import ground_of, placed
from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Proposal
from vbotd.hookspecs import View

from .confirm import audits, confirming
from .halving import Move, after, next_move
from .knowledge import is_comparable, knowledge
from .options import Options
from .planning import affordable, confirming_seeds, part_of
from .results import horizon_of
from .rungs import Bracket, bracket_of, going_on, is_halving, millions
from .space import grid, key_of, to_optuna
from .study import fresh, method
from .wishes import defaults_of, keeps, notes, wishes
from .words import why


def next_proposals(history: History, options: Options, view: View, count: int, skill: str
                   ) -> list[Proposal] | Exhausted:
    """Return what the free places are best used for; nothing while there is something to wait for."""
    moves = _moves_on_the_ground(part_of(history, options.share), options, view, count, skill)
    return moves if isinstance(moves, Exhausted) else placed(moves, history.campaign)


def _moves_on_the_ground(history: History, options: Options, view: View, count: int, skill: str
                         ) -> list[Proposal] | Exhausted:
    elsewhere = [ground_of(other) for other in view.histories(history.campaign.task)
                 if other.record.id != history.record.id]
    if is_halving(history, options):
        return _climbing(history, options, view, count, skill, elsewhere)
    room = min(count, _room(history))
    proposals = list(new_trials(history, options, view, room, skill, elsewhere))
    if proposals:
        return proposals
    if options.confirm_seeds and not _is_over(history):
        return []  # whoever wins is confirmed
    if options.confirm_seeds:
        seeds = confirming_seeds(options.confirm_seeds, horizon_of(history), affordable(history))
        found, _ = confirming(history, skill, seeds, defaults_of(history))
        if found:
            return found[:count]
    return Exhausted(why=_why_exhausted(history, options))


def _room(history: History) -> int:
    return max(0, history.campaign.budget.trials - len(history.trials))


def _is_over(history: History) -> bool:
    return all(trial.judged for trial in history.trials)


def _climbing(history: History, options: Options, view: View, count: int, skill: str, elsewhere: Sequence[History]
              ) -> list[Proposal] | Exhausted:
    """Return the next moves of successive halving, and at its end the winner and the baseline with fresh seeds."""
    bracket = bracket_of(history, options, skill, elsewhere)
    goal = bracket.steps.rungs[bracket.plan.first]
    moves = _moves(bracket, count, _room(history))
    begun = sum(move.kind == "begin" for move in moves)
    new = list(new_trials(history, options, view, begun, skill, elsewhere, goal))
    if len(new) < begun:  # the space has no more of them, so that its rungs are complete
        moves = _moves(bracket, count, len(new))
    proposals = list(_proposed(history, bracket, moves, new, skill))
    if proposals or moves[-1].kind == "wait":
        return proposals
    found, wait = confirming(history, skill, bracket.confirm, defaults_of(history))
    if not found and not wait:
        found = list(audits(history, bracket.entries, bracket.steps, options.audit_share, skill, view))
    if found or wait or not _is_over(history):
        return found[:count]
    return Exhausted(why=f"the rungs are climbed: {len(bracket.entries)} trials, "
                         f"{sum(entry.rung == bracket.plan.top for entry in bracket.entries)} of them to the end")


def _moves(bracket: Bracket, count: int, room: int) -> list[Move]:
    """Return what so many free places are used for; the last one says what to do when there is nothing to do."""
    entries, moves = bracket.entries, list[Move]()
    while len(moves) < count and (not moves or moves[-1].kind in ("go_on", "begin")):
        begun = sum(move.kind == "begin" for move in moves)
        moves.append(next_move(entries, bracket.plan, may_begin=begun < room))
        entries = after(entries, moves[-1])
    return moves


def _proposed(history: History, bracket: Bracket, moves: Sequence[Move], new: Sequence[Proposal], skill: str
              ) -> Iterator[Proposal]:
    rest = iter(new)
    for move in moves:
        if move.kind == "go_on":
            yield going_on(history, bracket, move, skill)
        elif move.kind == "begin":
            yield next(rest)


def new_trials(history: History, options: Options, view: View, count: int, skill: str, elsewhere: Sequence[History],
               env_steps: int | None = None) -> Iterator[Proposal]:
    """Yield up to `count` settings that were not tried: those asked for, then what the sampler thinks worth a trial."""
    if count < 1:
        return
    space = history.campaign.space
    taken = {key_of(space, trial.params) for trial in history.trials if to_optuna(space, trial.params) is not None}
    refused, presets = history.record.refused_proposals, view.presets(history.campaign.task)
    rung = f"; at first to {millions(env_steps)} env steps" if env_steps is not None else ""
    # Which ones were refused is not told, only how many: drop as many wishes, rather than insist on one for ever.
    given = [wish for wish in wishes(history, options, elsewhere, presets)
             if key_of(space, wish[0]) not in taken and keeps(history, options, wish[0])]
    for params, reason in given[refused:]:
        if count and key_of(space, params) not in taken:
            taken.add(key_of(space, params))
            count -= 1
            yield Proposal(params=params, proposer=skill, why=reason + rung, env_steps=env_steps)
    if count < 1 or not space.dimensions:
        return
    known = knowledge(history, elsewhere)
    how = method(history, options, known)
    taken |= {key_of(space, trial.params) for other in elsewhere for trial in other.trials
              if trial.score is not None and is_comparable(history, other, trial)}
    if how == "grid":
        chosen = _next_of_grid(history, options, view, count, taken, skill)
    else:
        label = f"{skill}/{options.seed}/{'startup' if how == 'startup' else len(history.trials)}/{refused}"
        chosen = fresh(history, how, known, view.seed(label), count, taken,
                       lambda params: keeps(history, options, dict(params)))
    told = notes(history, options, presets)
    for params in chosen:
        yield Proposal(params=params, proposer=skill, env_steps=env_steps,
                       why=why(history, options, known, params, told) + rung)


def _next_of_grid(history: History, options: Options, view: View, count: int, taken: set[str], skill: str
                  ) -> list[dict[str, ParamValue]]:
    """Return the next untried points, in an order that spreads over the whole grid from the start."""
    space = history.campaign.space
    points = [point for point in grid(space, options.grid_points) if keeps(history, options, point)]
    random.Random(view.seed(f"{skill}/grid/{options.seed}")).shuffle(points)
    left = [point for point in points if key_of(space, point) not in taken]
    start = history.record.refused_proposals % len(left) if left else 0  # do not insist on a refused point
    return [*left[start:], *left[:start]][:count]


def _why_exhausted(history: History, options: Options) -> str:
    tried = len(history.trials)
    if not _room(history):
        return f"the budget's {tried} trials are tried"
    if not history.campaign.space.dimensions:
        return "the search space is empty, and its one setting was tried"
    what = "point of the grid" if options.sampler == "grid" else "setting of the search space"
    kept = " that keeps to the constraints" if options.constraints else ""
    return f"every {what}{kept} was tried ({tried} trials)"
