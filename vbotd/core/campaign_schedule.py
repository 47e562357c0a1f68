"""When may a campaign start? The three forms of a schedule and the deadline, checked without a clock.

`cron` is the one that bites: schedulers disagree on whether Sunday is 0, 1 or 7, and on whether a day of the month
and a weekday must both hold or either. What they disagree on is refused here, so that a file means one thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SHORTEST_EVERY_S = 60.0
LONGEST_EVERY_S = 366 * 86400.0


class BadTime(ValueError):
    """A time that cannot be understood; `fix` says what to write."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields of a cron line: its bounds, and the names that stand for numbers."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (_Field("minute", 0, 59), _Field("hour", 0, 23), _Field("day", 1, 31), _Field("month", 1, 12, MONTHS),
           _Field("weekday", 0, 6, WEEKDAYS))


def checked_cron(text: str) -> str:
    """Return a cron line in lower case with single spaces.

    Raises: BadTime where a field is wrong, or where schedulers would read it in different ways.
    """
    parts = text.lower().split()
    if len(parts) != 5:
        raise BadTime(f"has {len(parts)} fields — allowed: five (minute hour day month weekday)",
                      'as in "0 1 * * mon-fri"')
    allowed = [_values_of(part, field) for part, field in zip(parts, _FIELDS, strict=True)]
    if parts[2] != "*" and parts[4] != "*":
        raise BadTime("gives a day of the month and a weekday, and schedulers disagree whether both must hold"
                      " — allowed: one of the two", "write '*' for the other")
    days, months = allowed[2], allowed[3]
    if all(min(days) > _LONGEST_MONTH.get(month, 31) for month in months):
        raise BadTime(f"day {min(days)} never comes in {', '.join(MONTHS[month - 1] for month in sorted(months))}"
                      " — allowed: a day that the month has", "choose another day")
    return " ".join(parts)


def _values_of(text: str, field: _Field) -> set[int]:
    """Return the numbers that one field stands for."""
    values: set[int] = set()
    for item in text.split(","):
        base, slash, step = item.partition("/")
        low, high = _bounds(base, field)
        stride = 1
        if slash:
            # APScheduler refuses a step that is longer than its range, and a step after a single value.
            if not re.fullmatch(r"[0-9]{1,2}", step) or not 1 <= int(step) <= high - low:
                raise BadTime(f"has the step '{item}' in the {field.name} field "
                              " — allowed: a range and a step within it",
                              f"as in '*/{2 if field.high > 2 else 1}'")
            stride = int(step)
        values.update(range(low, high + 1, stride))
    return values


def _bounds(text: str, field: _Field) -> tuple[int, int]:
    if text == "*":
        return field.low, field.high
    first, dash, last = text.partition("-")
    low = _number(first, field)
    high = _number(last, field) if dash else low
    if low > high:
        raise BadTime(f"has the range '{text}' in the {field.name} field, which runs backwards"
                      " — allowed: first-last", f"write it as two, {first}-{_name(field.high, field)},"
                      f"{_name(field.low, field)}-{last}")
    return low, high


def _number(text: str, field: _Field) -> int:
    if text in field.words:
        return field.words.index(text) + field.low
    if field.name == "weekday":
        if text.isdigit():
            raise BadTime(f"has the digit '{text}' for a weekday, and schedulers disagree which day that is"
                          f" — allowed: {', '.join(WEEKDAYS)}", "write the name, as in 'mon-fri'")
    elif re.fullmatch(r"[0-9]{1,2}", text) and field.low <= int(text) <= field.high:
        return int(text)
    names = f" or {field.words[0]}..{field.words[-1]}" if field.words else ""
    allowed = ", ".join(WEEKDAYS) if field.name == "weekday" else f"{field.low}-{field.high}{names}"
    raise BadTime(f"has '{text[:20]}' in the {field.name} field — allowed: {allowed}, '*', lists and ranges of them",
                  'as in "0 1 * * mon-fri"')


def _name(value: int, field: _Field) -> str:
    return field.words[value - field.low] if field.words else str(value)


def seconds_of(text: str) -> float:
    """Return the seconds of a span of time such as `90m`, `6h` or `1.5d`."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhd])", text, re.ASCII)
    if match is None:
        raise BadTime("is not a span of time — allowed: a number and one of s, m, h, d", "as in 6h or 90m")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if not SHORTEST_EVERY_S <= seconds <= LONGEST_EVERY_S:
        raise BadTime("is out of range — allowed: from 1m to 366d", "as in 6h or 90m")
    return seconds


def moment_of(text: str) -> str:
    """Return a local date and time in ISO form, to the second, from `2026-11-24 01:00`."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?", text, re.ASCII):
        raise BadTime("is not a date and time — allowed: YYYY-MM-DD HH:MM, in the daemon's own time zone",
                      'as in "2026-11-24 01:00"')
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError as err:
        raise BadTime(f"is not in the calendar ({err}) — allowed: a day and a time that exist",
                      'as in "2026-11-24 01:00"') from err


def time_of_day(text: str) -> str:
    """Return a time of day, HH:MM, as it was given."""
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        return text
    short = re.fullmatch(r"[0-9]:[0-5][0-9]", text, re.ASCII)
    raise BadTime("is not a time of day — allowed: HH:MM from 00:00 to 23:59",
                  f'write "0{text}"' if short else 'as in "07:30"')
