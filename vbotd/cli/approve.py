"""`vbotd approve`: let a request of an agent pass, or turn it down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from vbotd.cli.columns import columns
from vbotd.cli.commanding import carry_out, json_option
from vbotd.core.policy import REQUEST
from vbotd.domain.event import CommandAccepted, Stored
from vbotd.errors import NotFound
from vbotd.layout import Layout
from vbotd.store.read import Reader


@click.command("approve")
@click.argument("key", required=False, default="")
@click.option("--no", "rejected", is_flag=True, help="Turn it down instead.")
@json_option
def command(key: str, rejected: bool, as_json: bool) -> None:
    """Let what an agent asks for pass, as a command of your own; without a KEY, list what waits.

    Agents act by themselves inside the space and the budget that you declared; everything else they ask for.
    --json without a KEY: {"requests": [{"key", "by", "verb", "args", "why", "event", "at"}]}
    """
    layout = Layout.find()
    with Reader(layout.store) as reader:
        waiting = reader.open_requests()
        answered = reader.command(key) if key else None
    if not key:
        click.echo(_listed(waiting, as_json=as_json))
        return
    event = answered.event if answered else None
    if not isinstance(event, CommandAccepted) or event.verb != REQUEST:
        raise NotFound(f"there is no request '{key}' — 'vbotd approve' lists what waits")
    if rejected:
        carry_out(layout, "reject", {"request": key}, key=f"{key}.rejected", as_json=as_json)
        return
    _pass(layout, event, as_json=as_json)


def _pass(layout: Layout, asked: CommandAccepted, *, as_json: bool) -> None:
    verb, args = str(asked.args["verb"]), dict(asked.args["args"])
    if verb == "submit":
        from vbotd.core.policy import OWN_FILE
        from vbotd.store.submitting import submit_bytes
        # The file first: should we die here, the request still waits, and the same bytes are the same campaign.
        submit_bytes(layout, f"{OWN_FILE}{asked.key}.yaml", str(args["text"]).encode(), wait_s=0.0)
        carry_out(layout, "approve", {"request": asked.key}, key=f"{asked.key}.approved", as_json=as_json)
        return
    # The command anew, as this person's: the same checks, and the record says who let it pass.
    carry_out(layout, verb, {**args, "approved": True}, key=f"{asked.key}.approved", as_json=as_json)


def _listed(waiting: tuple[Stored, ...], *, as_json: bool) -> str:
    from vbotd.cli.show import local_time, text
    from vbotd.core.report_needs import request_words
    events = [(stored, stored.event) for stored in waiting if isinstance(stored.event, CommandAccepted)]
    if as_json:
        return json.dumps({"requests": [_plain(stored, event) for stored, event in events]})
    if not events:
        return "no agent asks for anything"
    return columns(("request", "asked by", "at", "what"), [
        (event.key, text(event.principal, 40), local_time(stored.at), text(request_words(event), 300))
        for stored, event in events])


def _plain(stored: Stored, event: CommandAccepted) -> Mapping[str, Any]:
    return {"key": event.key, "by": event.principal, "verb": event.args.get("verb"), "args": event.args.get("args"),
            "why": event.args.get("why"), "event": stored.seq, "at": stored.at}
