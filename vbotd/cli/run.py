"""`vbotd run`: the daemon in the foreground."""

from __future__ import annotations

import click


@click.command("run")
@click.option("--until-idle", is_flag=True, help="End when no campaign is open and nothing waits in the inbox.")
@click.option("--quiet", is_flag=True, help="Log to state/vbotd.log only, not to the terminal.")
def command(until_idle: bool, quiet: bool) -> None:
    """Run the daemon: take in campaigns, train their trials, write state/WAKE_UP.md.

    The first Ctrl-C or SIGTERM ends the daemon and leaves the runs going; the next 'vbotd run' finds them again.
    A second one ends it at once. SIGHUP reads vbotd.yaml again.
    """
    from vbotd.daemon.process import run_daemon
    from vbotd.layout import Layout

    run_daemon(Layout.find(), until_idle=until_idle, quiet=quiet)
