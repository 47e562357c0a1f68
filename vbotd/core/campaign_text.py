"""What does a good first campaign for a task look like? The commented file that `vbotd new` writes.

Loads no pydantic, so that the verb starts at once; the tests parse what comes out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from vbotd.domain.task import ParamCard, ParamValue, TaskCard

SCHEMA = "../../schemas/campaign.schema.json"  # as seen from state/inbox/
MOST_SEARCHED = 4
# A first search looks a third of a decade to either side of the default, or half of it; the card bounds it.
_LOG_SPAN = 3.0
_LINEAR_SHARE = 0.5


def template(task: TaskCard | str, *, hours: float, trials: int, name: str, seed: int,
             schema: str = SCHEMA, fixed: Mapping[str, ParamValue] | None = None, origin: str = "") -> str:
    """Return a commented campaign that parses.

    Args:
        task: the task's card, or only its name; without a card nothing is searched but the learning rate.
        hours, trials: the budget.
        name: the campaign's name; what may not stand in one becomes '-'.
        seed: the first run seed.
        schema: where an editor finds the JSON Schema, relative to the file.
        fixed, origin: settings to begin with, and what they are called; the search looks around them.
    """
    card = task if isinstance(task, TaskCard) else None
    if card and fixed:
        card = replace(card, params=tuple(replace(p, default=fixed.get(p.key, p.default)) for p in card.params))
    lines = [f"# yaml-language-server: $schema={schema}", *_head(card.name if card else str(task), name, card)]
    lines += _budget(hours, trials, card, seed)
    chosen = _chosen(card, trials)
    lines += _search(card, chosen)
    lines += _gate(card)
    if card and fixed:
        lines += _fixed(card, fixed, {entry[0].key for entry in chosen}, origin)
    lines += _further(None if fixed else card)
    return "\n".join(lines) + "\n"


def label_from(text: str) -> str:
    """Return the nearest text that may be a campaign's name."""
    label = re.sub(r"[^a-z0-9._-]+", "-", text.lower())
    label = re.sub(r"\.{2,}", ".", label).lstrip("._-")[:63]
    return label or "campaign"


def _head(task: str, name: str, card: TaskCard | None) -> Iterator[str]:
    yield "# Every key: docs/CAMPAIGN.md. Check it with 'vbotd check FILE', hand it in with 'vbotd submit FILE'."
    yield "version: 1"
    yield f"name: {_text(label_from(name))}"
    if card and card.summary:
        yield f"# {_one_line(card.summary)}"
    yield f"task: {task}"
    yield ""
    yield "# Who proposes, changes and judges trials, in this order. See 'vbotd plugins'."
    yield "skills: [hp-search]"
    yield ""


def _budget(hours: float, trials: int, card: TaskCard | None, seed: int) -> Iterator[str]:
    yield "# The first limit that is met ends the campaign. 'env_steps: 400e6' would be a third one."
    yield f"budget: {{hours: {_number(hours)}, trials: {trials}}}"
    yield '# deadline: "07:30"    # or a time of day by which it is over'
    yield ""
    yield "# One trial: how long it trains, how many environments at once, and its first seed."
    env_steps, num_envs = (card.env_steps, card.num_envs) if card else (2_000_000, 1024)
    yield f"train: {{env_steps: {_number(env_steps)}, num_envs: {num_envs}, seed: {seed}}}"
    yield "# Held-out episodes that score a trial; as many fresh ones confirm the champion."
    yield "evaluate: {episodes: 256}"
    yield ""


