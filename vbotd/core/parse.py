"""Is this file a campaign? From bytes to a Campaign, or to every problem that the file has.

Three sieves, and what one of them takes out the next does not complain about: the guard on the YAML events, the
models of `campaign_file`, the rules on what must go together. A file is data: it can name no code, no path and no
endpoint, since the grammar has no key for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vbotd.core.campaign_build import campaign_from
from vbotd.core.campaign_cards import ALL_RULES
from vbotd.core.campaign_file import CampaignFile
from vbotd.core.campaign_problems import MAX_PROBLEMS, in_order, kind_of, problem_at, trouble_of
from vbotd.core.campaign_rules import Known, Trouble
from vbotd.core.campaign_schema import in_words, schema_at
from vbotd.core.yaml_guard import Path, Tree, read_tree
from vbotd.domain.campaign import Campaign
from vbotd.domain.finding import Problem
from vbotd.domain.skill import SkillCard
from vbotd.domain.task import TaskCard

# Required keys, as they are assumed where a file lacks them or has them wrong, so that the rest can be checked.
_ASSUMED = {"version": 1, "name": "unnamed", "from": "unnamed"}
_GONE = object()


def parse_campaign(data: bytes, *, tasks: Mapping[str, TaskCard] | None,
                   skills: Mapping[str, SkillCard] | None) -> Campaign | tuple[Problem, ...]:
    """Return the campaign that a file holds, or all its problems in the order of their lines. Never raises.

    Args:
        data: the bytes of the file.
        tasks, skills: what the plugins offer. None: not known yet, so no name and no value is held against a card.
    """
    tree = read_tree(data)
    if not tree.complete:
        return in_order(list(tree.problems))
    if not isinstance(tree.value, dict):
        wrong = Trouble(path=(), message=f"the file holds {kind_of(tree.value)} — allowed: a mapping of keys to values",
                        fix="start with 'vbotd new'")
        return in_order([*tree.problems, problem_at(wrong, tree)])
    known = Known(tasks=tasks, skills=skills)
    file, troubles = _checked(tree, known)
    problems = [*tree.problems, *(problem_at(trouble, tree) for trouble in troubles)]
    if problems or file is None:
        return in_order(problems)
    return campaign_from(file, tasks or {})


def _checked(tree: Tree, known: Known) -> tuple[CampaignFile | None, list[Trouble]]:
    """Return the file without its broken parts, and the trouble with them and with what is left."""
    empty = tuple(_empty_values(tree.value, (), tree.broken))
    troubles = [_empty_trouble(path) for path in empty]
    broken: set[Path] = {*tree.broken, *empty}
    draft = _without(tree.value, broken)
    file = None
    for attempt in range(64):  # every pass takes something out; a file of this grammar is less deep than this
        try:
            file = CampaignFile.model_validate(draft)
            break
        except ValidationError as err:
            errors = err.errors(include_url=False)
        if attempt == 0:
            fresh = [error for error in errors if not _is_explained(error, broken)]
            troubles += [trouble_of(error) for error in fresh[:4 * MAX_PROBLEMS]]
            broken |= {tuple(error["loc"]) for error in errors}
        draft = _repaired(draft, errors)
    if file is not None:
        troubles += _rule_troubles(file, known, broken)
    return file, troubles


def _rule_troubles(file: CampaignFile, known: Known, broken: set[Path]) -> Iterator[Trouble]:
    damaged = {path[0] for path in broken if path}
    for rule, needs in ALL_RULES:
        if not damaged.intersection(needs):
            yield from (trouble for trouble in rule(file, known)
                        if not any(_is_related(trouble.path, path) for path in broken))


def _is_related(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _is_explained(error: ErrorDetails, broken: set[Path]) -> bool:
    """Say whether an error only repeats what was said about a value that was taken out."""
    loc = tuple(error["loc"])
    return any(loc[:len(path)] == path or (error["type"] == "campaign" and path[:len(loc)] == loc) for path in broken)


def _empty_values(value: Any, path: Path, broken: frozenset[Path]) -> Iterator[Path]:
    """Yield the places of the grammar that were left empty; the options of a skill are its own affair."""
    if path[:1] == ("skills",) and len(path) > 1:
        return
    if value is None and path not in broken and schema_at(path):  # an unknown key is told as such
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _empty_values(inner, (*path, key), broken)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _empty_values(inner, (*path, index), broken)


def _empty_trouble(path: Path) -> Trouble:
    return Trouble(path=path, message=f"has no value — allowed: {in_words(schema_at(path))}",
                   fix="fill it in, or delete the line")


def _without(value: Any, broken: set[Path], path: Path = ()) -> Any:
    """Return a copy of the tree without what is broken; a list with a broken item goes as a whole."""
    if isinstance(value, dict):
        inner = {key: _without(item, broken, (*path, key)) for key, item in value.items() if (*path, key) not in broken}
        return {key: item for key, item in inner.items() if item is not _GONE}
    if isinstance(value, list):
        if any((*path, index) in broken for index in range(len(value))):
            return _GONE
        return [_without(item, broken, (*path, index)) for index, item in enumerate(value)]
    return value


def _repaired(draft: Any, errors: list[ErrorDetails]) -> Any:
    """Return the draft without what pydantic minds, and with what it misses assumed."""
    missing = [tuple(error["loc"]) for error in errors if error["type"] == "missing"]
    gone = {_taken_out(tuple(error["loc"])) for error in errors if error["type"] != "missing"}
    gone |= {_taken_out(path[:-1]) for path in missing if path[-1] not in _ASSUMED}
    repaired = _without(draft, gone) if () not in gone else {}
    for path in missing:
        holder = repaired
        for part in path[:-1]:
            fits = isinstance(holder, dict) and part in holder
            fits = fits or (isinstance(holder, list) and isinstance(part, int) and part < len(holder))
            holder = holder[part] if fits else None
        if isinstance(holder, dict) and path[-1] in _ASSUMED:
            holder[path[-1]] = _ASSUMED[str(path[-1])]
    return repaired


def _taken_out(path: Path) -> Path:
    """Return the part to drop for a broken path: the list, where an item is broken, so that no index moves."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path
