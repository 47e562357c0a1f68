"""The settings that need no search: the task's defaults, those that the campaign asks for, and the best of before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vbotd.domain.history import History
from vbotd.domain.task import ParamValue

from .constraints import broken, idle, parse_constraint
from .knowledge import best_elsewhere
from .options import Options

BASELINE = "the task's defaults, as the baseline"
Presets = Mapping[str, Mapping[str, ParamValue]]
Wish = tuple[dict[str, ParamValue], str]


def wishes(history: History, options: Options, elsewhere: Sequence[History], presets: Presets) -> Iterator[Wish]:
    """Yield settings with the reason for each, the baseline first."""
    space = history.campaign.space
    defaults = defaults_of(history)
    if not space.problems(defaults):
        yield defaults, BASELINE if space.dimensions else "the one setting that there is: the search space is empty"
    for number, wish in enumerate(options.first, start=1):
        params = {**defaults, **wish}
        if not space.problems(params):
            yield params, f"asked for in the campaign (number {number} of 'first')"
    for name in options.presets:
        params = _of_preset(history, presets.get(name, {}))
        if name in presets and not space.problems(params):
            yield params, f"the preset {name}"
    for place, (trial, params) in enumerate(best_elsewhere(history, elsewhere), start=1):
        if place > options.from_history:
            break
        yield params, f"number {place} of the earlier campaigns of this task: {trial.id}"


def _of_preset(history: History, preset: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    searched = {dimension.key for dimension in history.campaign.space.dimensions}
    return {**defaults_of(history), **{key: value for key, value in preset.items() if key in searched}}


def defaults_of(history: History) -> dict[str, ParamValue]:
    """Return the task's defaults of the searched settings, without those that the task does not know."""
    if history.task is None:
        return {}
    cards = [history.task.param(dimension.key) for dimension in history.campaign.space.dimensions]
    return {card.key: card.default for card in cards if card is not None}


def keeps(history: History, options: Options, params: dict[str, ParamValue]) -> bool:
    """Say whether settings keep to the campaign's constraints, with what is fixed and the task's defaults."""
    constraints = [parse_constraint(text) for text in options.constraints]
    return not list(broken(constraints, _whole(history, params)))


def notes(history: History, options: Options, presets: Presets) -> list[str]:
    """Return what a person should know of wishes that cannot be granted and constraints that bind nothing."""
    space, defaults = history.campaign.space, defaults_of(history)
    misfits = [str(number) for number, wish in enumerate(options.first, start=1)
               if space.problems({**defaults, **wish})]
    told = [f"left out of 'first', since outside the space: number {', '.join(misfits)}"] if misfits else []
    strange = [name for name in options.presets
               if name not in presets or space.problems(_of_preset(history, presets[name]))]
    if strange:
        told.append(f"left out, since no preset of this task or outside the space: {', '.join(strange)}")
    lame = list(idle([parse_constraint(text) for text in options.constraints], _whole(history, defaults)))
    return told + ([f"without effect, since a setting has no number here: {', '.join(lame)}"] if lame else [])


def _whole(history: History, params: dict[str, ParamValue]) -> dict[str, ParamValue]:
    known = {card.key: card.default for card in history.task.params} if history.task else {}
    return {**known, **history.campaign.params, **params}