def _chosen(card: TaskCard | None, trials: int) -> list[tuple[ParamCard, str, float, float]]:
    """Return what a first search of so many trials varies, and in which form and between which ends."""
    ranges = [(param, *span) for param in (card.params if card else ()) if (span := _span(param))]
    return _best_first(ranges)[:max(1, min(MOST_SEARCHED, trials // 2))]


def _search(card: TaskCard | None, chosen: list[tuple[ParamCard, str, float, float]]) -> Iterator[str]:
    yield "# What may vary, and within what: {uniform: [low, high]}, {log: [low, high]}, {int: [low, high]} or"
    yield f"# {{choice: [a, b]}}. What there is: 'vbotd tasks {card.name if card else 'NAME'}'."
    yield "search:"
    yield "  space:"
    if not chosen:
        yield "    ppo.learning_rate: {log: [1e-4, 1e-3]}"
    for param, form, low, high in chosen:
        default = f"default {_number(param.default)}{' ' + param.unit if param.unit else ''}" \
            if isinstance(param.default, int | float) else ""
        note = "; ".join(part for part in (_one_line(param.summary), default) if part)
        yield f"    {param.key}: {{{form}: [{_number(low)}, {_number(high)}]}}" + (f"    # {note}" if note else "")


def _span(param: ParamCard) -> tuple[str, float, float] | None:
    """Return the form and the ends of a sensible first search of a setting; None where it is not for searching."""
    default = param.default
    if param.scale == "fixed" or param.choices or isinstance(default, bool) or not isinstance(default, int | float):
        return None
    bottom = -math.inf if param.low is None else param.low
    top = math.inf if param.high is None else param.high
    low, high = 0.0, 0.0
    if param.search and param.search[0] <= default <= param.search[1]:
        return ("uniform", *param.search)
    if isinstance(default, int):
        steps = max(1, abs(default) // 2)
        low, high = max(bottom, default - steps), min(top, default + steps)
        return ("int", low, high) if low < high else None
    if param.scale == "log" and default > 0:
        low, high = max(bottom, default / _LOG_SPAN), min(top, default * _LOG_SPAN)
        low, high = _rounded(low, bottom, top), _rounded(high, bottom, top)
        return ("log", low, high) if 0 < low < high else None
    reach = _LINEAR_SHARE * abs(default)
    # Where the default is near a bound, as a discount of 0.99 is, half of it would leave what makes sense.
    reach = min(reach, *(abs(default - end) for end in (bottom, top) if math.isfinite(end) and end not in (default, 0)),
                math.inf)
    low, high = _rounded(max(bottom, default - reach), bottom, top), _rounded(min(top, default + reach), bottom, top)
    return ("uniform", low, high) if low < high else None


def _best_first(ranges: list[tuple[ParamCard, str, float, float]]) -> list[tuple[ParamCard, str, float, float]]:
    """Return the learning rate first, then rewards and the rest by turns, each in the order of the card."""
    rate = [entry for entry in ranges if entry[0].key == "ppo.learning_rate"]
    rewards = [entry for entry in ranges if entry[0].key.startswith("reward.")]
    rest = [entry for entry in ranges if entry not in rate and entry not in rewards]
    return rate + rewards[:2] + rest[:1] + rewards[2:] + rest[1:]


def _gate(card: TaskCard | None) -> Iterator[str]:
    yield ""
    yield "# The campaign has reached its aim when the unlucky end of the champion's 95 % interval passes this."
    tag, sign, value = "eval/success_rate", ">=", "0.9"
    if card and (card.metric.direction == "min" or card.metric.unit != "rate"):
        yield f"# gate: {{{card.metric.tag}: \"{'<=' if card.metric.direction == 'min' else '>='} NUMBER\"}}"
        return
    yield f'gate: {{{card.metric.tag if card else tag}: "{sign} {value}"}}'


def _fixed(card: TaskCard, fixed: Mapping[str, ParamValue], searched: Collection[str], origin: str) -> Iterator[str]:
    """Write settings as blocks, those that are searched as a remark."""
    yield ""
    yield f"# Fixed settings, for every trial: {origin}. A setting is either fixed or searched."
    for group in ("env", "ppo", "reward"):
        yield f"{group}:"
        for param in card.params:
            if param.key in fixed and param.key.startswith(f"{group}."):
                line = f"{param.key.removeprefix(group + '.')}: {_value(param)}"
                yield f"  # {line}    # searched" if param.key in searched else f"  {line}"


def _further(card: TaskCard | None) -> Iterator[str]:
    yield ""
    if card:
        yield "# Fixed settings, for every trial; a setting is either fixed or searched."
    shown: set[str] = set()
    for param in card.params if card else ():
        group, _, name = param.key.partition(".")
        if group not in shown and param.scale == "fixed":
            shown.add(group)
            yield f"# {group}: {{{name}: {_value(param)}}}"
    if not shown and card:
        yield "# ppo: {gamma: 0.99}"
    yield '# allow: [reward-budget]              # findings of the health rules to overrule, by name'
    yield '# schedule: {cron: "0 1 * * mon-fri"}  # or at: "2026-11-24 01:00", or every: 6h'
    yield '# note: why this campaign is run'


def _value(param: ParamCard) -> str:
    default = param.default
    if isinstance(default, tuple):
        return "[" + ", ".join(_number(number) for number in default) + "]"
    if isinstance(default, bool):
        return str(default).lower()
    return _number(default) if isinstance(default, int | float) else _text(default)


def _rounded(number: float, bottom: float, top: float) -> float:
    """Return a number with two digits, kept between the bounds."""
    return min(top, max(bottom, float(f"{number:.2g}")))


def _number(number: float) -> str:
    """Return a number as a person writes it, and as exactly."""
    millions = f"{number / 1e6:g}"
    if abs(number) >= 1e5 and "e" not in millions and float(millions + "e6") == number:
        return millions + "e6"
    short = f"{number:g}"
    return re.sub(r"e([-+])0(\d)", r"e\1\2", short if float(short) == number else repr(number))


def _text(text: str) -> str:
    """Return a text, in quotes where YAML would take it for something else."""
    plain = re.fullmatch(r"[a-z][a-z0-9_-]*", text) and text not in ("null", "true", "false")
    return text if plain else f'"{text}"'


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
