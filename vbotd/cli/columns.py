"""How does a list look on a terminal, in a pipe and in a report? Columns of plain text, or a Markdown table."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

LEAST_LAST = 24  # characters that the last column keeps, however wide the others are


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return rows in columns under their heads; the last one is as long as it likes, or broken at `width`."""
    table = [tuple(head), *(tuple(row) for row in rows)]
    if width is not None:
        before = sum(max(len(row[n]) for row in table) + 2 for n in range(len(head) - 1))
        table = [line for row in table for line in _broken(row, max(width - before, LEAST_LAST))]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in table)


def _broken(row: Sequence[str], width: int) -> list[tuple[str, ...]]:
    """Return a row as lines whose last cell has at most `width` characters; a longer word stays whole."""
    first, *rest = textwrap.wrap(row[-1], width, break_long_words=False, break_on_hyphens=False) or [""]
    return [(*row[:-1], first), *((*[""] * (len(row) - 1), line) for line in rest)]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
