"""An Optuna study made afresh from our own history at every question: no second memory, no drift.

Trials that run take part as running ones, so that the next proposal keeps away from them; trials that failed
are marked failed and have no value: a crash is not a low number.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from vbotd.domain.history import History
from vbotd.domain.task import ParamValue

from .options import Options
from .score import objectives
from .space import distributions, from_optuna, grid, key_of, size, to_optuna

Method = Literal["startup", "tpe", "random", "grid", "gp", "cmaes"]
OWN_TRIES = 4  # points of a sampler that may turn out to be tried already, before random ones are drawn
TRIES = 64  # and then of those, before what is left of a finite space is listed
MAX_LISTED = 100_000
MIN_WARM_START = 10  # the warm start takes the best tenth, so that there must be one


@contextmanager
def quiet_optuna() -> Iterator[Any]:
    """Give Optuna (imported here, 0.3 s) without its log lines and its notes on experimental parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        yield optuna


def build(optuna: Any, history: History, sampler: Any = None) -> Any:
    """Return an in-memory study that holds every trial of this space."""
    study = optuna.create_study(direction="maximize", sampler=sampler or optuna.samplers.RandomSampler(seed=0))
    study.add_trials(list(_frozen_trials(optuna, history)))
    return study


def _frozen_trials(optuna: Any, history: History, *, scored_only: bool = False,
                   numbers_only: bool = False) -> Iterator[Any]:
    space, values = history.campaign.space, objectives(history)
    made = distributions(space)
    if numbers_only:
        made = {key: kind for key, kind in made.items()
                if not isinstance(kind, optuna.distributions.CategoricalDistribution)}
    states = optuna.trial.TrialState
    for trial in history.trials:
        params = to_optuna(space, trial.params)
        if params is None or (scored_only and trial.id not in values):
            continue
        scored = trial.id in values
        yield optuna.trial.create_trial(
            state=states.COMPLETE if scored else states.FAIL if trial.judged else states.RUNNING,
            value=values[trial.id] if scored else None,
            params={key: params[key] for key in made}, distributions=made)


def method(history: History, options: Options) -> Method:
    """Return how the next point is found: `startup` while there are too few scored trials to learn from."""
    if options.sampler in ("random", "grid"):
        return options.sampler
    scored = sum(trial.score is not None for trial in history.trials)
    if scored < options.startup(history.campaign.budget.trials):
        return "startup"
    numbers = sum(dimension.kind != "choice" for dimension in history.campaign.space.dimensions)
    return "tpe" if options.sampler == "cmaes" and numbers < 2 else options.sampler


def make_sampler(optuna: Any, history: History, options: Options, seed: int) -> Any:
    """Return the Optuna sampler of this moment."""
    kinds = optuna.samplers
    match method(history, options):
        case "tpe":
            return kinds.TPESampler(seed=seed, n_startup_trials=0, constant_liar=True)
        case "gp":
            return kinds.GPSampler(seed=seed, n_startup_trials=0)
        case "cmaes":
            # Its own state is lost with the study, so it begins each time where the good trials lie (WS-CMA-ES,
            # Nomura et al. 2021, arXiv:2012.06932); choices are drawn at random.
            source = list(_frozen_trials(optuna, history, scored_only=True, numbers_only=True))
            if len(source) >= MIN_WARM_START:
                begin = {"source_trials": source}
            else:
                begin = {"x0": max(source, key=lambda trial: trial.value).params}
            return kinds.CmaEsSampler(seed=seed, n_startup_trials=0, warn_independent_sampling=False, **begin)
    return kinds.RandomSampler(seed=seed)


def fresh(history: History, options: Options, seed: int, count: int, taken: set[str]) -> list[dict[str, ParamValue]]:
    """Return up to `count` settings that were never tried; fewer when the space has no more of them."""
    space = history.campaign.space
    chosen: list[dict[str, ParamValue]] = []

    def take(params: dict[str, ParamValue]) -> bool:
        if (key := key_of(space, params)) in taken:
            return False
        taken.add(key)
        chosen.append(params)
        return True

    with quiet_optuna() as optuna:
        study = build(optuna, history, make_sampler(optuna, history, options, seed))
        made = distributions(space)
        repeats = 0
        while len(chosen) < count and repeats < TRIES and len(taken) < size(space):
            trial = study.ask(made)  # stays RUNNING in the study: the next one keeps away from it
            if not take(from_optuna(space, trial.params)):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                repeats += 1
            if repeats == OWN_TRIES:  # it insists, as a converged one does
                study.sampler = optuna.samplers.RandomSampler(seed=seed)
    if len(chosen) < count and size(space) <= MAX_LISTED:
        rest = grid(space, MAX_LISTED)
        random.Random(seed).shuffle(rest)
        for params in rest:
            if len(chosen) < count:
                take(params)
    return chosen


def importances(history: History) -> Mapping[str, float]:
    """Return how much of the differences between the trials each setting explains, the largest first."""
    with quiet_optuna() as optuna:
        try:
            found: Mapping[str, float] = optuna.importance.get_param_importances(build(optuna, history))
        except (ValueError, RuntimeError):
            return {}  # all trials equal, or one dimension that never varied: nothing to explain
    return found
