"""`vbotd health`: what do the health rules see in a run, and what are the rules themselves worth?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from vbotd.cli.show import json_option, print_json

if TYPE_CHECKING:
    from vbotd.cli.run_view import RunView
    from vbotd.core.interval import Measured

CURVES, HEALTHY_RUNS, BROKEN_RUNS = 1000, 100, 20
MARKS = {"error": "✗", "warning": "!", "info": "·"}


@click.command("health")
@click.argument("target", metavar="[RUN_OR_TRIAL_OR_CAMPAIGN]", required=False)
@click.option("--selftest", is_flag=True, help="Measure the rules on made-up runs whose trouble is known; a minute.")
@click.option("--curves", type=click.IntRange(min=1), default=CURVES, show_default=True,
              help="With --selftest: healthy curves, and as many that collapse.")
@click.option("--runs", type=click.IntRange(min=1), default=BROKEN_RUNS, show_default=True,
              help="With --selftest: runs of each trouble, and five times as many healthy ones.")
@json_option
def command(target: str | None, selftest: bool, curves: int, runs: int, as_json: bool) -> None:
    """Say what the health rules see in the runs of a target, live or past. Reads the run folders only.

    A finding is a reason to look. Only what makes all further env steps worthless stops a run that the daemon watches,
    and a campaign overrules that by name: 'allow: [collapse]'.

    \b
    --json: {"runs": [{"run", "state", "findings": [{"rule", "level", "message", "tag", "value", "env_steps", "fix",
             "stop"}]}]}
    --selftest --json: {"thresholds", "guard": {"recall", "in_time", "false_stops", "early", "delay_rate",
             "saved_rate"}, "rules": {"recall": {LABEL: {"value", "low", "high", "n"}}, "false_stops", "false_alarms",
             "alarms", "missed"}}
    """
    if selftest == (target is not None):
        raise click.UsageError("name a run, or ask for --selftest — one of them" if selftest else
                               "name a run, a trial or a campaign, or ask for --selftest")
    if target is None:
        _selftest(curves, runs, as_json)
        return
    from dataclasses import asdict

    from vbotd.cli.run_view import RunWatch
    from vbotd.cli.runs_of import trained_runs
    from vbotd.layout import Layout
    layout = Layout.find()
    views = [RunWatch(folder, layout).look() for folder in trained_runs(layout, target)]
    if as_json:
        print_json({"runs": [{"run": view.name, "state": view.state,
                              "findings": [asdict(finding) for finding in view.diagnosis.findings]} for view in views]})
        return
    for view in views:
        _show(view)


def _show(view: RunView) -> None:
    click.echo(f"{view.name}, {view.state}")
    for finding in view.diagnosis.findings:
        stops = ", stops the run" if finding.stop else ""
        click.echo(f"  {MARKS[finding.level]} {finding.rule} ({finding.level}{stops}): {finding.message}")
        if finding.fix:
            click.echo(f"      {finding.fix}")
    if not view.diagnosis.findings:
        click.echo("  no rule has anything against it")


def _selftest(curves: int, runs: int, as_json: bool) -> None:
    import random
    from dataclasses import asdict

    from vbotd.core.health import THRESHOLDS
    from vbotd.core.health.corpus_curves import measuring_collapsing, measuring_healthy, sampled
    from vbotd.core.health.corpus_runs import TROUBLES, broken_run, healthy_run
    from vbotd.core.health.guard_figures import guard_figures
    from vbotd.core.health.rule_figures import rule_figures
    good = sampled(measuring_healthy, [random.Random(f"selftest healthy {n}") for n in range(curves)])
    bad = sampled(measuring_collapsing, [random.Random(f"selftest collapsing {n}") for n in range(curves)])
    guard = guard_figures(good, bad)
    well = [healthy_run(random.Random(f"selftest run {n}")) for n in range(5 * runs)]
    ill = [broken_run(random.Random(f"selftest {label} {n}"), label) for label in TROUBLES for n in range(runs)]
    rules = rule_figures([*well, *ill])
    if as_json:
        print_json({"thresholds": THRESHOLDS.version, "guard": asdict(guard), "rules": asdict(rules)})
        return
    click.echo(f"thresholds of version {THRESHOLDS.version}; in brackets the 95 % interval (Wilson)\n")
    click.echo(f"collapse guard, {curves:,} healthy curves and {curves:,} that collapse")
    for text, rate in (("healthy ones stopped", guard.false_stops), ("collapsing ones stopped", guard.recall),
                       ("  within 10 % of the run after the peak", guard.in_time), ("  before the peak", guard.early)):
        _line(text, rate)
    click.echo(f"  {'median delay after the peak':<42}{guard.delay_rate or 0.0:>7.1%} of the run")
    click.echo(f"  {'env steps after the peaks saved':<42}{guard.saved_rate or 0.0:>7.1%}\n")
    click.echo(f"healthy runs, {len(well):,}")
    _line("stopped", rules.false_stops)
    _line("with a warning or an error", rules.false_alarms)
    click.echo(f"\nruns with a known trouble, {runs} of each: found")
    for label, rate in rules.recall.items():
        _line(label + (" (stops)" if TROUBLES[label][1] else ""), rate)


def _line(text: str, rate: Measured | Mapping[str, Any] | None) -> None:
    if rate is not None:
        click.echo(f"  {text:<42}{rate['value']:>7.1%}  [{rate['low']:.1%}, {rate['high']:.1%}]")
