"""The command line: one file a verb, loaded when the verb is called, so that `vbotd status` starts at once.

The rule this protects: a verb that is missing or broken costs nobody else anything.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from importlib.util import find_spec

import click

from vbotd.errors import VbotdError

# Each verb is `vbotd.cli.<verb>:command`. The words here are what `vbotd --help` shows without loading any of them.
VERBS: Mapping[str, Mapping[str, str]] = {
    "Campaigns": {
        "new": "Write a commented campaign file for a task.",
        "check": "Say what is wrong with a campaign file, without submitting it.",
        "submit": "Put a campaign into the inbox.",
        "run": "Run the daemon.",
        "pause": "Start no further run of a campaign.",
        "resume": "Let a paused campaign go on.",
        "amend": "Change the budget of a campaign.",
        "propose": "Ask a campaign to try settings of your own.",
        "note": "Write a remark to a campaign.",
        "cancel": "End a campaign or a run before its time.",
        "approve": "Let pass what an agent asks for, or turn it down.",
        "demo": "See a whole night in a few minutes.",
    },
    "What is true": {
        "status": "Campaigns, live runs and free cores, also while no daemon runs.",
        "watch": "The same, live.",
        "report": "The morning report, made anew.",
        "log": "The events, one a line.",
        "explain": "Everything about a campaign, a trial, a run or an event.",
        "review": "One page to read before starting on a task.",
    },
    "Robot and training": {
        "tasks": "The tasks and their settings.",
        "train": "Train by hand.",
        "play": "Show a policy.",
        "view": "Show a task without a policy.",
        "evaluate": "Measure a checkpoint on held-out episodes.",
        "rank": "Order checkpoints by held-out episodes.",
        "audit": "Look for ways to exploit a reward.",
        "capture": "Take pictures of a policy.",
        "monitor": "The series of a run.",
        "compare": "Series and scores of several runs.",
        "analyze": "What the trials of a campaign teach.",
        "bench": "How fast this machine trains.",
    },
    "Plugins and agents": {
        "plugins": "The plugins, their hooks, and those that failed.",
        "skills": "The guides for agents.",
        "tools": "The tools for agents.",
        "call": "Call a tool.",
        "mcp": "Serve the tools over MCP.",
        "agent": "Let a model run the campaigns.",
    },
    "Care": {
        "doctor": "Check the workspace and the machine.",
        "health": "What the health rules see in a run.",
        "chaos": "Prove on this machine that a killed daemon loses nothing.",
    },
}


class Refusal(click.ClickException):
    """An expected error as click shows it: the message and the exit code, no traceback."""

    def __init__(self, error: VbotdError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: object = None) -> None:
        """Print the message to stderr."""
        click.echo(f"vbotd: {self.message}", err=True)


class Verbs(click.Group):
    """Finds a verb's command in its own module, and imports that module only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs that this installation has."""
        return [verb for verbs in VERBS.values() for verb in verbs if is_there(verb)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command, or None when there is no such verb."""
        if not any(cmd_name in verbs for verbs in VERBS.values()):
            return None
        if not is_there(cmd_name):
            raise Refusal(VbotdError(f"'{cmd_name}' is not part of this installation (there is no module "
                                     f"vbotd.cli.{cmd_name}) — the other verbs work, see 'vbotd --help'"))
        command = importlib.import_module(f"vbotd.cli.{cmd_name}").command
        assert isinstance(command, click.Command), f"vbotd.cli.{cmd_name}.command is no click command"
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; an unknown verb is answered with the nearest ones."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches
            near = get_close_matches(args[0], self.list_commands(ctx), n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(repr(verb) for verb in near)}?" if near else "see 'vbotd --help'"
            ctx.fail(f"there is no verb '{args[0]}' — {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs into the help, by group, without importing them."""
        for title, verbs in VERBS.items():
            rows = [(verb, summary) for verb, summary in verbs.items() if is_there(verb)]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; an expected error becomes its message and its exit code."""
        try:
            return super().invoke(ctx)
        except VbotdError as error:
            raise Refusal(error) from error


def is_there(verb: str) -> bool:
    """Say whether this installation has the module of a verb."""
    return find_spec(f"vbotd.cli.{verb}") is not None


def _set_home(ctx: click.Context, parameter: click.Parameter, home: str | None) -> None:
    # Every verb, and every process that a verb starts, asks Layout.find(), which looks here first.
    if home:
        os.environ["VBOTD_HOME"] = os.path.abspath(home)


def _print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from vbotd import __version__
        click.echo(f"vbotd {__version__}")
        ctx.exit()


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", metavar="FOLDER", expose_value=False, is_eager=True, callback=_set_home,
              help="The workspace. Default: VBOTD_HOME, else the folder upwards that holds vbotd.yaml or state/.")
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
              help="Show the version.")
def cli() -> None:
    """Run reinforcement-learning campaigns for a quadruped overnight, and tell the truth in the morning.

    Exit codes: 0 done, 2 wrong usage, 3 no daemon runs, 4 invalid campaign, 5 not found, 1 anything else.
    """
