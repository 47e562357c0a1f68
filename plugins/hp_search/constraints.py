"""What settings have to keep to among each other: `KEY <= 2 * KEY`, `KEY < NUMBER`; no more grammar than that."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vbotd.domain.task import ParamValue

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_KEY = r"[A-Za-z_]\w*(?:\.\w+)+"
_SIDE = re.compile(rf"(?:(?P<factor>{_NUMBER})\s*\*\s*)?(?P<key>{_KEY})|(?P<number>{_NUMBER})")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
GRAMMAR = "write 'KEY <= NUMBER', 'KEY < KEY' or 'KEY >= NUMBER * KEY', with <, <=, > or >="


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A number, or so many times a setting (key "": the number alone)."""

    factor: float
    key: str = ""

    def value(self, settings: Mapping[str, ParamValue]) -> float | None:
        """Return the side's number, None where its setting has none."""
        if not self.key:
            return self.factor
        value = settings.get(self.key)
        return self.factor * value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A comparison of two sides; `text` is what the campaign says."""

    text: str
    left: Side
    operator: str
    right: Side

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that it compares."""
        return tuple(side.key for side in (self.left, self.right) if side.key)

    def holds(self, settings: Mapping[str, ParamValue]) -> bool:
        """Say whether settings keep to it; one that names a setting without a number binds nobody."""
        left, right = self.left.value(settings), self.right.value(settings)
        return left is None or right is None or _OPERATORS[self.operator](left, right)


def parse_constraint(text: str) -> Constraint:
    """Return the comparison that a text means.

    Raises: ValueError that says what can be written.
    """
    match = re.fullmatch(r"([^<>=]+)(<=|>=|<|>)([^<>=]+)", text.strip())
    sides = [_side(part) for part in match.group(1, 3)] if match else []
    if match is None or None in sides or not any(side and side.key for side in sides):
        raise ValueError(f"constraint '{text}' cannot be read — {GRAMMAR}")
    left, right = (side for side in sides if side is not None)
    return Constraint(text=text, left=left, operator=match.group(2), right=right)


def _side(text: str) -> Side | None:
    match = _SIDE.fullmatch(text.strip())
    if match is None:
        return None
    if match.group("number") is not None:
        return Side(factor=float(match.group("number")))
    return Side(factor=float(match.group("factor") or 1.0), key=match.group("key"))


def broken(constraints: Sequence[Constraint], settings: Mapping[str, ParamValue]) -> Iterator[str]:
    """Yield the constraints that settings do not keep to, as the campaign words them."""
    for constraint in constraints:
        if not constraint.holds(settings):
            yield constraint.text


def idle(constraints: Sequence[Constraint], settings: Mapping[str, ParamValue]) -> Iterator[str]:
    """Yield the constraints that compare a setting that has no number here, so that they do nothing."""
    for constraint in constraints:
        if constraint.left.value(settings) is None or constraint.right.value(settings) is None:
            yield constraint.text
