"""How does a verb that changes something reach the daemon, and what is said when nobody is there?"""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from vbotd.errors import DaemonNotRunning, NotFound, StoreError, VbotdError
from vbotd.layout import Layout
from vbotd.store.inbox import daemon_is_running, send_command, wait_for_answer
from vbotd.store.read import Reader

WAIT_S = 5.0


class CommandRefused(VbotdError):
    """The daemon looked at a command and would not carry it out."""


def principal() -> str:
    """Return who asks, for the record: the user at this terminal."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def carry_out(layout: Layout, verb: str, args: Mapping[str, Any], *, key: str | None, as_json: bool,
              wait_s: float = WAIT_S) -> None:
    """Send a command, wait for the daemon's answer and print it.

    Raises: CommandRefused with the daemon's reason; DaemonNotRunning (exit code 3) when the command waits
        for a daemon, which is no loss: it is carried out once, as soon as one runs.
    """
    running = daemon_is_running(layout)
    key = send_command(layout, verb, args, principal=principal(), key=key)
    # Without a daemon one look is enough: a repeat under an old key may have its answer already.
    answer = wait_for_answer(layout, key, wait_s if running else 0.0)
    if as_json:
        click.echo(json.dumps({"key": key, "verb": verb, "args": dict(args),
                               "status": "queued" if answer is None else "accepted" if answer[0] else "refused",
                               "answer": answer[1] if answer else ""}))
    if answer is None:
        raise DaemonNotRunning(_queued(verb, key, running=running))
    if not answer[0]:
        raise CommandRefused(f"{verb}: refused: {answer[1]}")
    if not as_json:
        click.echo(answer[1])


def _queued(verb: str, key: str, *, running: bool) -> str:
    if running:
        return f"{verb}: queued as {key} — the daemon has not answered within {WAIT_S:g} s, see 'vbotd status'"
    return f"{verb}: queued as {key}, daemon not running — it is carried out when 'vbotd run' starts"


def require_known(layout: Layout, name: str, *, campaign_only: bool = False) -> str:
    """Return the id that a person meant: exact, or the only campaign that begins so.

    A workspace without a store knows nothing yet; the name is passed on as it is, the daemon will judge it.

    Raises: NotFound with the nearest names.
    """
    with suppress(StoreError), Reader(layout.store) as reader:
        if reader.record(name) or (not campaign_only and (reader.trial(name) or reader.run(name))):
            return name
        ids = [record.id for record in reader.records()]
        begun = [i for i in ids if i.startswith(name)]
        if len(begun) == 1:
            return begun[0]
        raise NotFound(not_found_message("campaign" if campaign_only else "campaign, trial or run", name, ids,
                                         "see 'vbotd status'"))
    return name


def not_found_message(what: str, name: str, known: list[str], remedy: str) -> str:
    """Return "no WHAT 'NAME' — did you mean …", with the newest names where nothing is near."""
    from difflib import get_close_matches
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        hint = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    elif known:
        hint = "known: " + ", ".join(known[-8:]) + (" …" if len(known) > 8 else "")
    else:
        hint = "there is none yet"
    return f"no {what} '{name}' — {hint} — {remedy}"


def key_option(command: Any) -> Any:
    """Add `--key`: repeat a command under the same key and it has one effect."""
    return click.option("--key", default=None, metavar="KEY",
                        help="Idempotency key: a repeat under the same key has no further effect.")(command)


def json_option(command: Any) -> Any:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)
