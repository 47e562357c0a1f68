"""`vbotd bench`: run the benchmarks of a source checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

import vbotd
from vbotd.cli.commanding import not_found_message
from vbotd.errors import NotFound


@click.command("bench", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--all", "run_all", is_flag=True, help="Run every one.")
def command(name: str | None, arguments: tuple[str, ...], run_all: bool) -> None:
    """Run a benchmark, by NAME; further ARGUMENTS go to it. Without a NAME: what there is.

    Each prints one JSON line. Quiet machine: two benchmarks at once measure each other.
    """
    scripts = bench_scripts()
    if run_all:
        failed = [script.stem for script in scripts.values() if _run(script, arguments)]
        if failed:
            raise click.ClickException(f"failed: {', '.join(failed)}")
    elif name is None:
        for stem, script in scripts.items():
            click.echo(f"{stem:<14}{_first_line(script)}")
    elif name not in scripts:
        raise NotFound(not_found_message("benchmark", name, list(scripts), "'vbotd bench' lists them"))
    elif _run(scripts[name], arguments):
        raise click.ClickException(f"{name} failed")


def bench_scripts() -> dict[str, Path]:
    """Return the benchmarks of the checkout that this vbotd was installed from, by name.

    Raises: NotFound when it was installed from a wheel, which has none.
    """
    folder = Path(vbotd.__file__).resolve().parents[1] / "bench"
    scripts = {path.stem: path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")}
    if not scripts:
        raise NotFound("this vbotd was installed without its benchmarks — they are in bench/ of a source checkout")
    return scripts


def _run(script: Path, arguments: tuple[str, ...]) -> int:
    return subprocess.run([sys.executable, str(script), *arguments], cwd=script.parents[1]).returncode


def _first_line(script: Path) -> str:
    text = script.read_text(encoding="utf-8")
    return text.lstrip("#! \n").lstrip('"').splitlines()[0].rstrip('"') if text.strip() else ""
