"""What the search learns from: the trials of this campaign and of earlier ones that differ in what is searched alone.

All observations are of one length of training, since scores of different lengths cannot be compared: the longest
that has a result more than there are dimensions (the rule of BOHB, Falkner et al. 2018, arXiv:1807.01774), else the
one with the most. A trial that failed there by its settings counts as a little worse than the worst seen, so that
the sampler keeps away from where trainings break; its score stays none. One that the machine lost says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vbotd.domain.history import History
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Trial

from .results import Result, failure_of, horizon_of, results_of, target_of
from .score import objectives

State = Literal["scored", "failed", "running", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A setting of the space and what came of it; `value` is None unless it was scored. `here`: in this campaign."""

    trial: str
    params: Mapping[str, ParamValue]
    state: State
    value: float | None = None
    here: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """All observations of one length of training; trials at other lengths are `unknown`, so that none is repeated."""

    env_steps: int
    observations: tuple[Observation, ...]

    @property
    def scored(self) -> tuple[Observation, ...]:
        """Those with a value."""
        return tuple(one for one in self.observations if one.value is not None)

    @property
    def penalty(self) -> float | None:
        """The value that a failed trial is given for the sampler's eyes: the worst less the spread."""
        values = [one.value for one in self.observations if one.value is not None]
        return min(values) - (max(values) - min(values)) if values else None


def knowledge(history: History, elsewhere: Sequence[History] = ()) -> Knowledge:
    """Return what is known. `elsewhere` are other campaigns of the task; only what is comparable is taken."""
    trials = [(history, trial, True) for trial in history.trials if is_comparable(history, history, trial)]
    trials += [(other, trial, False) for other in elsewhere for trial in other.trials
               if trial.judged and is_comparable(history, other, trial)]
    results = {trial.id: results_of(home, trial) for home, trial, _ in trials}
    env_steps = _fidelity(list(results.values()), len(history.campaign.space.dimensions), horizon_of(history))
    here = {name: one for name, known in results.items() for one in known if one.env_steps == env_steps}
    values = objectives(history, tuple(here.values()))
    return Knowledge(env_steps=env_steps, observations=tuple(
        Observation(trial=trial.id, params=_settings(history, trial), here=own, value=values.get(trial.id),
                    state="scored" if trial.id in values else _state(home, trial, env_steps))
        for home, trial, own in trials))


def _fidelity(results: Sequence[Sequence[Result]], dimensions: int, horizon: int) -> int:
    """Return the length of training to learn from."""
    counts = Counter(result.env_steps for known in results for result in known)
    enough = [env_steps for env_steps, count in counts.items() if count >= dimensions + 1]
    return max(enough) if enough else max(counts, key=lambda one: (counts[one], one), default=horizon)


def _state(history: History, trial: Trial, env_steps: int) -> State:
    if not trial.judged:
        return "running"
    is_fault = failure_of(history, trial) == "settings" and target_of(history, trial) <= env_steps
    return "failed" if is_fault else "unknown"


def is_comparable(history: History, other: History, trial: Trial) -> bool:
    """Say whether a trial was trained as one of the search would be, but for what is searched.

    Other campaigns may have fixed other settings; in this one, another skill may have changed what the space leaves be.
    """
    mine, its = history.campaign.train, other.campaign.train
    if other.campaign.task != history.campaign.task or trial.warm_start is not None:
        return False
    if horizon_of(other) != horizon_of(history) or mine.num_envs != its.num_envs:
        return False
    searched = {dimension.key for dimension in history.campaign.space.dimensions}
    fixed = {**_defaults(history), **history.campaign.params}
    resolved = {**_defaults(history), **trial.params}
    # What another plugin has changed in all that is proposed since is a part of the campaign.
    given = set(trial.proposal.amended_by) if other.record.id == history.record.id else set()
    return all(resolved.get(key) == fixed.get(key) for key in {*fixed, *resolved} - searched - given)


def _settings(history: History, trial: Trial) -> dict[str, ParamValue]:
    """Return a trial's values of the searched settings, the task's default where it has none of its own."""
    whole = {**_defaults(history), **trial.params}
    return {dimension.key: whole[dimension.key] for dimension in history.campaign.space.dimensions
            if dimension.key in whole}


def _defaults(history: History) -> dict[str, ParamValue]:
    return {card.key: card.default for card in history.task.params} if history.task else {}


def best_elsewhere(history: History, elsewhere: Sequence[History]) -> Iterator[tuple[Trial, dict[str, ParamValue]]]:
    """Yield the scored trials of other campaigns whose settings fit the space, the best first, each setting once.

    Champions come first, since their score was confirmed; what they had beside the searched settings is left out.
    """
    ranked: list[tuple[tuple[bool, float], Trial, dict[str, ParamValue]]] = []
    for other in elsewhere:
        values = objectives(other)
        for trial in other.trials:
            params = _settings(history, trial)
            if trial.id in values and not history.campaign.space.problems(params):
                ranked.append(((trial.id == other.record.champion, values[trial.id]), trial, params))
    ranked.sort(key=lambda item: item[0], reverse=True)
    seen: list[Mapping[str, ParamValue]] = []
    for _, trial, params in ranked:
        if params not in seen:
            seen.append(params)
            yield trial, params
