"""What does a plain YAML word mean? The core schema of YAML 1.2, and an error where 1.1 and 1.2 would disagree.

PyYAML resolves by YAML 1.1: `no` is False, `12:30` is 750 and `1e-4` is text. A campaign is written by people and
by language models that expect 1.2, so nothing of PyYAML's resolver is used.
"""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

# SQLite's INTEGER, and every JSON reader that keeps 64 bits. Digits are counted before int() sees them,
# since int() on a million digits takes minutes.
LARGEST_INT = 2**63 - 1
MOST_DIGITS = len(str(LARGEST_INT))

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)


class BadScalar(ValueError):
    """A scalar that may not stand in a campaign; `message` says what is allowed, `fix` what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def quoted(value: object, most: int = 60) -> str:
    """Return a value as an error message shows it: in quotes, on one line, cut after `most` characters."""
    text = value if isinstance(value, str) else repr(value)
    text = text[:most] + ("..." if len(text) > most else "")
    return "'" + "".join(char if char.isprintable() else repr(char)[1:-1] for char in text) + "'"


def plain_scalar(text: str) -> Scalar:
    """Return the value of an unquoted scalar.

    Raises: BadScalar for a number that is not finite, is too large, or could be read in two ways.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _whole_number(text)
    if _FLOAT.fullmatch(text):
        return _finite_number(text)
    if _NOT_FINITE.fullmatch(text):
        raise BadScalar(f"{quoted(text)} is not a number — allowed: finite numbers", "write a number")
    if _OTHER_BASE.fullmatch(text):
        raise BadScalar(f"{quoted(text)} is in another base — allowed: decimal numbers",
                        "write it in decimal, or in quotes if it is text")
    return text


def _whole_number(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0":
        raise BadScalar(f"{quoted(text)} starts with a zero, which some readers take for octal"
                        " — allowed: decimal numbers without leading zeros",
                        "drop the zeros, or put it in quotes if it is text")
    if len(digits) > MOST_DIGITS or abs(int(digits)) > LARGEST_INT:
        raise BadScalar(f"{quoted(text, 24)} is too large ({len(digits)} digits)"
                        " — allowed: whole numbers up to 9223372036854775807", "write a smaller number")
    return int(text)


def _finite_number(text: str) -> float:
    number = float(text) if len(text) <= 400 else math.inf
    if not math.isfinite(number):
        raise BadScalar(f"{quoted(text, 24)} is too large — allowed: finite numbers, up to 1.7e308",
                        "write a smaller number")
    return number
