"""`vbotd view`: look at a task without a policy, in a window or as a clip."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal, cast

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.checking import load_catalogue
from vbotd.cli.play import has_display
from vbotd.cli.tasks import find_task
from vbotd.cli.train import checked_params
from vbotd.errors import VbotdError
from vbotd.layout import Layout


@click.command("view")
@click.argument("task")
@click.option("--actions", type=click.Choice(["zero", "random"]), default="zero", show_default=True,
              help="Hold the default pose, or add Gaussian noise to it.")
@click.option("--std", type=click.FloatRange(min=0.0, max=5.0), default=0.3, show_default=True,
              help="Of the random actions, in units of the action scale.")
@click.option("--envs", "num_envs", type=click.IntRange(min=1, max=64), default=1, show_default=True,
              help="So many environments, seen one after another.")
@click.option("--seconds", type=click.FloatRange(min=0.1, max=600.0), default=5.0, show_default=True,
              help="Of each environment.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Which episodes, which ground.")
@click.option("--camera", default=None, metavar="NAME",
              help="track, side, top, overview (from afar) or free. Default: track, free in a window.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Such as env.episode_s=5; repeat.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a clip here (.mp4, .gif or .png).")
def command(task: str, actions: str, std: float, num_envs: int, seconds: float, seed: int, camera: str | None,
            settings: tuple[str, ...], out: Path | None) -> None:
    """Show TASK without a policy: its ground, where its episodes begin, and the robot.

    In a window where there is a display, else as a clip whose place is printed; '.png' keeps the last frame only.
    """
    layout = Layout.find()
    card = find_task(load_catalogue(layout), task)
    params: dict[str, Any] = checked_params(card, parse_assignments(settings))
    from vbotd.train.render import RenderError, TaskView, choose_gl, render_task, view_task
    from vbotd.train.runio import SpecError
    view = TaskView(task=card.name, actions=cast(Literal["zero", "random"], actions), std=std, num_envs=num_envs,
                    seconds=seconds, seed=seed, params=tuple(params.items()))
    try:
        if out is None and has_display():
            view_task(view, camera or "free")
            return
        choose_gl()
        target = out or layout.adhoc_runs / "clips" / f"{card.name}-{time.strftime('%Y%m%d-%H%M%S')}.mp4"
        click.echo(render_task(view, target, camera or "track"))
    except (RenderError, SpecError) as err:
        raise VbotdError(str(err)) from err
