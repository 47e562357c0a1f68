"""Run the gauntlet and print its scoreboard. `make gauntlet`, or `python -m tests.gauntlet --rows random_kills`.

Every public function of this package that takes a Trial and returns a Row is a row.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import pkgutil
import platform
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import tests.gauntlet as package
from tests.gauntlet.row import Play, Row, Trial
from vbotd import __version__

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "scoreboard.md"
RESULTS = ROOT / "bench" / "results-gauntlet.json"


def main() -> int:
    """Play the rows that were asked for; exit code 1 when one of them fails."""
    rows = all_rows()
    options = parsed(rows)
    began = time.monotonic()
    played = [play(name, rows[name], options.share, options.seed, keep=options.keep) for name in options.rows]
    wall_s = time.monotonic() - began
    table = scoreboard([(name, row) for name, row, _ in played])
    for name, row, _ in played:
        for failure in row.failures:
            print(f"{name}: {failure}", file=sys.stderr)
    if options.save:
        save(played, options.share, options.seed, wall_s, table)
    print(table)
    print(f"{sum(row.ok for _, row, _ in played)} of {len(played)} rows hold; {wall_s:.0f} s on {os.cpu_count()} cores "
          f"at a load of {os.getloadavg()[0]:.1f}, share {options.share:g}, seed {options.seed}")
    return int(not all(row.ok for _, row, _ in played))


def all_rows() -> dict[str, Play]:
    """Return the rows by name, in the order of their files' names and of their places in them."""
    found: dict[str, Play] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith(("_", "test_")):
            continue
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        found |= {name: value for name, value in vars(loaded).items() if inspect.isfunction(value)
                  and value.__module__ == loaded.__name__ and not name.startswith("_")
                  and value.__annotations__ == {"trial": "Trial", "return": "Row"}}
    return found


def parsed(rows: dict[str, Play]) -> argparse.Namespace:
    """Return the options; an unknown row ends the program with those that there are."""
    reader = argparse.ArgumentParser(prog="python -m tests.gauntlet", description=__doc__)
    reader.add_argument("--share", type=float, default=1.0, help="how much of each row (1: all that its bar asks for)")
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--rows", type=lambda text: text.split(","), default=list(rows), metavar="A,B",
                        help=", ".join(rows))
    reader.add_argument("--save", action="store_true", help="write docs/scoreboard.md and bench/results-gauntlet.json")
    reader.add_argument("--keep", action="store_true", help="keep the folders that the rows worked in")
    options = reader.parse_args()
    unknown = [name for name in options.rows if name not in rows]
    if unknown:
        reader.error(f"there is no row {', '.join(unknown)} — allowed: {', '.join(rows)}")
    if not 0.0 < options.share <= 1.0:
        reader.error(f"--share {options.share:g} — allowed: above 0, to 1")
    return options


def play(name: str, row: Play, share: float, seed: int, *, keep: bool = False) -> tuple[str, Row, float]:
    """Play one row in a folder of its own; a row that raises has failed. Return it with its seconds."""
    folder = Path(tempfile.mkdtemp(prefix=f"gauntlet-{name}-"))
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    try:
        result = row(Trial(folder=folder, share=share, seed=seed))
    except Exception as error:
        traceback.print_exc()
        result = Row(name=name.replace("_", " "), figure="no result", bar="-", ok=False,
                     failures=(f"{type(error).__name__}: {error}",))
    wall_s = time.monotonic() - began
    print(f"{name}: {'ok' if result.ok else 'FAILED'}, {result.figure} ({wall_s:.0f} s)", file=sys.stderr, flush=True)
    if result.ok and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    elif not result.ok:
        print(f"  what it worked in is kept: {folder}", file=sys.stderr)
    return name, result, wall_s


def scoreboard(rows: list[tuple[str, Row]]) -> str:
    """Return the table, as Markdown."""
    lines = ["| | what | measured | bar | command |", "|---|---|---|---|---|"]
    for name, row in rows:
        lines.append(f"| {'ok' if row.ok else '**failed**'} | {row.name} | {row.figure} | {row.bar} "
                     f"| `python -m tests.gauntlet --rows {name}` |")
    return "\n".join(lines)


def save(played: list[tuple[str, Row, float]], share: float, seed: int, wall_s: float, table: str) -> None:
    """Write the table for readers, and the figures for programs."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    where = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, Python {platform.python_version()}"
    TABLE.write_text(f"# Scoreboard\n\nWritten by `make gauntlet` with vbotd {__version__} on {day}: {where}; share "
                     f"{share:g}, seed {seed}, {wall_s:.0f} s in all.\n\n{table}\n")
    rows = {name: {**asdict(row), "wall_s": round(seconds, 1)} for name, row, seconds in played}
    RESULTS.write_text(json.dumps({
        "day": day, "version": __version__, "where": where, "share": share, "seed": seed, "wall_s": round(wall_s),
        "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
