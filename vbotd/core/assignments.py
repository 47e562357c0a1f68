"""How are settings written in one line? As `key=value`, the value read as a campaign file would."""

from __future__ import annotations

from collections.abc import Iterable

from vbotd.core.yaml_scalar import BadScalar, Scalar, plain_scalar
from vbotd.domain.task import ParamValue


class BadAssignment(ValueError):
    """A text that is no setting; the message says why and what would be one."""


def parse_assignments(texts: Iterable[str]) -> dict[str, ParamValue]:
    """Return the settings in `key=value` texts; `[a, b]` is a tuple of numbers, `1e-4` a number, `no` a word.

    Raises: BadAssignment for a text without `=`, a key that comes twice, or what is no value.
    """
    settings: dict[str, ParamValue] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise BadAssignment(f"'{text}' is not a setting — write KEY=VALUE, such as ppo.learning_rate=5e-4")
        if key in settings:
            raise BadAssignment(f"'{key}' is given twice — once is enough")
        settings[key] = _value(value.strip())
    return settings


def _value(text: str) -> ParamValue:
    if text.startswith("[") and text.endswith("]"):
        return tuple(_number(part.strip(), text) for part in text[1:-1].split(",") if part.strip())
    value = _scalar(text)
    if value is None:
        raise BadAssignment(f"'{text}' is no value — a setting is a number, true, false, a word or [a, b]")
    return value


def _number(part: str, whole: str) -> float:
    value = _scalar(part)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadAssignment(f"'{whole}' holds '{part}' — a list holds numbers")
    return value


def _scalar(text: str) -> Scalar:
    try:
        return plain_scalar(text)
    except BadScalar as err:
        raise BadAssignment(f"{err.message} — {err.fix}") from err
