"""Which settings does a run have? The defaults of the task's card, and the overrides of the spec, checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vbotd.domain.task import ParamCard, ParamValue, TaskCard
from vbotd.train.runio import SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The resolved settings of one run, by group; keys without the group's prefix."""

    ppo: Mapping[str, Any]
    reward: Mapping[str, float]
    env: Mapping[str, Any]


def resolve(card: TaskCard, overrides: Mapping[str, Any]) -> Settings:
    """Return the card's defaults with `overrides` applied.

    Raises: SpecError naming every unknown key and every value out of its range, all at once.
    """
    cards = {p.key: p for p in card.params}
    problems: list[str] = []
    values = {key: p.default for key, p in cards.items()}
    for key, value in overrides.items():
        if key not in cards:
            problems.append(unknown_key(card.name, key, list(cards)))
            continue
        values[key], problem = _checked(cards[key], value)
        problems += [problem] if problem else []
    if problems:
        raise SpecError("; ".join(problems))
    return Settings(ppo=_group(values, "ppo"), reward=_group(values, "reward"), env=_group(values, "env"))


def unknown_key(where: str, key: str, allowed: Sequence[str]) -> str:
    """Return the message for a key that nobody knows, with the nearest that somebody does."""
    group = key.split(".")[0] + "."
    same_group = [k for k in allowed if k.startswith(group)] or list(allowed)
    near = difflib.get_close_matches(key, allowed, n=1)
    shown = ", ".join(sorted(same_group)[:8]) + (", …" if len(same_group) > 8 else "")
    return f"{where} has no setting '{key}' — allowed: {shown}" + (f" — did you mean '{near[0]}'?" if near else "")


def _group(values: Mapping[str, ParamValue], name: str) -> dict[str, Any]:
    prefix = name + "."
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def _checked(card: ParamCard, value: Any) -> tuple[ParamValue, str]:
    """Return the value as the card's type, and a problem or an empty string."""
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(card.default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(card.default, int) and isinstance(value, float) and value.is_integer():
        value = int(value)  # a search samples floats; 24.0 control steps are 24
    if type(value) is not type(card.default):
        kind = type(card.default).__name__
        if isinstance(card.default, tuple):
            kind = f"a list such as {list(card.default)}"
        return card.default, f"{card.key} is {value!r} — it must be {kind}"
    if card.choices and value not in card.choices:
        return card.default, f"{card.key} is {value!r} — allowed: {', '.join(map(repr, card.choices))}"
    return value, _range_problem(card, value)


def _range_problem(card: ParamCard, value: ParamValue) -> str:
    if isinstance(value, str | bool):
        return ""
    if isinstance(card.default, tuple) and isinstance(value, tuple):
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in value) or not value:
            return f"{card.key} is {value!r} — it must be a list of numbers"
        # Two numbers by default are a range; any other count is a list of any length.
        if len(card.default) == 2 and (len(value) != 2 or value[0] > value[1]):
            return f"{card.key} is {value!r} — a range is two numbers, low <= high"
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        # Written so that nan, for which every comparison is false, is out of range.
        if not ((card.low is None or number >= card.low) and (card.high is None or number <= card.high)):
            return f"{card.key} is {value!r} — allowed: {card.low} to {card.high}"
        if number != number:
            return f"{card.key} is {value!r} — it must be a number"
    return ""
