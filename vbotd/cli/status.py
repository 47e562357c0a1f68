"""`vbotd status`: what stands where, in a few lines. Needs no daemon and loads nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator

import click

from vbotd.cli.columns import columns
from vbotd.cli.show import coloured, heartbeat_cells, json_option, local_time, measured, now, plain, print_json, text
from vbotd.core.wording import duration
from vbotd.daemon.lock import holder_of
from vbotd.layout import Layout
from vbotd.store.glance import CampaignGlance, Glance, glance


@click.command("status")
@json_option
def command(as_json: bool) -> None:
    """Show the campaigns, the live runs with their progress, and the free cores; also while no daemon runs.

    \b
    --json: {"version": 1, "at", "home", "daemon": {"running", "holder"}, "cores", "cores_busy", "last_event",
             "campaigns": [{"id", "status", "outcome", "task", "why", "trials_judged", "trials_failed",
                            "trials_admitted", "trials_budget", "queued", "hours_left", "metric", "best", "score"}],
             "closed": [the same], "runs": [{"id", "kind", "status", "threads", "started_at", "heartbeat"}]}
    """
    layout = Layout.find()
    at, holder = now(), holder_of(layout.lock)
    seen = glance(layout, at)
    if as_json:
        print_json(as_values(layout, seen, holder, at))
    else:
        click.echo("\n".join(lines(layout, seen, holder, at)))


def as_values(layout: Layout, seen: Glance, holder: str | None, at: float) -> dict[str, object]:
    """Return the documented JSON shape."""
    return {"version": 1, "at": at, "home": str(layout.home),
            "daemon": {"running": holder is not None, "holder": holder or ""}, "cores": seen.cores,
            "cores_busy": seen.cores_busy, "last_event": {"seq": seen.last_seq, "at": seen.last_at},
            "campaigns": plain(seen.campaigns), "closed": plain(seen.closed), "runs": plain(seen.runs)}


def lines(layout: Layout, seen: Glance, holder: str | None, at: float) -> Iterator[str]:
    """Yield what a person reads."""
    yield daemon_line(holder)
    yield f"cores: {seen.cores_busy} of {seen.cores} busy"
    if seen.campaigns:
        yield ""
        yield columns(("campaign", "status", "trials", "best so far (episodes that chose)", "time left"),
                      [_campaign_row(item) for item in seen.campaigns])
        for item in seen.campaigns:
            if item.status in ("paused", "closing"):
                yield f"  {item.id} is {coloured(item.status)}: {text(item.why, 1000)}" + (
                    f" — 'vbotd resume {item.id}'" if item.status == "paused" else "")
    if seen.runs:
        yield ""
        rows = [(run.id, run.status, *heartbeat_cells(run.heartbeat, at)) for run in seen.runs]
        yield columns(("run", "status", "env steps", "rate", "left", "success"), rows)
    if seen.closed:
        yield ""
        yield columns(("lately closed", "outcome", "trials", "best (episodes that chose)", "why"),
                      [(*_campaign_row(item)[:4], text(item.why, 80)) for item in seen.closed])
    if not seen.campaigns and not seen.closed:
        yield ""
        yield "no campaign yet — 'vbotd new TASK --submit' makes one, 'vbotd tasks' lists the tasks"
    yield ""
    newest = f"last event: {seen.last_seq} at {local_time(seen.last_at)}; " if seen.last_seq else ""
    yield f"{newest}the report: 'vbotd report'; workspace: {layout.home}"


def daemon_line(holder: str | None) -> str:
    """Return whether a daemon runs, as the lock tells it."""
    if holder is None:
        return "daemon: not running — 'vbotd run' starts it; what was submitted waits for it"
    return f"daemon: {coloured('running')} ({text(holder)})"


def _campaign_row(item: CampaignGlance) -> tuple[str, str, str, str, str]:
    trials = f"{item.trials_judged} of {item.trials_budget}" + (
        f", {item.trials_failed} failed" if item.trials_failed else "") + (
        f", {item.queued} queued" if item.queued else "")
    best = f"{item.best.rpartition('/')[2]} {measured(item.score, item.metric)}" if item.best else "none yet"
    left = "no limit" if item.hours_left is None else duration(item.hours_left * 3600)
    return item.id, item.outcome or item.status, trials, best, left
