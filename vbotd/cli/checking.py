"""Which campaign files does a person mean, and how are their problems shown? The checks are those of host/."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from vbotd.errors import NotFound
from vbotd.host.catalogue import Catalogue
from vbotd.host.checking import Checked, as_json, check_bytes, count, summary_lines
from vbotd.layout import Layout
from vbotd.store.inbox import MAX_CAMPAIGN_BYTES

__all__ = ["Checked", "as_json", "check_bytes", "check_files", "count", "load_catalogue", "print_problems",
           "read_campaign", "summary_lines"]


def load_catalogue(layout: Layout) -> Catalogue:
    """Return what the plugins offer, from a host that is started for this one question."""
    from vbotd.host.one_shot import one_shot_catalogue
    return one_shot_catalogue(layout.home)


def check_files(paths: Sequence[str], catalogue: Catalogue, layout: Layout) -> list[Checked]:
    """Return what is to be said of each file, in their order.

    Raises: NotFound when a file is not there.
    """
    return [check_bytes(path, read_campaign(path), catalogue, layout) for path in paths]


def read_campaign(path: str) -> bytes:
    """Return a file's bytes, at most one more than a campaign may have; `-` is the standard input.

    Raises: NotFound when there is no such file, or it cannot be read.
    """
    if path == "-":
        return sys.stdin.buffer.read(MAX_CAMPAIGN_BYTES + 1)
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_CAMPAIGN_BYTES + 1)
    except OSError as err:
        raise NotFound(f"{path}: cannot be read: {err.strerror} — name a campaign file, "
                       "or write one with 'vbotd new TASK'") from err


def print_problems(checked: Checked) -> None:
    """Print every problem of a file to the standard error, one line each."""
    for problem in checked.problems:
        click.echo(problem.render(checked.file), err=True)
