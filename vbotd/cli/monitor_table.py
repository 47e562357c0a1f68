"""How does a run, or a campaign full of them, look as tables on a terminal?"""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vbotd.cli.checking import count
from vbotd.cli.progress import clock
from vbotd.cli.run_view import RunView
from vbotd.core.diagnosis_words import shares
from vbotd.core.health.watched import RETURN
from vbotd.core.trend import KeyMetric
from vbotd.domain.finding import Finding

ARROWS = {"up": "↑", "down": "↓", "flat": "→", "unknown": ""}
COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
MAX_FINDINGS_SHOWN = 12
BAR_CELLS = 20


def tables(views: Sequence[RunView]) -> RenderableType:
    """Return one run in full, several as a row each; what was found stands below."""
    # Everything from a file goes in as Text: a string would be read as markup.
    parts = [_facts(views[0]), *_series_tables(views[0])] if len(views) == 1 else [_rows(views)]
    return Group(*parts, *_findings(views))


def _facts(view: RunView) -> Table:
    seen = view.diagnosis
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_row("run", Text(view.name, style="bold"))
    table.add_row("state", Text(view.state))
    table.add_row("env steps", f"{count(seen.env_steps)} of {count(seen.total_env_steps)}, {_done(view)}")
    table.add_row("pace", f"{seen.env_steps_per_s:,.0f} env steps/s, {_left(view)} left")
    table.add_row("success lately", _success(view))
    return table


def _rows(views: Sequence[RunView]) -> Table:
    # What all names begin with is said once, so that a row fits into 80 columns.
    common = os.path.commonpath([view.name for view in views])
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(Text(f"run of {common}" if common else "run"), overflow="fold")
    table.add_column("state")
    for head in ("done", "steps/s", "left", "success", "return", "findings"):
        table.add_column(head, justify="right", no_wrap=True)
    for view in views:
        returns = next((metric.latest for metric in view.diagnosis.metrics if metric.tag == RETURN), None)
        name = view.name[len(common):].lstrip("/")
        table.add_row(Text(name), Text(view.state), _done(view), f"{view.diagnosis.env_steps_per_s:,.0f}",
                      _left(view), _success(view), number(returns), _tally(view.diagnosis.findings))
    return table


def _done(view: RunView) -> str:
    seen = view.diagnosis
    return f"{seen.env_steps / seen.total_env_steps:.0%}" if seen.total_env_steps else "-"


def _left(view: RunView) -> str:
    return "-" if view.has_ended or view.diagnosis.left_s is None else clock(view.diagnosis.left_s)


def _success(view: RunView) -> str:
    rate = view.diagnosis.success_rate
    return "-" if rate is None else f"{rate:.0%}"


def _tally(findings: Sequence[Finding]) -> Text:
    errors = sum(finding.level == "error" for finding in findings)
    if not findings:
        return Text("-", style="dim")
    return Text(str(len(findings)), style=COLOURS["error" if errors else "warning"])


def _series_tables(view: RunView) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if view.words:
        parts += [Text(""), Text(" ".join(view.words))]
    if view.diagnosis.metrics:
        parts += [Text(""), _series_table("key metrics", [(metric, "") for metric in view.diagnosis.metrics])]
    terms = shares(view.diagnosis.reward_terms)
    if terms:
        rows = [(term, f"{share:.0%} {'█' * round(BAR_CELLS * share)}") for term, share in terms]
        parts += [Text(""), _series_table("reward terms, per second", rows, last="share of all")]
    return parts


def _series_table(title: str, rows: Sequence[tuple[KeyMetric, str]], last: str = "") -> Table:
    """Return a line for each series; the last column, if it has a name, holds what comes with each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title, min_width=28)
    for head in ("first", "latest", "trend"):
        table.add_column(head, justify="right", min_width=9)
    if last:
        table.add_column(last, min_width=BAR_CELLS + 5)
    for metric, text in rows:
        table.add_row(Text(metric.tag.removeprefix("reward/")), number(metric.first), number(metric.latest),
                      ARROWS[metric.trend], *([Text(text)] if last else []))
    return table


def _findings(views: Sequence[RunView]) -> list[RenderableType]:
    lines = []
    for view in views:
        before = f"{view.name}: " if len(views) > 1 else ""
        for finding in view.diagnosis.findings:
            line = Text(f"{before}{finding.level}: {finding.message}", style=COLOURS[finding.level])
            lines.append(line.append(f" — {finding.fix}" if finding.fix else "", style="dim"))
        lines += [Text(f"{before}file: {trouble}", style=COLOURS["warning"]) for trouble in view.troubles]
    more = [Text(f"and {len(lines) - MAX_FINDINGS_SHOWN} more, see --json")] if len(lines) > MAX_FINDINGS_SHOWN else []
    return [Text(""), *lines[:MAX_FINDINGS_SHOWN], *more] if lines else []


def number(value: float | None) -> str:
    """Return a number with as many digits as a person reads."""
    return "-" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
