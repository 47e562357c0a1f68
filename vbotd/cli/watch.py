"""`vbotd watch`: what runs, how far it is and what just happened, once a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from vbotd.cli.log import as_line
from vbotd.cli.show import heartbeat_cells, measured, now, print_json, text
from vbotd.cli.status import as_values, daemon_line, lines
from vbotd.core.wording import duration
from vbotd.daemon.lock import holder_of
from vbotd.domain.event import Stored
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.glance import Glance, glance
from vbotd.store.read import Reader

REFRESH_S = 1.0
PLAIN_S = 10.0  # a log file gets a line about each run this often
RECENT = 10
IDLE_LOOKS = 3  # so many looks without an open campaign: one that is just being taken in is not missed


@click.command("watch")
@click.option("--until-idle", is_flag=True, help="End when no campaign is open.")
@click.option("--json", "as_json", is_flag=True, help="One look, as 'vbotd status --json' gives it.")
def command(until_idle: bool, as_json: bool) -> None:
    """Show what runs, live; Ctrl-C ends it. Where the output is no terminal: plain lines, events as they come.

    --json: one look and the shape of 'vbotd status --json'.
    """
    layout = Layout.find()
    if as_json:
        print_json(as_values(layout, glance(layout, now()), holder_of(layout.lock), now()))
        return
    with suppress(KeyboardInterrupt):
        (_watch_live if sys.stdout.isatty() else _watch_plain)(layout, until_idle)


def looks(layout: Layout, until_idle: bool, every_s: float = REFRESH_S) -> Iterator[Glance]:
    """Yield the workspace again and again; with `until_idle` until no campaign is open any more."""
    idle = 0
    while True:
        seen = glance(layout, now())
        yield seen
        idle = 0 if is_busy(layout, seen) else idle + 1
        if until_idle and idle >= IDLE_LOOKS:
            return
        time.sleep(every_s)


def is_busy(layout: Layout, seen: Glance) -> bool:
    """Say whether anything is under way: a campaign that can go on, a live run, a file in the inbox."""
    going = any(item.status in ("open", "closing") for item in seen.campaigns)
    waiting = any(path.suffix in (".yaml", ".yml") for path in layout.inbox.glob("[!.]*"))
    return going or bool(seen.runs) or waiting


def _watch_plain(layout: Layout, until_idle: bool) -> None:
    """Print events as they come, and now and then how far the runs are."""
    seq, told_at = 0, 0.0
    for look_number, seen in enumerate(looks(layout, until_idle)):
        if look_number == 0:
            click.echo("\n".join(lines(layout, seen, holder_of(layout.lock), now())))
            seq, told_at = seen.last_seq, now()
        for stored in _events_after(layout, seq):
            click.echo(as_line(stored))
            seq = stored.seq
        if now() - told_at >= PLAIN_S:
            told_at = now()
            for run in seen.runs:
                progress, rate, left, success = heartbeat_cells(run.heartbeat, now())
                click.echo(f"        {run.id}: {progress}, {rate}, {left} left, success {success}")


def _events_after(layout: Layout, seq: int) -> tuple[Stored, ...]:
    with suppress(StoreError), Reader(layout.store) as reader:
        return reader.events(after=seq, limit=200)
    return ()


def _watch_live(layout: Layout, until_idle: bool) -> None:
    from rich.live import Live
    with Live(auto_refresh=False, screen=False) as live:
        for seen in looks(layout, until_idle):
            live.update(_picture(layout, seen), refresh=True)


def _picture(layout: Layout, seen: Glance):  # type: ignore[no-untyped-def]  # rich is imported inside
    """Return one screen: the daemon, the campaigns, the live runs, the newest events."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text
    campaigns = Table("campaign", "status", "trials", "best so far", "time left", box=None, pad_edge=False)
    for item in seen.campaigns:
        left = "no limit" if item.hours_left is None else duration(item.hours_left * 3600)
        failed = f", {item.trials_failed} failed" if item.trials_failed else ""
        campaigns.add_row(*map(Text, (item.id, item.status, f"{item.trials_judged} of {item.trials_budget}{failed}",
                                      measured(item.score, item.metric), left)))
    runs = Table("run", "env steps", "rate", "left", "success so far", box=None, pad_edge=False)
    for run in seen.runs:
        runs.add_row(*map(Text, (run.id, *heartbeat_cells(run.heartbeat, now()))))
    parts: list[Any] = [Text.from_ansi(daemon_line(holder_of(layout.lock))),
             Text(f"cores: {seen.cores_busy} of {seen.cores} busy"), Text("")]
    parts += [campaigns if seen.campaigns else Text("no campaign is open"), Text("")]
    parts += [runs if seen.runs else Text("nothing is running"), Text("")]
    newest = _events_after(layout, max(0, seen.last_seq - RECENT))
    return Group(*parts, *(Text(text(click.unstyle(as_line(stored)), 160), overflow="ellipsis", no_wrap=True)
                           for stored in newest))
