"""How does all about a task look as text and as Markdown? Titled tables, made once from its card and its reference."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vbotd.cli.columns import columns, markdown_table
from vbotd.domain.reference import ObservationRow, Range, RouteRow, TaskReference, TermRow
from vbotd.domain.task import ParamCard, ParamValue, TaskCard

WIDTH = 116
INDENT = "  "
SETTINGS_HEAD = ("key", "default", "allowed", "unit", "what it is")
GROUPS = {"env": "settings of the task", "ppo": "settings of the learner", "reward": "weights of the reward terms"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table under a title, with sentences above it. `is_list`: as text its rows are blocks, not columns."""

    title: str
    lead: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    is_list: bool = False

    def text(self) -> str:
        """Return it as plain text of at most `WIDTH` columns."""
        blocks = self._blocks() if self.is_list else [columns(self.head, self.rows, WIDTH - 2)] if self.rows else []
        lines = [line for sentence in self.lead for line in textwrap.wrap(sentence, WIDTH - 2)]
        lines += [line for block in blocks for line in block.split("\n")]
        return "\n".join([self.title, *(f"{INDENT}{line}".rstrip() for line in lines)])

    def markdown(self) -> str:
        """Return it as Markdown, without the title."""
        parts = ["\n".join(self.lead)] if self.lead else []
        if self.rows:
            parts.append(markdown_table(self.head, [(f"`{row[0]}`", *row[1:]) for row in self.rows]))
        return "\n\n".join(parts)

    def _blocks(self) -> list[str]:
        return ["\n".join([*textwrap.wrap(f"{row[0]}: {row[1]}", WIDTH - 2, subsequent_indent=INDENT),
                           *(line for name, cell in zip(self.head[2:], row[2:], strict=True)
                             for line in textwrap.wrap(f"{name + ':':<17}{cell}", WIDTH - 2, initial_indent=INDENT,
                                                       subsequent_indent=" " * 19, break_on_hyphens=False))])
                for row in self.rows]


def tables(card: TaskCard, reference: TaskReference | None) -> list[Table]:
    """Return all tables about a task; without a reference its settings alone."""
    if reference is None:
        return [table for group in ("ppo", "env", "reward") for table in _settings(card, group)]
    return [
        _observation(reference), *_terms(reference), _endings(reference), _terrain(reference),
        Table(title="scoring", lead=reference.scoring), *map(_route, reference.routes), _exploits(reference),
        *_settings(card, "env"), *_settings(card, "ppo"),
    ]


def text_of(card: TaskCard, facts: Sequence[str], reference: TaskReference | None) -> str:
    """Return everything about one task as plain text."""
    head = textwrap.wrap(f"{card.name}: {card.summary}", WIDTH, break_on_hyphens=False)
    return "\n\n".join(["\n".join(head), "\n".join(f"{INDENT}{fact}" for fact in facts),
                        *(table.text() for table in tables(card, reference))])


def markdown_of(card: TaskCard, facts: Sequence[str], reference: TaskReference | None,
                seen: dict[tuple[str, str], str]) -> str:
    """Return everything about one task as a Markdown section.

    `seen` holds the tables of the tasks before it on the same page: what is the same again is a link.
    """
    parts = [f"## {card.name}", card.summary, "\n".join(f"- {fact}" for fact in facts)]
    for table in tables(card, reference):
        body = table.markdown()
        first = seen.setdefault((table.title, body), card.name)
        same = first != card.name and table.rows
        parts += [f"### {table.title}", f"As in [{first}](#{first})." if same else body]
    return "\n\n".join(parts) + "\n"


