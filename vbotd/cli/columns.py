"""How does a list look on a terminal, in a pipe and in a report? Columns of plain text, or a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns under their heads, the last one as long as it likes."""
    table = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in table)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
