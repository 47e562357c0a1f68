"""`vbotd new`: write a commented campaign for a task, ready to be edited."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

import vbotd
from vbotd.cli.checking import load_catalogue
from vbotd.cli.tasks import find_task
from vbotd.domain.task import ParamValue, TaskCard
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_atomic

SCHEMA_NAME = "campaign.schema.json"


def _list_presets(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from vbotd.cli.columns import columns
    from vbotd.store.presets import load_presets
    rows = [(preset.name, preset.task, preset.about) for preset in load_presets()]
    click.echo(columns(("preset", "task", "what it is"), rows))
    context.exit()


@click.command("new")
@click.argument("task")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=8.0, show_default=True,
              help="Wall-clock hours it may take.")
@click.option("--trials", type=click.IntRange(min=1), default=15, show_default=True, help="Settings to try.")
@click.option("--name", default="", help="What reports call it. Default: the task's name and the date.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The first run seed.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Where to write it. Default: campaigns/NAME.yaml in the workspace.")
@click.option("--preset", "preset_name", default="", help="Settings to begin with, by name; see --list-presets.")
@click.option("--list-presets", is_flag=True, is_eager=True, expose_value=False, callback=_list_presets,
              help="List the presets and exit.")
@click.option("--submit", "submit_it", is_flag=True, help="Hand it to the daemon at once.")
@click.pass_context
def command(context: click.Context, task: str, hours: float, trials: int, name: str, seed: int, out: Path | None,
            preset_name: str, submit_it: bool) -> None:
    """Write a commented campaign for TASK and say what to do with it. A file that is there is never overwritten."""
    from vbotd.core.campaign_text import label_from, template
    layout = Layout.find()
    card = find_task(load_catalogue(layout), task)
    fixed, origin = _preset(preset_name, card) if preset_name else ({}, "")
    name = label_from(name or f"{preset_name or card.name}-{time.strftime('%m%d')}")
    path = out or free_name(layout.home / "campaigns", name)
    if path.exists():
        raise VbotdError(f"{path} is there already — it was not touched — give another name with --out")
    _make_folder(path.parent)
    text = template(card, hours=hours, trials=trials, name=name, seed=seed, schema=schema_for(path, layout),
                    fixed=fixed, origin=origin)
    write_atomic(path, text)
    shown = _short(path)
    if submit_it:
        from vbotd.cli.submit import command as submit
        click.echo(f"wrote {shown}")
        context.invoke(submit, files=(str(path),))
        return
    click.echo(f"wrote {shown}\n\nnext:\n  edit   {shown}\n  vbotd check  {shown}\n  vbotd submit {shown}\n"
               "  vbotd run")


def _preset(name: str, card: TaskCard) -> tuple[dict[str, ParamValue], str]:
    """Return the settings of a preset for a task, and what to call them."""
    from vbotd.store.presets import load_preset
    preset = load_preset(name)
    if preset.task != card.name:
        raise VbotdError(f"preset '{name}' is for {preset.task}, not for {card.name} — write 'vbotd new {preset.task} "
                         f"--preset {name}', or choose another: 'vbotd new --list-presets'")
    return preset.settings(card), f"preset {name}, {preset.about}"


def free_name(folder: Path, name: str) -> Path:
    """Return `NAME.yaml`, or `NAME-2.yaml` and so on where that is taken."""
    path, number = folder / f"{name}.yaml", 2
    while path.exists():
        path, number = folder / f"{name}-{number}.yaml", number + 1
    return path


def schema_for(path: Path, layout: Layout) -> str:
    """Return where an editor finds the schema, relative to the file: the workspace's, else the installed one."""
    packaged = Path(vbotd.__file__).resolve().parent / "schemas" / SCHEMA_NAME
    beside = layout.home / "schemas" / SCHEMA_NAME
    return os.path.relpath(beside if beside.exists() else packaged, path.resolve().parent)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise VbotdError(f"{folder}: cannot be made: {err.strerror} — choose another place with --out") from err


def _short(path: Path) -> str:
    """Return a path the way a person here would type it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
