"""How is text shown that somebody else wrote? Cleaned, cut, and between marks that say: this is data.

Campaign names, notes, reasons, tags, logs and the words of plugins reach a model only through here. What stands
between `<<` and `>>` is reported speech; the marks cannot be forged, since they are taken out of the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import Annotated

from pydantic import BeforeValidator

from vbotd.core.wording import clean

LONGEST_LINE, LONGEST_PROBLEM, LONGEST_BLOCK, MOST_LINES = 240, 600, 4_000, 60
_OPENING, _CLOSING = re.compile("<(?=<)"), re.compile(">(?=>)")
_PLAIN_TAG = re.compile(r"[a-z0-9_]{1,40}([/.][a-z0-9_]{1,40}){1,4}")


def fence(text: object, most: int = LONGEST_LINE) -> str:
    """Return foreign text on one line between the marks; nothing stays nothing."""
    line = _unmarked(clean(text, most))
    return f"<<{line}>>" if line else ""


def fence_block(text: object, most: int = LONGEST_BLOCK) -> str:
    """Return foreign text of several lines between the marks, its end rather than its beginning where it is long."""
    lines = [_clean_line(line) for line in str(text)[-4 * most:].splitlines()]
    kept = "\n".join(line for line in lines if line.strip())
    kept = "\n".join(kept[-most:].splitlines()[-MOST_LINES:])
    return f"<<{_unmarked(kept)}>>" if kept.strip() else ""


def show_tag(tag: str) -> str:
    """Return a metric's tag as it is where it is a plain name, else as foreign text."""
    return tag if _PLAIN_TAG.fullmatch(tag) else fence(tag, 80)


def _unmarked(text: str) -> str:
    return _CLOSING.sub("> ", _OPENING.sub("< ", text))


def _clean_line(line: str) -> str:
    return "".join(" " if char == "\t" else char for char in line
                   if char == "\t" or unicodedata.category(char)[0] != "C")[:LONGEST_LINE]


Data = Annotated[str, BeforeValidator(fence)]
Problem = Annotated[str, BeforeValidator(partial(fence, most=LONGEST_PROBLEM))]  # its advice stands at its end
Block = Annotated[str, BeforeValidator(fence_block)]
