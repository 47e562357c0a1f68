"""`vbotd audit`: look for ways to exploit a reward, before any compute is spent on it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.checking import check_files, load_catalogue, print_problems
from vbotd.cli.columns import columns
from vbotd.cli.commanding import json_option
from vbotd.cli.progress import ProgressPrinter
from vbotd.cli.tasks import find_task
from vbotd.cli.train import checked_params
from vbotd.core.reward_budget import is_overruled
from vbotd.domain.campaign import Campaign
from vbotd.errors import InvalidCampaign, VbotdError
from vbotd.host.catalogue import Catalogue
from vbotd.layout import Layout

NUM_TERMS = 3  # shown of what pays a probe


class BrokenIncentive(VbotdError):
    """The audit found something that a learner would exploit."""


@click.command("audit")
@click.argument("name", metavar="TASK|CAMPAIGN.yaml")
@click.option("--set", "--param", "settings", multiple=True, metavar="KEY=VALUE",
              help="Such as reward.alive_reward=150; repeat.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads.")
@click.option("--terms", is_flag=True, help="Show every term of every probe.")
@json_option
def command(name: str, settings: tuple[str, ...], seed: int, threads: int, terms: bool, as_json: bool) -> None:
    """Look for ways to exploit the reward of a TASK, or of a CAMPAIGN.yaml with its fixed settings.

    Two real iterations of training, then probes that stand, walk, hover, fall on purpose: what each earns, and
    what a learner would rather do than the task. One to two minutes. The exit code is 1 where a finding is an error
    that the campaign does not overrule by `allow`.
    """
    layout = Layout.find()
    catalogue = load_catalogue(layout)
    campaign = _campaign(name, catalogue, layout) if name.endswith((".yaml", ".yml")) or name == "-" else None
    card = find_task(catalogue, campaign.task if campaign else name)
    params = {**(campaign.params if campaign else {}), **checked_params(card, parse_assignments(settings))}
    allowed = campaign.allow if campaign else ()
    report = _audit(card.name, params, campaign.train.num_envs if campaign else None, seed, threads, quiet=as_json)
    for finding in report["findings"]:
        finding["overruled"] = is_overruled(finding["rule"], allowed)
    if as_json:
        click.echo(json.dumps(report))
    else:
        click.echo(report_text(report, every_term=terms))
    errors = [f["rule"] for f in report["findings"] if f["level"] == "error" and not f["overruled"]]
    if errors:
        raise BrokenIncentive(f"{card.name}: {', '.join(errors)} — change what pays for it, or overrule it in the "
                              "campaign by 'allow: [reward-budget]'")


def _campaign(file: str, catalogue: Catalogue, layout: Layout) -> Campaign:
    checked, = check_files([file], catalogue, layout)
    if checked.campaign is None:
        print_problems(checked)
        raise InvalidCampaign(f"{file}: {len(checked.problems)} problem{'s' * (len(checked.problems) != 1)}")
    return checked.campaign


def _audit(task: str, params: Mapping[str, Any], num_envs: int | None, seed: int, threads: int, *, quiet: bool
           ) -> dict[str, Any]:
    from vbotd.train.threads import prepare
    prepare()
    from vbotd.train.audit import audit_here
    from vbotd.train.runio import SpecError

    printer = ProgressPrinter()

    def tell(doing: str, share: float) -> None:
        if not quiet:
            printer.show(f"auditing {task}: {doing}, {share:.0%}")

    here = Path.cwd()
    # MuJoCo writes its warnings into the current folder.
    with TemporaryDirectory(prefix="vbotd-audit-") as folder:
        os.chdir(folder)
        try:
            return audit_here(task, params, num_envs, seed, threads, tell)
        except SpecError as err:
            raise VbotdError(str(err)) from err
        finally:
            os.chdir(here)
            printer.end()


def report_text(report: Mapping[str, Any], *, every_term: bool = False) -> str:
    """Return the report for a person: what each probe earned, then what follows."""
    lines = [
        f"{report['task']}: an episode is {report['episode_s']:g} s, gamma {report['gamma']:g} per "
        f"{1000 * report['control_dt_s']:g} ms; {report['episodes_per_probe']} episodes of each probe, means",
        "",
        columns(("probe", "sum", "per s", "discounted", "lasts", "success", "falls", "paid most by"),
                [_row(probe, report["reference"]) for probe in report["probes"]]),
    ]
    if every_term:
        lines += ["", columns(("probe", "term", "sum", "per s", "discounted"),
                              [row for probe in report["probes"] for row in _term_rows(probe)])]
    iteration = report["iteration"]
    lines += ["", f"training: {iteration['env_steps_per_s']:,.0f} env steps/s with {report['num_envs']} environments, "
                  f"{iteration['share']:.0%} of stepping alone ({iteration['stepping_per_s']:,.0f}); "
                  f"audited in {report['wall_s']:.0f} s", ""]
    return "\n".join([*lines, *_finding_lines(report["findings"])])


def _row(probe: Mapping[str, Any], reference: str | None) -> tuple[str, ...]:
    paid = sorted(((term["sum"], name) for name, term in probe["terms"].items() if term["sum"] > 0), reverse=True)
    most = ", ".join(f"{name} {_number(value)}" for value, name in paid[:NUM_TERMS])
    name = f"{probe['name']} *" if probe["name"] == reference else probe["name"]
    return (name, _number(probe["total"]), _number(probe["rate_per_s"]), _number(probe["discounted"]),
            f"{probe['length_s']:.1f} s", f"{probe['success_rate']:.0%}", f"{probe['fall_rate']:.0%}", most or "-")


def _term_rows(probe: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(probe["name"], name, *(_number(term[key]) for key in ("sum", "rate_per_s", "discounted")))
            for name, term in sorted(probe["terms"].items(), key=lambda item: -abs(item[1]["sum"]))]


def _finding_lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not findings:
        return ["nothing to object to: doing the task (*) pays best"]
    lines = []
    for finding in findings:
        overruled = " (overruled by allow)" if finding.get("overruled") and finding["level"] == "error" else ""
        lines += [f"{finding['level']}: {finding['rule']}{overruled}: {finding['message']}"]
        lines += [f"    {finding['fix']}"] if finding["fix"] else []
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
