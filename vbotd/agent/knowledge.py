"""What is a task, which rewards were tried, and could this campaign run? What an agent reads before it proposes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any, Literal

import yaml
from pydantic import Field

from vbotd.agent.context import catalogue_of
from vbotd.agent.numbers import page, setting_of
from vbotd.agent.registry import Arguments, Context, Result, Tool, ToolError
from vbotd.agent.submission import why_waits
from vbotd.agent.untrusted import Block, Data, Problem, fence
from vbotd.agent.verbs import run_verb
from vbotd.core.campaign_text import label_from, template
from vbotd.core.wording import clean
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.host.checking import check_bytes, summary_lines
from vbotd.host.estimating import estimates
from vbotd.layout import Layout

Part = Literal["settings", "reward", "observation", "endings", "terrain", "scoring", "exploits"]
# Under which names the task's own reference has each part.
PARTS: Mapping[str, tuple[str, ...]] = {
    "reward": ("terms",), "observation": ("observation", "action"), "endings": ("endings",),
    "terrain": ("ground", "terrain"), "scoring": ("scoring", "routes"), "exploits": ("exploits",)}
MOST_ROWS = 60
LARGEST_ENTRY = 32 << 10
MOST_PROBLEMS = 15


class TaskArguments(Arguments):
    """Which task, and what of it."""

    name: str = Field(default="", max_length=120, description="default: list the tasks")
    part: Part = "settings"
    prefix: str = Field(default="", max_length=60, description="of settings: only keys that begin so, as 'reward.'")


class TaskPage(Result):
    """The tasks by name, or one part of one: settings as 'default, bounds, what it is', else rows of its reference.

    `more` counts the settings that were left out, by the prefix that shows them.
    """

    tasks: dict[str, Data] = Field(default={})
    task: str = ""
    score: str = ""
    env_steps: int = 0
    settings: dict[str, str] = Field(default={})
    more: dict[str, int] = Field(default={})
    rows: list[dict[str, Any]] = Field(default=[])


class LibraryArguments(Arguments):
    """Which shelf of the reward library, or which entry of it."""

    shelf: Literal["components", "configs", "rejected"] = "components"
    name: str = Field(default="", max_length=120, description="an entry; default: list them")
    after: str = Field(default="", max_length=120)
    limit: int = Field(default=20, ge=1, le=50)


class Library(Result):
    """Names of entries, or the text of one."""

    total: int
    entries: list[Data] = Field(default=[])
    next: str = ""
    text: Block = ""


class DraftArguments(Arguments):
    """For which task, and how much it may take."""

    task: str = Field(max_length=120)
    hours: float = Field(default=8.0, gt=0, le=168)
    trials: int = Field(default=12, ge=1, le=1000)
    name: str = Field(default="night", max_length=40)


class Draft(Result):
    """A campaign's YAML, ready to change and to submit."""

    campaign_yaml: str


class CheckArguments(Arguments):
    """A campaign as a text."""

    campaign_yaml: str = Field(min_length=1, max_length=64_000)


class Checked(Result):
    """Whether a campaign can run: what it would do, or every problem with line and column.

    `waits` says why an agent's submission of it would wait for a person, now; nothing where it would start.
    """

    ok: bool
    waits: Data = ""
    summary: list[Data] = Field(default=[])
    problems: list[Problem] = Field(default=[])
    more: int = 0


def task(context: Context, arguments: TaskArguments) -> TaskPage:
    """Return the tasks, or one part of what is known about one."""
    if not arguments.name:
        return TaskPage(tasks={card.name: card.summary for card in catalogue_of(context.layout).tasks})
    card = card_of(context.layout, arguments.name)
    head = TaskPage(task=card.name, score=f"{card.metric.tag}, {card.metric.direction}", env_steps=card.env_steps)
    if arguments.part == "settings":
        return head.model_copy(update=_settings(card, arguments.prefix))
    return head.model_copy(update={"rows": _rows(context.layout, card, arguments.part)})


def reward_library(context: Context, arguments: LibraryArguments) -> Library:
    """Return the entries of a shelf, or the text of one."""
    folder = context.layout.state / "reward_library" / arguments.shelf
    # Only a name that the listing has is opened: nothing that was asked for becomes a part of a path.
    names = {entry.rpartition(".")[0]: entry for entry in sorted(_entries(str(folder)))}
    if not arguments.name:
        ids, following = page(names, arguments.after, arguments.limit)
        entries = [f"{name}: {_about(str(folder), names[name])}".rstrip(": ") for name in ids]
        return Library(total=len(names), entries=entries, next=following)
    if arguments.name not in names:
        near = get_close_matches(arguments.name, names, n=3, cutoff=0.3)
        raise ToolError(f"there is no '{clean(arguments.name, 60)}' in {arguments.shelf} — "
                        f"{'did you mean ' + ', '.join(near) if near else 'the tool without a name lists them'}")
    return Library(total=len(names), text=_read(str(folder), names[arguments.name]))


