"""`vbotd tasks`: what can be trained, and every setting of a task."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from vbotd.cli.checking import count, load_catalogue
from vbotd.cli.columns import columns, markdown_table
from vbotd.cli.commanding import json_option, not_found_message
from vbotd.domain.task import ParamCard, ParamValue, TaskCard
from vbotd.errors import NotFound
from vbotd.host.catalogue import Catalogue
from vbotd.layout import Layout

HEAD = ("key", "default", "allowed", "unit", "what it is")


@click.command("tasks")
@click.argument("name", required=False)
@click.option("--markdown", is_flag=True, help="Print Markdown, as docs/TASKS.md has it.")
@json_option
def command(name: str | None, markdown: bool, as_json: bool) -> None:
    """List what can be trained; with a NAME, every setting of that task: default, range, unit, meaning."""
    catalogue = load_catalogue(Layout.find())
    chosen = [find_task(catalogue, name)] if name else list(catalogue.tasks)
    if as_json:
        click.echo(json.dumps({"tasks": [asdict(task) for task in chosen]}))
    elif markdown:
        click.echo("\n".join(reference_markdown(task) for task in chosen), nl=False)
    elif name:
        click.echo(reference_text(chosen[0]))
    else:
        click.echo(_list_text(chosen))


def find_task(catalogue: Catalogue, name: str) -> TaskCard:
    """Return a task by its name.

    Raises: NotFound with the nearest names.
    """
    task = catalogue.task(name)
    if task is None:
        raise NotFound(not_found_message("task", name, [task.name for task in catalogue.tasks],
                                         "'vbotd tasks' lists them, 'vbotd plugins' says what failed to load"))
    return task


def _list_text(tasks: list[TaskCard]) -> str:
    if not tasks:
        return "no plugin offers a task — 'vbotd plugins' says which loaded, and what failed"
    rows = [(task.name, count(task.env_steps), f"{task.episode_s:g} s", task.metric.tag, task.summary)
            for task in tasks]
    return (columns(("task", "env steps", "episode", "score", "what it is"), rows)
            + "\n\n'vbotd tasks NAME' shows the settings of one, 'vbotd new NAME' writes a campaign for it")


def reference_text(task: TaskCard) -> str:
    """Return everything about one task as plain text."""
    return "\n".join([f"{task.name}: {task.summary}", "", *(f"  {line}" for line in _facts(task)), "",
                      columns(HEAD, [_row(param) for param in task.params])])


def reference_markdown(task: TaskCard) -> str:
    """Return everything about one task as a Markdown section."""
    return "\n".join([f"## {task.name}", "", f"{task.summary}", "", *(f"- {line}" for line in _facts(task)), "",
                      markdown_table(HEAD, [(f"`{row[0]}`", *row[1:]) for row in map(_row, task.params)]), "", ""])


def _facts(task: TaskCard) -> list[str]:
    facts = [f"a trial is {count(task.env_steps)} env steps in {task.num_envs:,} environments; "
             f"an episode is {task.episode_s:g} s",
             f"score: {task.metric.tag} ({_direction(task.metric.direction)})"]
    if task.quality is not None:
        unit = f", {task.quality.unit}" if task.quality.unit else ""
        facts.append(f"ties: {task.quality.tag} ({_direction(task.quality.direction)}{unit})")
    return facts


def _direction(direction: str) -> str:
    return "more is better" if direction == "max" else "less is better"


def _row(param: ParamCard) -> tuple[str, str, str, str, str]:
    return param.key, value_text(param.default), _allowed(param), param.unit, param.summary


def _allowed(param: ParamCard) -> str:
    if param.choices:
        return "one of " + ", ".join(value_text(choice) for choice in param.choices)
    if param.low is None and param.high is None:
        return "any"
    if param.high is None:
        return f">= {param.low:g}"
    if param.low is None:
        return f"<= {param.high:g}"
    return f"{param.low:g} to {param.high:g}" + (", log" if param.scale == "log" else "")


def value_text(value: ParamValue) -> str:
    """Return a value as a campaign file would hold it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(f"{part:g}" for part in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
