"""How is a problem of a campaign file told? Where it stands, the value, what is allowed, what to do.

Pydantic's errors are put into the house's words here, and every trouble gets its line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pydantic_core import ErrorDetails

from vbotd.core.campaign_rules import Trouble, did_you_mean
from vbotd.core.campaign_schema import in_words, listed, schema_at
from vbotd.core.yaml_guard import Tree, dotted
from vbotd.core.yaml_scalar import quoted
from vbotd.domain.finding import Problem

# A person fixes a few and looks again; the event that keeps a refusal stays small.
MAX_PROBLEMS = 50
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z][\w./-]*")


def trouble_of(error: ErrorDetails) -> Trouble:
    """Return an error of pydantic in the house's words."""
    path, kind, value = tuple(error["loc"]), error["type"], error["input"]
    if kind == "campaign":
        return Trouble(path=path, message=error["ctx"]["message"], fix=error["ctx"]["fix"])
    if kind == "extra_forbidden":
        names = [*schema_at(path[:-1]).get("properties", {})]
        return Trouble(path=path, on_key=True, fix=_moved_key(str(path[-1]), names),
                       message=f"there is no key {quoted(path[-1])} here — allowed: {listed(names)}")
    schema = schema_at(path)
    examples = schema.get("examples", ())
    if kind == "missing":
        return Trouble(path=path, on_key=True, message=f"the key is missing — allowed: {in_words(schema)}",
                       fix=f"add it, as in '{path[-1]}: {flow(examples[0])}'" if examples else "add it")
    return Trouble(path=path, message=f"{_shown(value)} {_what_is_wrong(kind)} — allowed: {in_words(schema)}",
                   fix=f"as in {flow(examples[0])}" if examples else "")


def _moved_key(key: str, names: list[str]) -> str:
    """Return what to do about a key that is not known where it stands."""
    near = did_you_mean(key, names, "")
    if near:
        return near
    if len(key) <= 80:
        for holder in ("budget", "train", "evaluate", "search", "schedule"):
            if key in schema_at((holder,)).get("properties", {}) and key not in names:
                return f"it belongs under '{holder}'"
        if key in schema_at(()).get("properties", {}):
            return "it belongs at the start of a line, at the top level"
    return "delete it"


def _what_is_wrong(kind: str) -> str:
    if kind.startswith(("greater_than", "less_than")):
        return "is out of range"
    if kind in ("too_short", "too_long"):
        return f"has too {'few' if kind == 'too_short' else 'many'} entries"
    if kind == "string_too_long":
        return "is too long"
    return {"string_pattern_mismatch": "has a character that may not be there",
            "literal_error": "is not a version that this vbotd reads"}.get(kind, "is of the wrong kind")


def kind_of(value: object) -> str:
    if value is None:
        return "nothing"
    words = ((dict, "a mapping"), (list, "a list"), (str, "a text"))
    return next((word for kind, word in words if isinstance(value, kind)), "a single value")


def _shown(value: object) -> str:
    if isinstance(value, dict | list) and len(value) > 4:
        return f"{kind_of(value)} of {len(value)}"
    return quoted(value if isinstance(value, str) else flow(value))


def flow(value: object) -> str:
    """Return a value the way YAML writes it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if _NEEDS_NO_QUOTES.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return number_text(value) if isinstance(value, int | float) else str(value)


def number_text(number: float) -> str:
    """Return a number in the short form that a person would write: `20e6`, `1e-4`, `0.95`."""
    if isinstance(number, int) or number.is_integer():
        millions = f"{number / 1e6:g}"
        is_short = abs(number) >= 1e6 and "e" not in millions and float(millions + "e6") == number
        return millions + "e6" if is_short else str(int(number))
    if 0 < abs(number) < 1e-3:
        digits, _, power = f"{number:.6e}".partition("e")
        short = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    else:
        short = f"{number:g}"
    return short if float(short) == number else repr(number)


def problem_at(trouble: Trouble, tree: Tree) -> Problem:
    """Place a trouble in the file: at its key or value, or at the nearest thing above that the file has."""
    path = trouble.path
    place = (tree.keys if trouble.on_key else tree.values).get(path)
    while place is None and path:
        path = path[:-1]
        place = tree.keys.get(path)
    line, column = place or (1, 1)
    return Problem(line=line, column=column, where=dotted(trouble.path), message=trouble.message, fix=trouble.fix)


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return the problems as a reader meets them, each once, and no more than can be read."""
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column, problem.where))
    if len(ordered) <= MAX_PROBLEMS:
        return tuple(ordered)
    last = ordered[MAX_PROBLEMS - 1]
    more = Problem(line=last.line, column=last.column, where="", fix="mend those above first",
                   message=f"{len(ordered) - MAX_PROBLEMS + 1} further problems are not shown")
    return (*ordered[:MAX_PROBLEMS - 1], more)