def check(context: Context, arguments: CheckArguments) -> Checked:
    """Return whether a campaign can run, with the same code as the daemon's intake."""
    catalogue = catalogue_of(context.layout)
    found = check_bytes("campaign.yaml", arguments.campaign_yaml.encode(), catalogue, context.layout)
    if found.campaign is None:
        said = [problem.render("campaign.yaml") for problem in found.problems]
        return Checked(ok=False, problems=said[:MOST_PROBLEMS], more=max(0, len(said) - MOST_PROBLEMS))
    lines = summary_lines(found.campaign, catalogue, estimates(found.campaign, catalogue, context.layout))
    return Checked(ok=True, waits=why_waits(context.layout, found.campaign),
                   summary=[f"{word}: {line}" for word, line in lines])


def draft(context: Context, arguments: DraftArguments) -> Draft:
    """Return a campaign for a task with what is worth searching, comments left out."""
    card = card_of(context.layout, arguments.task)
    text = template(card, hours=arguments.hours, trials=arguments.trials, name=label_from(arguments.name), seed=1)
    lines = [line.partition("  #")[0].rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return Draft(campaign_yaml="\n".join(line for line in lines if line) + "\n")


def card_of(layout: Layout, name: str) -> TaskCard:
    """Return the card of a task.

    Raises: ToolError with the nearest names.
    """
    catalogue = catalogue_of(layout)
    card = catalogue.task(name)
    if card is None:
        known = [card.name for card in catalogue.tasks]
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        raise ToolError(f"there is no task '{clean(name, 80)}' — "
                        + (f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(known)}"))
    return card


def _settings(card: TaskCard, prefix: str) -> dict[str, Any]:
    """Return the settings of a task whose keys begin so, and how many more there are of each kind.

    Raises: ToolError with the prefixes that there are.
    """
    chosen = [param for param in card.params if param.key.startswith(prefix)]
    if not chosen:
        kinds = dict.fromkeys(_kind(param) for param in card.params)
        raise ToolError(f"no setting of {card.name} begins with '{clean(prefix, 60)}' — they begin with "
                        f"{', '.join(kinds)}")
    return {"settings": {param.key: _setting(param) for param in chosen[:MOST_ROWS]},
            "more": dict(Counter(_kind(param) for param in chosen[MOST_ROWS:]))}


def _kind(param: ParamCard) -> str:
    return f"{param.key.partition('.')[0]}."


def _setting(param: ParamCard) -> str:
    """Return a setting in a line: default, what is allowed, unit, what it is."""
    allowed = ""
    if param.choices:
        allowed = f" one of {', '.join(str(choice) for choice in param.choices)}"
    elif param.low is not None or param.high is not None:
        low = "" if param.low is None else f"{param.low:g}"
        high = "" if param.high is None else f"{param.high:g}"
        allowed = f" in [{low}, {high}]"
    unit = f" {param.unit}" if param.unit else ""
    return clean(f"{setting_of(param.default)}{allowed}{unit}{'; ' + param.summary if param.summary else ''}", 160)


def _rows(layout: Layout, card: TaskCard, part: str) -> list[dict[str, Any]]:
    """Return rows of the task's reference, which its own training code makes: a verb of its own process asks it."""
    reference = run_verb(layout, ["tasks", card.name, "--json"]).get("reference")
    if not isinstance(reference, dict):
        raise ToolError(f"{card.name} has no reference; the part 'settings' is known")
    rows: list[dict[str, Any]] = []
    for name in PARTS[part]:
        value = reference.get(name)
        rows += [_row(item) for item in value] if isinstance(value, list) else [_row({name: value})] if value else []
    return rows[:MOST_ROWS]


def _row(item: Any) -> dict[str, Any]:
    values = item if isinstance(item, dict) else asdict(item) if hasattr(item, "__dataclass_fields__") else {"": item}
    return {str(key): _plain(value) for key, value in values.items() if value not in (None, "", [], {})}


def _plain(value: Any) -> Any:
    """Return a value of a reference; a plugin wrote it, so its words are fenced however deep they lie."""
    if isinstance(value, Mapping):
        return _row(dict(value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value[:MOST_ROWS]]
    return fence(value, 200) if isinstance(value, str) and " " in value else setting_of(value)


def _entries(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry in found if entry.name.endswith((".yaml", ".yml"))
                    and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)]
    except OSError:
        return []


def _read(folder: str, name: str) -> str:
    try:
        handle = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ToolError(f"'{clean(name, 60)}' cannot be read ({error.strerror})") from error
    with os.fdopen(handle, "rb") as file:
        return file.read(LARGEST_ENTRY).decode(errors="replace")


def _about(folder: str, name: str) -> str:
    """Return what an entry says of itself: its first few words."""
    try:
        value = yaml.safe_load(_read(folder, name))
    except (ToolError, yaml.YAMLError):
        return ""
    words = [f"{key} {item}" for key, item in (value.items() if isinstance(value, dict) else ())
             if isinstance(item, str | int | float)]
    return clean("; ".join(words), 140)


TOOLS = (
    Tool(name="task", summary="The tasks; or of one its settings with bounds, reward terms, endings, scoring, known "
         "exploits.", args=TaskArguments, result=TaskPage, run=task),
    Tool(name="reward_library", summary="Reward ideas that were tried before, and what came of them.",
         args=LibraryArguments, result=Library, run=reward_library),
    Tool(name="draft", summary="A campaign's YAML for a task, ready to change and submit.", args=DraftArguments,
         result=Draft, run=draft),
    Tool(name="check", summary="Say all that is wrong with a campaign's YAML, without submitting it.",
         args=CheckArguments, result=Checked, run=check),
)
