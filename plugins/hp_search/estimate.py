"""What a search will train, before it begins: the bracket that the budget pays for, and what confirms its winner."""

from __future__ import annotations

from vbotd.domain.history import History
from vbotd.domain.skill import Estimate

from .options import Options
from .planning import affordable, confirming_cost, confirming_seeds, cost
from .results import horizon_of
from .rungs import bracket_of, is_halving, millions
from .space import size


def estimated(history: History, options: Options, skill: str) -> Estimate:
    """Return the env steps of a campaign's search, as planned before anything is known, at most what it pays for."""
    horizon = horizon_of(history)
    if is_halving(history, options):
        bracket = bracket_of(history, options, skill)
        sizes, rungs, seeds = bracket.plan.sizes, bracket.steps.rungs, bracket.confirm
        taken = cost(sizes, bracket.steps, bracket.plan.first)
        onward = "".join(f", {number} of them on to {millions(rung)}" for number, rung in
                         zip(sizes[1:], rungs[1:], strict=True))
        what = f"{sizes[0]} trials to {millions(rungs[0])} env steps{onward}: {millions(taken)}"
    else:
        trials = int(min(history.campaign.budget.trials, size(history.campaign.space)))
        seeds = confirming_seeds(options.confirm_seeds or 0, horizon, affordable(history))
        taken = trials * horizon
        what = f"{trials} trials to {millions(horizon)} env steps: {millions(taken)}"
    confirming = confirming_cost(seeds, horizon)
    whole = int(min(taken + confirming, affordable(history)))
    return Estimate(env_steps=whole, why=what + _confirming(options, seeds, confirming, horizon))


def _confirming(options: Options, seeds: int, taken: int, horizon: int) -> str:
    if not seeds:
        return ""
    further = options.confirm_most - seeds if seeds > 1 else 0
    return (f"; winner and baseline again with {seeds} fresh {'seed' if seeds == 1 else 'seeds'}: {millions(taken)}"
            + (f", and with up to {further} more ({millions(2 * further * horizon)} beside) if they can settle it"
               if further > 0 else ""))
