"""`vbotd log`: what happened, one event a line, as the store has it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress

import click

from vbotd.cli.show import coloured, local_time
from vbotd.core.codec import KINDS, encode
from vbotd.core.telling import about, tell
from vbotd.domain.event import Stored
from vbotd.layout import Layout
from vbotd.store.read import Reader

FOLLOW_S = 0.5


@click.command("log")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
@click.option("--campaign", default="", metavar="ID", help="Only this campaign.")
@click.option("--run", "run_id", default="", metavar="ID", help="Only this run.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only events of this kind, such as RunEnded.")
@click.option("--limit", "-n", default=50, show_default=True, type=click.IntRange(1, 100_000),
              help="So many of the newest.")
@click.option("--after", default=None, type=click.IntRange(min=0), metavar="SEQ",
              help="Those behind this event, oldest first, instead of the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(follow: bool, campaign: str, run_id: str, kinds: tuple[str, ...], limit: int, after: int | None,
            as_json: bool) -> None:
    """Print the events, the newest last.

    \b
    --json, one line each: {"seq", "at", "kind", "version", "data": {the event's fields}}
    """
    wanted = [kind_named(kind) for kind in kinds]
    with Reader(Layout.find().store) as reader:
        campaign, run_id = _whole_ids(reader, campaign, run_id)
        if after is None:
            found = reader.last_events(campaign=campaign, run=run_id, kinds=wanted, limit=limit)
        else:
            found = reader.events(after=after, campaign=campaign, run=run_id, kinds=wanted, limit=limit)
        show(found, as_json=as_json)
        seen = found[-1].seq if found else after or (reader.last_seq() if follow else 0)
        with suppress(KeyboardInterrupt):
            while follow:
                time.sleep(FOLLOW_S)
                found = reader.events(after=seen, campaign=campaign, run=run_id, kinds=wanted, limit=1000)
                show(found, as_json=as_json)
                seen = found[-1].seq if found else seen


def kind_named(text: str) -> str:
    """Return the kind of event that a person means, in whatever case.

    Raises: click.UsageError with the nearest kinds.
    """
    by_lower = {kind.lower(): kind for kind in KINDS}
    if text.lower() in by_lower:
        return by_lower[text.lower()]
    from difflib import get_close_matches
    near = get_close_matches(text.lower(), by_lower, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(by_lower[n] for n in near)}?" if near else f"known: {', '.join(KINDS)}"
    raise click.UsageError(f"there is no kind of event '{text}' — {hint}")


def show(events: Sequence[Stored], *, as_json: bool) -> None:
    """Print events, one a line."""
    for stored in events:
        click.echo(as_line(stored) if not as_json else as_json_line(stored))


def as_line(stored: Stored) -> str:
    """Return an event as a line for people: number, time, kind, what it is about, what it says."""
    kind = type(stored.event).__name__
    outcome = getattr(stored.event, "outcome", "")
    said = tell(stored.event)
    if outcome and said.startswith(outcome):
        said = coloured(outcome) + said[len(outcome):]
    return "  ".join(part for part in (f"{stored.seq:>6}", local_time(stored.at), f"{kind:<16}",
                                       about(stored.event), said) if part).rstrip()


def as_json_line(stored: Stored) -> str:
    """Return an event as one line of JSON."""
    kind, version, data = encode(stored.event)
    return json.dumps({"seq": stored.seq, "at": stored.at, "kind": kind, "version": version,
                       "data": json.loads(data)})


def _whole_ids(reader: Reader, campaign: str, run: str) -> tuple[str, str]:
    """Return the whole ids of what was named; a trial or a run given as --campaign narrows it as it should."""
    from vbotd.store.finding import resolve_id
    for name, wanted in ((campaign, "campaign"), (run, "run")):
        if name:
            kind, whole = resolve_id(reader, name)
            if kind != wanted:
                raise click.UsageError(f"'{name}' is a {kind} — --{wanted} takes a {wanted}; "
                                       f"see 'vbotd explain {whole}'")
            campaign, run = (whole, run) if wanted == "campaign" else (campaign, whole)
    return campaign, run
