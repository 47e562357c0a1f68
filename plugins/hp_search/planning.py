"""How large a bracket does the budget pay for? Env steps are the currency; what confirms the winner is kept back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vbotd.domain.ground import CLIMBER, ground_of
from vbotd.domain.history import History

from .halving import Plan

WIDER = (3.0, 2.0, 1.5)  # how many more may go on than one of eta, where the budget has room for it
MOST_KEPT_BACK = 0.4  # of the budget, for confirming; a search that finds nothing has nothing to confirm
FEWEST_RUNS_FOR_A_RATE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The env steps of each rung, the last is the whole training."""

    rungs: tuple[int, ...]

    @property
    def horizon(self) -> int:
        """The env steps of a whole training."""
        return self.rungs[-1]

    def index(self, env_steps: int | None) -> int:
        """Return the rung that a target belongs to: the lowest that is not below it; the last for None."""
        if env_steps is None:
            return len(self.rungs) - 1
        return next((place for place, rung in enumerate(self.rungs) if rung >= env_steps), len(self.rungs) - 1)


def ladder(horizon: int, eta: int, rungs: int, begin: int | None = None) -> Ladder:
    """Return the rungs R / eta^k; `begin` replaces the lowest one."""
    made = [max(1, round(horizon / eta**power)) for power in reversed(range(rungs))]
    if begin is not None and begin < horizon:
        made = [begin, *(rung for rung in made[1:] if rung > begin)]
    return Ladder(rungs=tuple(sorted(set(made))))


def cost(sizes: Sequence[int], steps: Ladder, first: int = 0) -> int:
    """Return the env steps of a bracket: each rung pays only for what is new."""
    paid = sizes[first] * steps.rungs[first]
    return paid + sum(sizes[place] * (steps.rungs[place] - steps.rungs[place - 1])
                      for place in range(first + 1, len(sizes)))


def planned(trials: int, steps: Ladder, eta: int, *, first: int = 0, early: bool = False, paid_for: float = math.inf
            ) -> Plan:
    """Return the largest bracket of at most so many trials that the env steps pay for, wider where there is room.

    Where not even two trials are paid for it is one of two: the budget's own end will stop it.
    """
    number = next((one for one in range(trials, 2, -1) if cost(_sizes(one, 1.0, steps, eta, first), steps, first)
                   <= paid_for), min(trials, 2))
    width = 1.0 if math.isinf(paid_for) else next(
        (wide for wide in WIDER if cost(_sizes(number, wide, steps, eta, first), steps, first) <= paid_for), 1.0)
    return Plan(sizes=_sizes(number, width, steps, eta, first), eta=eta, first=first, early=early)


def _sizes(trials: int, width: float, steps: Ladder, eta: int, first: int) -> tuple[int, ...]:
    """Return how many trials each rung sees; on a rung that is passed over, as many as on the first that is not."""
    return tuple(trials if place <= first else min(trials, max(1, math.floor(trials * width / eta**(place - first))))
                 for place in range(len(steps.rungs)))


def part_of(history: History, share: float) -> History:
    """Return the part of a campaign that a search is about: all of it, or its first stage and a share of the budget."""
    campaign = history.campaign
    ground = ground_of(history)
    if not campaign.stages or campaign.skill(CLIMBER) is None:
        return ground
    budget = campaign.budget
    part = replace(
        budget, trials=max(1, math.floor(budget.trials * share)),
        hours=None if budget.hours is None else budget.hours * share,
        env_steps=None if budget.env_steps is None else math.floor(budget.env_steps * share))
    return replace(ground, record=replace(ground.record, content=replace(ground.campaign, budget=part)))


def affordable(history: History) -> float:
    """Return the env steps that the campaign's whole budget pays for, infinite where nothing limits them.

    Hours become env steps at the rate so far, with all that came between the trainings.
    """
    budget = history.campaign.budget
    limits = [float(budget.env_steps)] if budget.env_steps is not None else []
    rate = env_steps_per_s(history)
    if budget.hours is not None and rate is not None:
        limits.append(rate * budget.hours * 3600.0)
    return min(limits, default=math.inf)


def env_steps_per_s(history: History) -> float | None:
    """Return the env steps a second of the campaign as a whole, None before three trainings have ended."""
    ended = [run for run in history.runs
             if run.kind == "train" and run.ended_at is not None and run.launched_at is not None]
    if len(ended) < FEWEST_RUNS_FOR_A_RATE:
        return None
    begun_s = min(run.launched_at for run in ended if run.launched_at is not None)
    taken_s = max(run.ended_at for run in history.runs if run.ended_at is not None) - begun_s
    done = sum(run.env_steps - int(run.spec.get("resumed_env_steps") or 0) for run in ended)
    return done / taken_s if taken_s > 0 and done > 0 else None


def confirming_seeds(wanted: int, horizon: int, paid_for: float) -> int:
    """Return with how many fresh seeds the winner and the baseline can be trained, at most as many as wanted."""
    return next((seeds for seeds in range(wanted, 0, -1)
                 if confirming_cost(seeds, horizon) <= MOST_KEPT_BACK * paid_for), 0)


def confirming_cost(seeds: int, horizon: int) -> int:
    """Return the env steps of confirming: both trials with each seed, and the rest of the baseline's own training."""
    return (2 * seeds + 1) * horizon if seeds else 0
