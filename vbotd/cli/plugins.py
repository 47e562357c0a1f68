"""`vbotd plugins`: which plugins loaded, what they take part in, and what is wrong with the others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress

import click

from vbotd.cli.checking import load_catalogue
from vbotd.cli.columns import columns
from vbotd.cli.commanding import json_option
from vbotd.domain.event import PluginBlocked
from vbotd.errors import StoreError
from vbotd.host.catalogue import Catalogue
from vbotd.layout import Layout
from vbotd.store.read import Reader


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List the plugins: where each comes from, the hooks it answers, its skills; and those that failed, with why."""
    layout = Layout.find()
    catalogue = load_catalogue(layout)
    blocked = blocked_plugins(layout)
    click.echo(json.dumps(_as_json(catalogue, blocked)) if as_json else _as_text(catalogue, blocked))


def blocked_plugins(layout: Layout) -> dict[str, str]:
    """Return the plugins that the daemon has stopped asking since it last started, with why."""
    # A store that cannot be read is the doctor's business; the list of plugins is none the worse for it.
    with suppress(StoreError, sqlite3.Error), Reader(layout.store) as reader:
        started = reader.last_events(kinds=("DaemonStarted",), limit=1)
        events = reader.events(after=started[0].seq if started else 0, kinds=("PluginBlocked",))
        return {stored.event.plugin: stored.event.why for stored in events if isinstance(stored.event, PluginBlocked)}
    return {}


def _as_text(catalogue: Catalogue, blocked: dict[str, str]) -> str:
    rows = [(plugin.name, plugin.version or "-", ", ".join(plugin.skills) or "-", ", ".join(plugin.hooks),
             plugin.source) for plugin in catalogue.plugins]
    lines = [columns(("plugin", "version", "skills", "hooks", "from"), rows) if rows else "no plugin loaded"]
    lines += [f"failed: {failure.name} ({failure.source}): {failure.error}" for failure in catalogue.failures]
    lines += [f"blocked: {name}: {why} — it is asked again when the daemon starts again"
              for name, why in blocked.items()]
    return "\n".join(lines)


def _as_json(catalogue: Catalogue, blocked: dict[str, str]) -> dict[str, object]:
    return {
        "plugins": [{"name": plugin.name, "source": plugin.source, "version": plugin.version,
                     "hooks": list(plugin.hooks), "skills": list(plugin.skills),
                     "blocked": blocked.get(plugin.name)} for plugin in catalogue.plugins],
        "failures": [{"name": failure.name, "source": failure.source, "error": failure.error}
                     for failure in catalogue.failures],
    }
