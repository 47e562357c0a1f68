"""How are settings written on a command line? As `key=value`; what is no setting is wrong usage."""

from __future__ import annotations

from collections.abc import Iterable

import click

from vbotd.core import assignments
from vbotd.domain.task import ParamValue


def parse_assignments(texts: Iterable[str]) -> dict[str, ParamValue]:
    """Return the settings in `key=value` texts.

    Raises: click.UsageError (exit code 2) for what is none.
    """
    try:
        return assignments.parse_assignments(texts)
    except assignments.BadAssignment as err:
        raise click.UsageError(str(err)) from err
