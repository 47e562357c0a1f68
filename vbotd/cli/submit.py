"""`vbotd submit`: hand campaign files to the daemon, and say what became of them."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import click

from vbotd.cli.checking import Checked, check_bytes, load_catalogue, print_problems, read_campaign
from vbotd.cli.commanding import json_option
from vbotd.errors import DaemonNotRunning, InvalidCampaign
from vbotd.layout import Layout
from vbotd.store.inbox import daemon_is_running
from vbotd.store.submitting import WAIT_S, Fate, submit_bytes


@click.command("submit")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--no-check", is_flag=True, help="Leave the check to the daemon.")
@click.option("--again", is_flag=True, help="Run the same file once more, as a new campaign.")
@json_option
def command(files: tuple[str, ...], no_check: bool, again: bool, as_json: bool) -> None:
    """Hand campaign files to the daemon. The same bytes twice are the same campaign, unless --again.

    All files are checked before any is handed over. Exit code 3: they wait in state/inbox for a daemon.
    """
    layout = Layout.find()
    contents = [(file, read_campaign(file)) for file in files]
    if not no_check:
        _refuse_bad(layout, contents)
    results = [submit_bytes(layout, file, stamped(data) if again else data) for file, data in contents]
    if as_json:
        click.echo(json.dumps({"files": [_as_json(file, fate) for file, fate in zip(files, results, strict=True)]}))
    else:
        for file, fate in zip(files, results, strict=True):
            _say(file, fate)
    if any(status == "refused" for status, _ in results):
        raise InvalidCampaign("the daemon refused what is listed above")
    if any(status == "queued" for status, _ in results):
        raise DaemonNotRunning(_why_queued(layout))


def stamped(data: bytes) -> bytes:
    """Return the same campaign in other bytes: a comment that says when it was submitted again."""
    newline = b"" if data.endswith(b"\n") or not data else b"\n"
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    return data + newline + f"# submitted again {when} ({secrets.token_hex(3)})\n".encode()


def _refuse_bad(layout: Layout, contents: list[tuple[str, bytes]]) -> None:
    catalogue = load_catalogue(layout)
    checked: list[Checked] = [check_bytes(file, data, catalogue, layout) for file, data in contents]
    bad = [result for result in checked if result.problems]
    for result in bad:
        print_problems(result)
    if bad:
        raise InvalidCampaign(f"nothing was submitted: {len(bad)} of {len(checked)} files cannot run")


def _say(file: str, fate: Fate) -> None:
    status, detail = fate
    if status == "accepted":
        click.echo(f"{file}: accepted as {detail} — follow it with 'vbotd watch {detail}'")
    elif status == "known":
        click.echo(f"{file}: these bytes are campaign {detail} already — 'vbotd submit --again {file}' runs it anew")
    elif status == "refused":
        for problem in detail:
            click.echo(problem.render(file), err=True)
    else:
        click.echo(f"{file}: waits as {detail}")


def _as_json(file: str, fate: Fate) -> dict[str, Any]:
    status, detail = fate
    return {"file": file, "status": status,
            "campaign": detail if status in ("accepted", "known") else None,
            "waits_as": detail if status == "queued" else None,
            "problems": [problem.render(file) for problem in detail] if status == "refused" else []}


def _why_queued(layout: Layout) -> str:
    if daemon_is_running(layout):
        return f"queued: the daemon has not taken it within {WAIT_S:g} s — see 'vbotd status'"
    return "queued, daemon not running — start it with 'vbotd run'"
