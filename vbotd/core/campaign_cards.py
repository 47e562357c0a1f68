"""Does the task have these settings, and may they take these values? The rules that ask the tasks' own cards."""

from __future__ import annotations

from collections.abc import Iterator

from vbotd.core.campaign_file import CampaignFile, RangePart
from vbotd.core.campaign_rules import (
    GROUPS,
    RULES,
    Known,
    Rule,
    Trouble,
    did_you_mean,
    fixed_settings,
    stage_settings,
)
from vbotd.core.campaign_schema import listed
from vbotd.core.yaml_guard import Path
from vbotd.core.yaml_scalar import quoted
from vbotd.domain.task import ParamCard, ParamValue, TaskCard


def task_of(file: CampaignFile) -> str | None:
    """Return the campaign's task: the one it names, or that of its last stage, which is where it wants to get."""
    return file.task or (file.stages[-1].task if file.stages else None)


def _tasks_are_known(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    if known.tasks is None:
        return
    named: list[tuple[Path, str | None]] = [(("task",), file.task)]
    named += [(("stages", index, "task"), stage.task) for index, stage in enumerate(file.stages)]
    for path, task in named:
        if task is not None and task not in known.tasks:
            yield Trouble(path=path, fix=did_you_mean(task, known.tasks, "see 'vbotd tasks'"),
                          message=f"task '{task}' is not registered — known: {listed(sorted(known.tasks)) or 'none'}")


def _values_fit_their_cards(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    for path, key, value in fixed_settings(file):
        yield from _checked(path, key, value, _cards_in_play(file, known))
    for index, stage in enumerate(file.stages):
        own = _named_cards((stage.task or file.task,), known)
        for path, key, value in stage_settings(file, index):
            yield from _checked(path, key, value, own)


def _ranges_fit_their_cards(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    for key, part in file.search.space.items() if file.search else ():
        path: Path = ("search", "space", key)
        if key.partition(".")[0] not in GROUPS:
            continue  # told already, by a rule that needs no card
        for task in _cards_in_play(file, known):
            card = task.param(key)
            troubles = tuple(_unknown(path, key, task) if card is None else _range_troubles(path, card, part))
            yield from troubles
            if troubles:
                break


def _cards_in_play(file: CampaignFile, known: Known) -> tuple[TaskCard, ...]:
    """Return the cards of every task that a setting of the whole campaign reaches."""
    return _named_cards((task_of(file), *(stage.task for stage in file.stages)), known)


def _named_cards(names: tuple[str | None, ...], known: Known) -> tuple[TaskCard, ...]:
    return tuple(known.tasks[name] for name in dict.fromkeys(names) if name and known.tasks and name in known.tasks)


def _a_default_trial_fits_the_budget(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    most = file.budget.env_steps
    for task in _named_cards((task_of(file),), known):
        if most is not None and file.train.env_steps is None and task.env_steps > most:
            yield Trouble(path=("budget", "env_steps"), fix="raise it, or give a smaller train.env_steps",
                          message=f"'{most}' is less than one trial of {task.name} takes ({task.env_steps})"
                          f" — allowed: at least {task.env_steps}")


def _checked(path: Path, key: str, value: object, tasks: tuple[TaskCard, ...]) -> Iterator[Trouble]:
    """Yield what is wrong with one value for the first task that minds."""
    for task in tasks:
        card = task.param(key)
        troubles = tuple(_unknown(path, key, task) if card is None else value_troubles(path, card, value))
        yield from troubles
        if troubles:
            return


def _unknown(path: Path, key: str, task: TaskCard) -> Iterator[Trouble]:
    group = key.partition(".")[0]
    names = [card.key for card in task.params if card.key.startswith(group + ".")]
    near = did_you_mean(key, names or [card.key for card in task.params], f"see 'vbotd tasks {task.name}'")
    yield Trouble(path=path, on_key=True, fix=near,
                  message=f"task '{task.name}' has no setting {quoted(key)} — known: {listed(names) or 'none'}")


def value_troubles(path: Path, card: ParamCard, value: object) -> Iterator[Trouble]:
    """Yield what is wrong with one value of a setting: of another kind, no choice, of another length, out of range."""
    if not _is_like(card.default, value):
        yield Trouble(path=path, message=f"{quoted(value)} is not {_kind_of(card.default)} — allowed: "
                      f"{_allowed(card)}", fix=f"the default is {_shown(card.default)}")
    elif card.choices and not any(value == choice and isinstance(value, bool) == isinstance(choice, bool)
                                  for choice in card.choices):
        yield Trouble(path=path, message=f"{quoted(value)} is not one of the choices — allowed: {_allowed(card)}",
                      fix=did_you_mean(str(value), [str(choice) for choice in card.choices], "choose one"))
    elif isinstance(value, tuple) and isinstance(card.default, tuple) and card.scale == "linear" \
            and len(value) != len(card.default):
        yield Trouble(path=path, message=f"{_shown(value)} has {len(value)} numbers — allowed: {len(card.default)}",
                      fix=f"the default is {_shown(card.default)}")
    else:
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not isinstance(number, bool) and not _is_within(card, number):
                yield Trouble(path=path, message=f"'{number:g}' is out of range — allowed: {_allowed(card)}",
                              fix=f"the default is {_shown(card.default)}")
                return


def _range_troubles(path: Path, card: ParamCard, part: RangePart) -> Iterator[Trouble]:
    """Yield what is wrong with the range of a searched setting; its own shape is checked elsewhere."""
    if part.choice is not None:
        for index, value in enumerate(part.choice):
            yield from value_troubles((*path, "choice", index), card, value)
        return
    form = "uniform" if part.uniform is not None else "log" if part.log is not None else "int"
    ends: list[float] = [*(part.uniform or part.log or part.int_ or ())]
    if not ends:
        return
    if isinstance(card.default, bool | str | tuple) or card.choices:
        yield Trouble(path=(*path, form), message=f"'{card.key}' has no range — allowed: choice, of values like "
                      f"{_allowed(card)}", fix=f"write {{choice: [{_shown(card.default)}, ...]}}")
    elif card.scale == "fixed":
        yield Trouble(path=(*path, form), message=f"'{card.key}' is not made to vary over a range — allowed: choice",
                      fix=f"write {{choice: [{_shown(card.default)}, ...]}}")
    elif isinstance(card.default, int) and form != "int":
        yield Trouble(path=(*path, form), message=f"'{card.key}' takes whole numbers only — allowed: int or choice",
                      fix="write int: instead")
    else:
        for index, end in enumerate(ends):
            if not _is_within(card, end):
                yield Trouble(path=(*path, form, index), message=f"'{end:g}' is out of range — allowed: "
                              f"{_allowed(card)}", fix=f"the default is {_shown(card.default)}")


def _is_like(default: ParamValue, value: object) -> bool:
    """Say whether a value is of the kind of a default: 24.0 passes for a whole number, true never for a number."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def fitted(card: ParamCard | None, value: ParamValue) -> ParamValue:
    """Return a checked value in the type of its card: `24.0` as 24, `1` as 1.0; as it is where there is no card."""
    if card is None or isinstance(value, bool):
        return value
    if isinstance(card.default, int) and isinstance(value, float):
        return int(value)
    if isinstance(card.default, float) and isinstance(value, int):
        return float(value)
    return tuple(float(number) for number in value) if isinstance(value, tuple) else value


def _is_within(card: ParamCard, number: float) -> bool:
    return (card.low is None or number >= card.low) and (card.high is None or number <= card.high)


def _kind_of(default: ParamValue) -> str:
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, int):
        return "a whole number"
    if isinstance(default, float):
        return "a number"
    return "a list of numbers" if isinstance(default, tuple) else "a text"


def _allowed(card: ParamCard) -> str:
    """Return what a setting may be, in words."""
    unit = f" {card.unit}" if card.unit else ""
    if card.choices:
        return "one of " + listed([_shown(choice) for choice in card.choices])
    if card.low is not None and card.high is not None:
        return f"{card.low:g} to {card.high:g}{unit}"
    if card.low is not None:
        return f"at least {card.low:g}{unit}"
    return f"at most {card.high:g}{unit}" if card.high is not None else _kind_of(card.default)


def _shown(value: ParamValue) -> str:
    """Return a value as it is written in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{number:g}" for number in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


CARD_RULES: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (_tasks_are_known, ()),
    (_values_fit_their_cards, ()),
    (_ranges_fit_their_cards, ()),
    (_a_default_trial_fits_the_budget, ("train",)),
)
ALL_RULES = RULES + CARD_RULES
