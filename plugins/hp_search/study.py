"""An Optuna study made afresh from our own history at every question: no second memory, no drift.

Trials that run take part as running ones, so that the next proposal keeps away from them. A trial that failed by its
settings is given a value below the worst for the sampler's eyes alone: a crash is not a low number, but a sampler
that is not told goes there again.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from vbotd.domain.history import History
from vbotd.domain.space import SearchSpace
from vbotd.domain.task import ParamValue

from .knowledge import Knowledge
from .options import Options
from .space import distributions, from_optuna, grid, key_of, size, to_optuna
from .startup import prior, spread_points

Method = Literal["startup", "tpe", "random", "grid", "gp", "cmaes"]
Accept = Callable[[Mapping[str, ParamValue]], bool]
OWN_TRIES = 4  # points of a sampler that may turn out to be tried already, before random ones are drawn
TRIES = 256  # and then of those, before what is left of a finite space is listed
MAX_LISTED = 100_000
MIN_WARM_START = 10  # CMA-ES: the warm start takes the best tenth, so that there must be one
GP_RESULTS, GP_DIMENSIONS = 60, 10  # beyond, the process is slow and no better
CMAES_DIMENSIONS = range(6, 21)


@contextmanager
def quiet_optuna() -> Iterator[Any]:
    """Give Optuna (imported here, 0.3 s) without its log lines and its notes on experimental parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        yield optuna


def build(optuna: Any, space: SearchSpace, known: Knowledge, sampler: Any = None) -> Any:
    """Return an in-memory study that holds every trial of this space."""
    study = optuna.create_study(direction="maximize", sampler=sampler or optuna.samplers.RandomSampler(seed=0))
    study.add_trials(list(_frozen_trials(optuna, space, known)))
    return study


def _frozen_trials(optuna: Any, space: SearchSpace, known: Knowledge, *, scored_only: bool = False,
                   numbers_only: bool = False) -> Iterator[Any]:
    made = distributions(space)
    if numbers_only:
        made = {key: kind for key, kind in made.items()
                if not isinstance(kind, optuna.distributions.CategoricalDistribution)}
    states = optuna.trial.TrialState
    for one in known.observations:
        params = to_optuna(space, one.params)
        if params is None or one.state == "unknown" or (scored_only and one.value is None):
            continue
        value = known.penalty if one.state == "failed" else one.value
        state = states.RUNNING if one.state == "running" else states.FAIL if value is None else states.COMPLETE
        yield optuna.trial.create_trial(
            state=state, value=value, params={key: params[key] for key in made}, distributions=made)


def method(history: History, options: Options, known: Knowledge) -> Method:
    """Return how the next point is found: `startup` while there are too few scored trials to learn from."""
    if options.sampler in ("random", "grid"):
        return options.sampler
    scored = len(known.scored)
    if scored < options.startup(history.campaign.budget.trials):
        return "startup"
    space = history.campaign.space
    if options.sampler == "auto":
        return automatic(space, scored)
    return "tpe" if options.sampler == "cmaes" and _numbers(space) < 2 else options.sampler


def automatic(space: SearchSpace, scored: int) -> Method:
    """Return the sampler for so many results: a Gaussian process while they are few and all settings are numbers.

    Then CMA-ES where there are 6 to 20 numbers and nothing else, and TPE for everything else.
    """
    numbers, dimensions = _numbers(space), len(space.dimensions)
    if scored < GP_RESULTS and numbers == dimensions <= GP_DIMENSIONS:
        return "gp"
    return "cmaes" if scored >= GP_RESULTS and numbers == dimensions and dimensions in CMAES_DIMENSIONS else "tpe"


def _numbers(space: SearchSpace) -> int:
    return sum(dimension.kind != "choice" for dimension in space.dimensions)


def make_sampler(optuna: Any, space: SearchSpace, how: Method, known: Knowledge, seed: int) -> Any:
    """Return the Optuna sampler of this moment."""
    kinds = optuna.samplers
    match how:
        case "tpe":
            return kinds.TPESampler(seed=seed, n_startup_trials=0, constant_liar=True)
        case "gp":
            return kinds.GPSampler(seed=seed, n_startup_trials=0)
        case "cmaes":
            # Its own state is lost with the study, so it begins each time where the good trials lie (WS-CMA-ES,
            # Nomura et al. 2021, arXiv:2012.06932); choices are drawn at random.
            source = list(_frozen_trials(optuna, space, known, scored_only=True, numbers_only=True))
            if len(source) >= MIN_WARM_START:
                begin = {"source_trials": source}
            else:
                begin = {"x0": max(source, key=lambda trial: trial.value).params}
            return kinds.CmaEsSampler(seed=seed, n_startup_trials=0, warn_independent_sampling=False, **begin)
    return kinds.RandomSampler(seed=seed)


def fresh(history: History, how: Method, known: Knowledge, seed: int, count: int, taken: set[str],
          accept: Accept = lambda params: True) -> list[dict[str, ParamValue]]:
    """Return up to `count` settings that were never tried and that `accept` takes; fewer when there are no more."""
    space = history.campaign.space
    chosen: list[dict[str, ParamValue]] = []

    def take(params: dict[str, ParamValue]) -> bool:
        if (key := key_of(space, params)) in taken or not accept(params):
            return False
        taken.add(key)
        chosen.append(params)
        return True

    if how == "startup":
        # The sequence is the campaign's, not the question's: what was taken of it is passed over.
        for params in spread_points(prior(space, history.task), seed):
            if len(chosen) < count:
                take(params)
    if len(chosen) < count:
        _sample(space, how, known, seed, count - len(chosen), taken, take)
    if len(chosen) < count and size(space) <= MAX_LISTED:
        rest = grid(space, MAX_LISTED)
        random.Random(seed).shuffle(rest)
        for params in rest:
            if len(chosen) < count:
                take(params)
    return chosen


def _sample(space: SearchSpace, how: Method, known: Knowledge, seed: int, count: int, taken: set[str],
            take: Callable[[dict[str, ParamValue]], bool]) -> None:
    """Ask the sampler until `count` points were taken, or it has nothing new to say."""
    with quiet_optuna() as optuna:
        study = build(optuna, space, known, make_sampler(optuna, space, how, known, seed))
        made = distributions(space)
        repeats = 0
        while count and repeats < TRIES and len(taken) < size(space):
            trial = study.ask(made)  # stays RUNNING in the study: the next one keeps away from it
            if take(from_optuna(space, trial.params)):
                count -= 1
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                repeats += 1
            if repeats == OWN_TRIES:  # it insists, as a converged one does
                study.sampler = optuna.samplers.RandomSampler(seed=seed)


def importances(history: History, known: Knowledge) -> Mapping[str, float]:
    """Return how much of the differences between the scored trials each setting explains, the largest first."""
    scored = Knowledge(env_steps=known.env_steps, observations=known.scored)
    with quiet_optuna() as optuna:
        try:
            study = build(optuna, history.campaign.space, scored)
            found: Mapping[str, float] = optuna.importance.get_param_importances(study)
        except (ValueError, RuntimeError):
            return {}  # all trials equal, or one dimension that never varied: nothing to explain
    return found
