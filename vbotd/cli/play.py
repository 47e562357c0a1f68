"""`vbotd play`: watch a policy, in a window or as a clip."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from vbotd.cli.checkpoint_of import find_checkpoint
from vbotd.errors import VbotdError
from vbotd.layout import Layout


@click.command("play")
@click.argument("name", required=False, default="", metavar="[TRIAL|RUN|CHECKPOINT]")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Which episode.")
@click.option("--camera", default="track", show_default=True, help="A camera of the model.")
@click.option("--command", "wanted", default=None, metavar="VX,VY,YAW",
              help="Walk at this speed, for tasks that follow a command (m/s, m/s, rad/s).")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a clip here (.mp4 or .gif).")
def command(name: str, seconds: float, seed: int, camera: str, wanted: str | None, out: Path | None) -> None:
    """Watch a policy; by default the champion of the last campaign.

    In a window where there is a display, else as a clip whose place is printed.
    """
    layout = Layout.find()
    checkpoint = find_checkpoint(layout, name)
    speeds = None if wanted is None else parse_speeds(wanted)
    click.echo(f"playing {checkpoint}", err=True)
    from vbotd.train.render import RenderError, render_policy, view_policy
    from vbotd.train.runio import SpecError
    try:
        if out is None and has_display():
            view_policy(checkpoint, seconds=seconds, seed=seed, command=speeds)
            return
        target = out or clip_path(layout, checkpoint)
        click.echo(render_policy(checkpoint, target, seconds=seconds, seed=seed, camera=camera, command=speeds))
    except (RenderError, SpecError) as err:
        raise VbotdError(str(err)) from err


def clip_path(layout: Layout, checkpoint: Path) -> Path:
    """Return where a clip of a checkpoint goes: beside the run that made it, if that is one of ours."""
    run_dir = checkpoint.parent.parent
    stamp = time.strftime("%Y%m%d-%H%M%S")
    if checkpoint.parent.name == "checkpoints" and layout.runs.resolve() in run_dir.parents:
        return run_dir / "capture" / f"play-{stamp}.mp4"
    return layout.adhoc_runs / "clips" / f"{checkpoint.stem}-{stamp}.mp4"


def has_display() -> bool:
    """Say whether a window could be opened."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def parse_speeds(text: str) -> tuple[float, float, float]:
    """Return `VX,VY,YAW` as numbers; missing ones are 0.

    Raises: click.UsageError for anything else.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3:
        raise click.UsageError(f"--command is '{text}' — write one to three numbers, as in 1.0,0,0.5")
    vx, vy, yaw = (*numbers, 0.0, 0.0)[:3]
    return vx, vy, yaw
