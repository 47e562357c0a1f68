"""A campaign's bracket as it stands: its ladder, the rungs that count, its size, and the next proposals of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vbotd.domain.history import History
from vbotd.domain.trial import Proposal, Trial

from .calibration import Fidelity, fidelity, on_the_floor, pairs_of
from .halving import Entry, Move, Plan
from .options import REPORT_SEEDS, Options
from .planning import Ladder, affordable, confirming_cost, confirming_seeds, ladder, planned
from .results import entries_of, horizon_of, results_of
from .space import size

FEWEST_TRIALS = 9  # below, a bracket of three rungs has one trial at its second


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """What the next move is decided by. `confirm` is how many fresh seeds the winner gets."""

    steps: Ladder
    plan: Plan
    entries: tuple[Entry, ...]
    confirm: int
    fidelities: tuple[Fidelity, ...]  # of each rung but the last


def is_halving(history: History, options: Options) -> bool:
    """Say whether the campaign's trials climb rungs."""
    if options.strategy != "auto":
        return options.strategy == "halving" and bool(history.campaign.space.dimensions)
    campaign = history.campaign
    return (bool(campaign.space.dimensions) and options.sampler != "grid"
            and campaign.budget.trials >= FEWEST_TRIALS)


def bracket_of(history: History, options: Options, skill: str, elsewhere: Sequence[History] = ()) -> Bracket:
    """Return the bracket of a campaign that climbs rungs."""
    steps = ladder_of(history, options, skill, elsewhere)
    known = tuple(fidelity(pairs_of([history, *elsewhere], steps, rung)) for rung in range(len(steps.rungs) - 1))
    entries = entries_of(history, steps, skill)
    paid_for = affordable(history)
    confirm = confirming_seeds(_wanted_seeds(options), steps.horizon, paid_for)
    guests = len(history.trials) - len(entries)
    trials = max(1, int(min(history.campaign.budget.trials - guests, size(history.campaign.space))))
    first = _first_rung(history, steps, known, entries)
    plan = planned(trials, steps, options.eta, first=first, early=history.campaign.deadline is not None,
                   paid_for=paid_for - confirming_cost(confirm, steps.horizon))
    return Bracket(steps=steps, plan=plan, entries=entries, confirm=confirm, fidelities=known)


def ladder_of(history: History, options: Options, skill: str, elsewhere: Sequence[History] = ()) -> Ladder:
    """Return the rungs. The lowest is what the campaign began with; before that, earlier campaigns decide it."""
    horizon = horizon_of(history)
    steps = ladder(horizon, options.eta, options.rungs)
    begun = next((trial.proposal.env_steps for trial in history.trials
                  if trial.proposal.proposer == skill and trial.proposal.env_steps is not None), None)
    if begun is not None:
        return ladder(horizon, options.eta, options.rungs, begin=begun)
    advice = fidelity(pairs_of(elsewhere, steps, 0)).advice
    is_floor = _is_floor([(other, other.trials) for other in elsewhere], steps)
    if len(steps.rungs) > 2 and (advice == "drop" or is_floor):
        return Ladder(rungs=steps.rungs[1:])
    if advice == "shorten" and not is_floor:
        return ladder(horizon, options.eta, options.rungs, begin=max(1, steps.rungs[0] // 2))
    return steps


def _first_rung(history: History, steps: Ladder, known: Sequence[Fidelity], entries: Sequence[Entry]) -> int:
    """Return the lowest rung that ranks anything; those below it are passed over."""
    members = {entry.trial for entry in entries}
    here = [trial for trial in history.trials if trial.id in members]
    for rung, measured in enumerate(known):
        if measured.advice != "drop" and not (rung == 0 and _is_floor([(history, here)], steps)):
            return rung
    return len(steps.rungs) - 1


def _is_floor(trials: Sequence[tuple[History, Sequence[Trial]]], steps: Ladder) -> bool:
    """Say whether all trials of the lowest rung are on the floor, by the widest interval of their scores.

    Then a correlation of the rung with the end is no comfort: it is that of the hopeless ones
    (`bench/results-replay.json`: 0.7 over all, and the best of the rung were no good).
    """
    scores = [result.score for history, some in trials for trial in some for result in results_of(history, trial)
              if result.env_steps == steps.rungs[0]]
    noise = max(((score.high - score.low) / 2 for score in scores), default=0.0)
    return on_the_floor([score.value for score in scores], noise)


def _wanted_seeds(options: Options) -> int:
    return REPORT_SEEDS if options.confirm_seeds is None else options.confirm_seeds


def going_on(history: History, bracket: Bracket, move: Move, skill: str) -> Proposal:
    """Return the proposal that trains a trial on to the rung of a move."""
    trial = next(trial for trial in history.trials if trial.id == move.trial)
    entry = next(entry for entry in bracket.entries if entry.trial == move.trial)
    stood = sum(one.rung > entry.rung or (one.rung == entry.rung and not one.pending) for one in bracket.entries)
    reached, goal = bracket.steps.rungs[entry.rung], bracket.steps.rungs[move.rung]
    success = entry.values[entry.rung][0]
    return extension(trial, skill, env_steps=goal, why=(
        f"the best of {stood} at {millions(reached)} env steps that has not gone on ({abs(success):.3g}): from its "
        f"checkpoint to {millions(goal)}"))


def extension(trial: Trial, skill: str, *, why: str, env_steps: int | None = None, seeds: tuple[int, ...] = ()
              ) -> Proposal:
    """Return a proposal that trains a trial further, or with further seeds."""
    return Proposal(params=trial.proposal.params, proposer=skill, why=why, stage=trial.proposal.stage,
                    task=trial.proposal.task, env_steps=env_steps, seeds=seeds, extends=trial.id)


def millions(env_steps: int) -> str:
    """Return env steps for people: 0.56 M."""
    return f"{env_steps / 1e6:.3g} M" if env_steps >= 1e5 else f"{env_steps / 1e3:.3g} k"


def spent(history: History) -> int:
    """Return the env steps that the campaign's trainings have taken, or will have when they end."""
    total = 0
    for run in history.runs:
        if run.kind == "train":
            asked = run.spec.get("train") or {}
            done = run.env_steps if run.outcome is not None else int(asked.get("until") or asked.get("env_steps") or 0)
            total += max(0, done - int(run.spec.get("resumed_env_steps") or 0))
    return total


def can_pay(history: History, env_steps: int) -> bool:
    """Say whether so many more env steps fit the budget."""
    limit = affordable(history)
    return math.isinf(limit) or spent(history) + env_steps <= limit
