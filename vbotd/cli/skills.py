"""`vbotd skills`: the guides for agents: list them, print one, copy them to where a client looks."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vbotd.cli.commanding import json_option
from vbotd.errors import NotFound

TARGETS = (".agents", ".claude", ".github")


@click.group("skills", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the guides for agents; 'show NAME' prints one, 'install' copies them to where clients look.

    --json: [{"name", "description"}]
    """
    if context.invoked_subcommand is not None:
        return
    from vbotd.store.guides import described, guides

    found = [{"name": name, "description": described(text)} for name, text in guides().items()]
    if as_json:
        click.echo(json.dumps(found))
        return
    for guide in found:
        click.echo(f"{guide['name']}\n    {guide['description']}")
    click.echo("\n'vbotd skills show NAME' prints one, 'vbotd skills install' copies them to where agents look")


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Print one guide."""
    from vbotd.store.guides import guides

    found = guides()
    if name not in found:
        raise NotFound(f"there is no guide '{name}' — there are: {', '.join(found)}")
    click.echo(found[name])


@command.command("install")
@click.option("--target", type=click.Choice(TARGETS), multiple=True, help="Folder of a client, below which skills/ "
              "is filled; repeat. Default: .agents, which most clients read.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=".", show_default=True,
              help="The project, or your home folder for all projects.")
@click.option("--remove", is_flag=True, help="Take them away again; what you have changed yourself stays.")
def install(target: tuple[str, ...], into: Path, remove: bool) -> None:
    """Copy the guides into a project. A file that is already there and differs is left alone, and named."""
    from vbotd.store.guides import install as copy
    from vbotd.store.guides import uninstall

    for name in target or TARGETS[:1]:
        folder = into / name / "skills"
        done, kept = (uninstall if remove else copy)(folder)
        click.echo(f"{folder}: {len(done)} guides {'removed' if remove else 'there'}")
        for path in kept:
            click.echo(f"  left alone, it was changed: {path}", err=True)