def value_text(value: ParamValue) -> str:
    """Return a value as a campaign file would hold it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(f"{part:g}" for part in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _observation(reference: TaskReference) -> Table:
    rows = reference.observation
    size = sum(row.size for row in rows)
    without = {row.switch: size - row.size for row in rows if row.switch}
    blind = "".join(f", {count} with {switch}: false" for switch, count in without.items())
    return Table(
        title=f"observation: float32 [{size}]{blind}",
        lead=("The unit is what the value 1 means; noise is the largest error at env.obs_noise: 1.",
              f"Action: {reference.action}."),
        head=("name", "shape", "columns", "unit", "noise", "what it is"),
        rows=tuple((row.name, f"[{row.size}]", _columns_text(row), row.unit or "1",
                    f"{row.noise:g}" if row.noise else "-", row.summary) for row in rows))


def _columns_text(row: ObservationRow) -> str:
    return f"{row.first}-{row.first + row.size - 1}" if row.size > 1 else f"{row.first}"


def _terms(reference: TaskReference) -> Iterable[Table]:
    paid = [term for term in reference.terms if term.default]
    silent = [term for term in reference.terms if not term.default]
    yield Table(
        title=f"reward terms: {len(paid)}",
        lead=("Keys are reward.NAME. The weight of a _reward or _cost is per second, of a _progress per unit, of an "
              "_event each time.",),
        head=("term", "weight", "allowed", "search", "what is measured"),
        rows=tuple((term.name, f"{term.default:g}", _range(term.allowed), _search(term), term.summary)
                   for term in paid))
    if silent:
        yield Table(
            title=f"terms of the predecessor: {len(silent)}, weight 0 by default",
            lead=("They cost nothing while their weight is 0.",),
            head=("term", "allowed", "search", "what is measured"),
            rows=tuple((term.name, _range(term.allowed), _search(term), term.summary) for term in silent))


def _endings(reference: TaskReference) -> Table:
    return Table(title="endings of an episode", lead=("A time-out is no termination: what would follow still counts.",),
                 head=("ending", "counts as", "when"),
                 rows=tuple((ending.name, ending.kind, ending.summary) for ending in reference.endings))


def _terrain(reference: TaskReference) -> Table:
    return Table(title="terrain", lead=reference.ground, head=("part", "shape", "x, m", "y, m", "top, m", "details"),
                 rows=tuple((row.name, row.shape, _range(row.x), _range(row.y), _range(row.top), row.summary)
                            for row in reference.terrain))


def _route(route: RouteRow) -> Table:
    chosen = f", with {route.setting}" if route.setting else ""
    counted = sum(way.is_counted for way in route.waypoints)
    return Table(
        title=f"route {route.name}: {route.points:g} points{chosen}",
        lead=(f"{counted} waypoints count. Places of one step may be reached in any order.",),
        head=("place", "step", "x, y", "points", "waypoint", "reached within"),
        rows=tuple((way.name, str(way.step), f"{way.xy[0]:g}, {way.xy[1]:g}", f"{way.points:g}",
                    "yes" if way.is_counted else "no", way.within) for way in route.waypoints))


def _exploits(reference: TaskReference) -> Table:
    rows = tuple((exploit.name, exploit.summary, _comes_back(exploit.settings, exploit.preset), exploit.shows,
                  exploit.guard) for exploit in reference.exploits)
    found = "Found by policies of the predecessor. 'vbotd audit' looks for those whose guard names a rule of it."
    return Table(title=f"known exploits: {len(rows)}", head=("exploit", "how", "comes back with", "shows", "guard"),
                 lead=(found if rows else "None of those found so far can occur here.",), rows=rows, is_list=True)


def _comes_back(settings: Sequence[str], preset: str) -> str:
    return (", ".join(settings) or "nothing") + (f"; preset {preset}" if preset else "")


def _settings(card: TaskCard, group: str) -> list[Table]:
    rows = tuple(_setting(param) for param in card.params if param.key.startswith(f"{group}."))
    return [Table(title=GROUPS[group], head=SETTINGS_HEAD, rows=rows)] if rows else []


def _setting(param: ParamCard) -> tuple[str, ...]:
    judged = "" if param.evaluated_as is None else f"; an evaluation takes {value_text(param.evaluated_as)}"
    return param.key, value_text(param.default), _allowed(param), param.unit, param.summary + judged


def _allowed(param: ParamCard) -> str:
    if isinstance(param.default, bool):
        return "true, false"
    if param.choices:
        return ", ".join(value_text(choice) for choice in param.choices)
    if param.low is None and param.high is None:
        return "any"
    if param.high is None:
        return f">= {param.low:g}"
    if param.low is None:
        return f"<= {param.high:g}"
    searched = f", search {param.search[0]:g} to {param.search[1]:g}" if param.search else ""
    return f"{param.low:g} to {param.high:g}" + (", log" if param.scale == "log" else "") + searched


def _search(term: TermRow) -> str:
    return _range(term.search) if term.search else "-"


def _range(limits: Range | None) -> str:
    if limits is None:
        return "endless"
    return f"{limits[0]:g}" if limits[0] == limits[1] else f"{limits[0]:g} to {limits[1]:g}"
