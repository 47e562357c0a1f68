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
from vbotd.errors import NotFound, VbotdError
from vbotd.layout import Layout
from vbotd.store.read import Reader

APPROVED, REJECTED = ".approved", ".rejected"  # a request's key with one of these is the key of its answer


class AlreadyDecided(VbotdError):
    """The request was decided the other way."""


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
        waiting = tuple(stored for stored in reader.open_requests() if not _is_over(reader, stored))
        answered = reader.command(key) if key else None
    if not key:
        click.echo(_listed(waiting, as_json=as_json))
        return
    event = answered.event if answered else None
    if not isinstance(event, CommandAccepted) or event.verb != REQUEST:
        raise NotFound(f"there is no request '{key}' — 'vbotd approve' lists what waits")
    _refuse_if_decided(layout, key, wanted=REJECTED if rejected else APPROVED)
    if rejected:
        carry_out(layout, "reject", {"request": key}, key=f"{key}{REJECTED}", as_json=as_json)
        return
    _pass(layout, event, as_json=as_json)


def _refuse_if_decided(layout: Layout, key: str, *, wanted: str) -> None:
    """Hold back who decides a request the other way than it was decided; the same once more changes nothing.

    Raises: AlreadyDecided.
    """
    with Reader(layout.store) as reader:
        before = reader.command(f"{key}{APPROVED if wanted == REJECTED else REJECTED}")
    if before is None:
        return
    said = "was let pass" if wanted == REJECTED else "was turned down"
    raise AlreadyDecided(f"request '{key}' {said} already (event {before.seq}) — "
                         + ("'vbotd cancel' ends what it began" if wanted == REJECTED else
                            "do it by a command of your own, if you want it now"))


def _pass(layout: Layout, asked: CommandAccepted, *, as_json: bool) -> None:
    verb, args = str(asked.args["verb"]), dict(asked.args["args"])
    if verb == "submit":
        from vbotd.core.policy import OWN_FILE
        from vbotd.store.submitting import submit_bytes
        # The file first: should we die here, the request still waits, and the same bytes are the same campaign.
        submit_bytes(layout, f"{OWN_FILE}{asked.key}.yaml", str(args["text"]).encode(), wait_s=0.0)
        carry_out(layout, "approve", {"request": asked.key}, key=f"{asked.key}{APPROVED}", as_json=as_json)
        return
    # The command anew, as this person's: the same checks, and the record says who let it pass.
    carry_out(layout, verb, {**args, "approved": True}, key=f"{asked.key}{APPROVED}", as_json=as_json)


def _is_over(reader: Reader, stored: Stored) -> bool:
    """Say whether a request is about a campaign that is closed; it has answered itself."""
    about = getattr(stored.event, "campaign", "")
    record = reader.record(about) if about else None
    return record is not None and record.status == "closed"


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
