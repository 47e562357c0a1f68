"""How are numbers, times and foreign text written for people? The same everywhere: reports, tables, logs.

The rule this protects: text from users, plugins, models and logs is data. It is printed without control
characters, and in Markdown it makes no link, no image, no heading and no HTML.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

from vbotd.domain.metric import Measurement

LONGEST_TEXT = 200

_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}):(?=//)")
_WWW = re.compile(r"(?i)\bwww\.")
_MARKS = re.compile(r"([\\`*\[<|~])")
_OUTER_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# What a line must not begin with: it would be a heading, a rule, a list or a quotation of ours.
_BLOCK = re.compile(r"^([#>+=-]|\d{1,9}(?=[.)]))")


def clean(text: object, most: int = LONGEST_TEXT) -> str:
    """Return foreign text on one line, without control or invisible characters, cut after `most` characters."""
    # Cut first: a log line of a megabyte is not walked through.
    raw = str(text)[: most * 8]
    shown = raw if raw.isprintable() else "".join(
        " " if char.isspace() else char for char in raw if char.isspace() or unicodedata.category(char)[0] != "C")
    line = " ".join(shown.split())
    return line if len(line) <= most else line[: max(0, most - 1)].rstrip() + "…"


def escaped(text: object, most: int = LONGEST_TEXT) -> str:
    """Return foreign text as Markdown that shows as the text itself, safe in a table cell too."""
    line = _defused(clean(text, most))
    line = _OUTER_UNDERSCORE.sub(r"\\_", _MARKS.sub(r"\\\1", line))
    return _BLOCK.sub(lambda match: f"{match[1]}\\" if match[1].isdigit() else f"\\{match[1]}", line)


def code(text: object, most: int = LONGEST_TEXT) -> str:
    """Return an identifier as inline code, safe in a table cell too."""
    line = clean(text, most).replace("`", "'").replace("|", "¦")
    return f"`{line}`" if line else "``"


def markdown_line(text: object, most: int = LONGEST_TEXT) -> str:
    """Return a line of a plugin's own Markdown: emphasis and tables stay, links, images, HTML and headings do not."""
    line = _defused(clean(text, most)).replace("[", "\\[").replace("<", "\\<")
    line = line.replace("```", "'''").replace("~~~", "'''")
    if re.match(r"^(#|={1,}$|-{2,}$)", line):
        line = "\\" + line
    return line


def _defused(line: str) -> str:
    """Break what a Markdown viewer would turn into a link by itself."""
    return _WWW.sub("www ", _URL.sub(r"\1: ", line)).replace("@", "(at)")


def is_rate(tag: str) -> bool:
    """Say whether a metric is a share in 0-1, which people read in percent (`_rate` by the house's naming)."""
    return tag.endswith("_rate")


def number(value: float, tag: str = "") -> str:
    """Return a measured value: a rate in percent with one decimal, anything else with four digits."""
    if not math.isfinite(value):
        return "not a number"
    return f"{value * 100:.1f} %" if is_rate(tag) else f"{value:.4g}"


def interval(measured: Measurement, tag: str = "") -> str:
    """Return the 95 % interval of a measurement, as in '96.1-99.4 %'."""
    if is_rate(tag) and math.isfinite(measured.low) and math.isfinite(measured.high):
        return f"{measured.low * 100:.1f}-{measured.high * 100:.1f} %"
    return f"{number(measured.low)} to {number(measured.high)}"


def count(value: float) -> str:
    """Return a whole number with its thousands set apart, as in '1,500,000'."""
    return f"{value:,.0f}" if math.isfinite(value) else "not a number"


def counted(value: int, one: str, many: str = "") -> str:
    """Return a number with its noun in the right form, as in '1 trial' and '2 trials'."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """Return a length of time in the unit that people would use: '12 s', '4 min', '3.2 h', '2.5 days'."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def when(at: float | None, utc_offset_s: float = 0.0, form: str = "%Y-%m-%d %H:%M") -> str:
    """Return an epoch time as a date and time of a zone that lies so many seconds before or behind UTC."""
    if at is None:
        return "?"
    try:
        zone = timezone(timedelta(seconds=utc_offset_s)) if utc_offset_s else UTC
        return datetime.fromtimestamp(at, zone).strftime(form)
    except (ValueError, OverflowError, OSError):
        return "?"


def zone_name(utc_offset_s: float) -> str:
    """Return the name of a zone by its distance, as in 'UTC' or 'UTC+01:00'."""
    if not utc_offset_s or not abs(utc_offset_s) < 86_400:
        return "UTC"
    minutes = round(abs(utc_offset_s) / 60)
    return f"UTC{'+' if utc_offset_s > 0 else '-'}{minutes // 60:02d}:{minutes % 60:02d}"


def setting(value: object) -> str:
    """Return the value of a setting as a campaign file would have it, numbers in four digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    return clean(value, 60)
