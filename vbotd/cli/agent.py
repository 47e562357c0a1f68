"""`vbotd agent`: let a model run the campaigns, inside its caps and the policy for agents."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from vbotd.cli.commanding import json_option
from vbotd.errors import VbotdError
from vbotd.layout import Layout


class NoModel(VbotdError):
    """The session could not go on: the endpoint did not answer, or a cap was met before anything was done."""


@click.command("agent")
@click.option("--once", is_flag=True, help="End where the model sleeps, instead of waiting with it.")
@click.option("--goal", default="", metavar="TEXT", help="What it is to do. Default: agents.goal of vbotd.yaml.")
@click.option("--max-turns", type=click.IntRange(1, 500), default=None, metavar="N",
              help="Answers of the model, at most. Default: agents.turns of vbotd.yaml.")
@click.option("--spent", is_flag=True, help="Ask nothing: say what this day has cost so far.")
@click.option("--event", type=click.IntRange(min=0), default=0, hidden=True)
@click.option("--awake", multiple=True, hidden=True)
@json_option
def command(once: bool, goal: str, max_turns: int | None, spent: bool, event: int, awake: tuple[str, ...],
            as_json: bool) -> None:
    """Let the model of vbotd.yaml run the campaigns through the tools for agents, until it is done.

    \b
    Needs in vbotd.yaml: model: {endpoint, name, key_env, api: chat|responses}
    Caps:                agents: {turns, tokens_per_wake, tokens_per_day, usd_per_day, ...}
    --json: {"session", "ending": done|asleep|turns|budget|endpoint, "why", "turns", "calls", "tool_characters",
             "tokens", "usd", "said"}; with --spent {"calls", "tokens", "usd", "tokens_cap", "usd_cap"}
    """
    layout = Layout.find()
    if spent:
        _spent(layout, as_json=as_json)
        return
    from vbotd.agent.llm_session import run_session

    ending = run_session(layout, goal=goal, turns=max_turns, once=once, event=event, awake=awake,
                         tell=lambda line: click.echo(line, err=as_json))
    if as_json:
        click.echo(json.dumps(asdict(ending)))
    if ending.ending == "endpoint" or (ending.ending == "budget" and not ending.turns):
        raise NoModel(ending.why)
    if not as_json:
        from vbotd.core.wording import counted
        click.echo(f"{ending.ending}: {ending.why} — {counted(ending.turns, 'turn')}, "
                   f"{counted(ending.calls, 'call')} of tools, {ending.tokens:,} tokens"
                   + (f", ${ending.usd:.4f}" if ending.usd else ""))


def _spent(layout: Layout, *, as_json: bool) -> None:
    from vbotd.agent.llm_session import ledger_of
    from vbotd.core.spending import total
    from vbotd.core.wording import counted
    from vbotd.store.configuration import read_config

    agents = read_config(layout).agents
    calls = ledger_of(layout, agents).today()
    cost = total(calls.values())
    if as_json:
        click.echo(json.dumps({"calls": len(calls), "tokens": cost.tokens, "usd": round(cost.usd, 6),
                               "tokens_cap": agents.tokens_per_day, "usd_cap": agents.usd_per_day}))
        return
    money = "" if not cost.usd and agents.usd_per_day is None else (
        f", ${cost.usd:.4f}" + (f" of ${agents.usd_per_day:g}" if agents.usd_per_day is not None else ""))
    click.echo(f"today (UTC): {counted(len(calls), 'call')}, {cost.tokens:,} of {agents.tokens_per_day:,} tokens"
               f"{money}")
