"""`vbotd chaos`: kill everything, again and again, in a scratch workspace, and see that nothing is lost."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp

import click

from vbotd.cli.commanding import json_option


@click.command("chaos")
@click.option("--kills", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the moments and the victims.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where the scratch workspace is made, "
              "to test that disk. Default: the system's folder for temporary files.")
@click.option("--keep", is_flag=True, help="Keep the scratch workspace; it is kept anyway when something was found.")
@json_option
def command(kills: int, seed: int, folder: Path | None, keep: bool, as_json: bool) -> None:
    """Kill daemons, shims and workers with SIGKILL at random moments, start a daemon anew each time, and hold what the
    store says in the end against what the workers did. Your own workspace is not touched.

    About a second a kill. Exit code 1 when anything was lost, done twice, told wrongly or left behind.
    """
    from vbotd.chaos.killing import kill_again_and_again
    from vbotd.chaos.scratch import Scratch
    from vbotd.chaos.verdict import verdict

    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    home = Path(mkdtemp(prefix="vbotd-chaos-", dir=folder))
    scratch = Scratch(home)
    began_s = time.monotonic()
    try:
        victims = kill_again_and_again(scratch, kills, seed, _quiet if as_json else _told)
    finally:
        scratch.close()
    found = verdict(scratch)
    wall_s = time.monotonic() - began_s
    if found.ok and not keep:
        shutil.rmtree(home)
    if as_json:
        click.echo(json.dumps({"ok": found.ok, "kills": dict(victims), "seed": seed, "wall_s": round(wall_s, 1),
                               "workspace": str(home) if home.exists() else None, **asdict(found)}))
    else:
        _show(asdict(found), dict(victims), wall_s)
    if not found.ok:
        raise click.ClickException(f"something was lost or wrong; the workspace is kept: {home}")


def _told(done: int, of: int) -> None:
    if done % 10 == 0 or done == of:
        click.echo(f"  {done} of {of} killed", err=True)


def _quiet(done: int, of: int) -> None:
    """Programs want the result alone."""


def _show(found: dict[str, object], victims: dict[str, int], wall_s: float) -> None:
    hits = ", ".join(f"{count} x {victim}" for victim, count in sorted(victims.items()))
    click.echo(f"{sum(victims.values())} kills ({hits}) in {wall_s:.0f} s")
    click.echo(f"{found['campaigns']} campaigns, {found['trials']} trials, {found['runs']} runs, "
               f"{found['starts']} daemon starts, {found['adopted']} adoptions")
    for name, words in (("lost", "lost"), ("doubled", "started twice"), ("false", "told finished and were not"),
                        ("drift", "rows that differ from their events"), ("stray", "processes left behind")):
        items = found[name]
        assert isinstance(items, tuple)
        mark = click.style("ok  ", fg="green") if not items else click.style("FAIL", fg="red")
        click.echo(f"  {mark} {len(items)} {words}" + (f": {', '.join(items[:5])}" if items else ""))
