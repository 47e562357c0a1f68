"""`vbotd demo`: a small campaign from its file to WAKE_UP.md, while you watch."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from contextlib import suppress

import click

from vbotd.cli.progress import ProgressPrinter, clock
from vbotd.cli.scores import score_text
from vbotd.cli.submit import stamped
from vbotd.domain.event import TrialJudged
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run, Trial
from vbotd.errors import StoreError, VbotdError
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, write_atomic
from vbotd.store.inbox import daemon_is_running, drop_campaign
from vbotd.store.read import Reader

POLL_S = 0.5
REPORT_LINES = 30
CAMPAIGN = """\
# yaml-language-server: $schema=../schemas/campaign.schema.json
# The campaign of `make demo` and `vbotd demo`: some minutes on two CPU cores.
version: 1
name: demo
task: vbot_walk_flat
skills: [hp-search]

# Three settings, each trained for 1.5 M env steps; two at once on two cores, the last on both.
budget: {hours: 1, trials: 3}
train: {env_steps: 1.5e6, seed: 1}
evaluate: {episodes: 256}

search:
  space:
    ppo.learning_rate: {log: [5e-4, 2e-3]}
    ppo.entropy: {uniform: [0.0, 0.01]}
    reward.action_rate_cost: {uniform: [-0.03, -0.003]}

# Reached when the unlucky end of the champion's 95 % interval passes this.
gate: {eval/success_rate: ">= 0.9"}
"""


@click.command("demo")
def command() -> None:
    """Run a small campaign from its file to state/WAKE_UP.md, with live progress.

    Works again and again: each time is a new campaign, and one that was interrupted is gone on with. Exit code 0
    only when a best trial is named at the end.
    """
    layout = Layout.find()
    began_s = time.monotonic()
    path = layout.home / "campaigns" / "demo.yaml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, CAMPAIGN)
    sha256 = hand_in(layout, path.read_bytes())
    daemon = None if daemon_is_running(layout) else start_daemon()
    try:
        record = follow(layout, sha256, daemon, began_s)
        if daemon is not None:
            daemon.wait()
    except KeyboardInterrupt:
        raise VbotdError("interrupted: what was training goes on by itself — 'vbotd demo' again picks it up, "
                         "'vbotd cancel' ends it") from None
    _show_end(layout, record, time.monotonic() - began_s)


def hand_in(layout: Layout, data: bytes) -> str:
    """Put the demo into the inbox and return the hash of its bytes; one that is still open is taken instead."""
    with suppress(StoreError), Reader(layout.store) as reader:
        for record in reversed(reader.records("open", "closing", "paused")):
            if record.content.name == "demo":
                click.echo(f"{record.id} was interrupted, going on with it")
                return record.sha256
        # The same bytes would be the same campaign, which is over.
        if reader.campaign_with(hashlib.sha256(data).hexdigest()):
            data = stamped(data)
    waits_as = drop_campaign(layout, "demo.yaml", data)
    click.echo(f"handed in as {waits_as}")
    return hashlib.sha256(data).hexdigest()


def start_daemon() -> subprocess.Popen[bytes]:
    """Start a daemon that ends when nothing is left to do; Ctrl-C reaches it as well."""
    click.echo("starting the daemon (vbotd run --until-idle), its log is state/vbotd.log")
    return subprocess.Popen([sys.executable, "-m", "vbotd", "run", "--until-idle", "--quiet"])


def follow(layout: Layout, sha256: str, daemon: subprocess.Popen[bytes] | None, began_s: float) -> CampaignRecord:
    """Print what happens to the campaign until it is closed, and return it.

    Raises: VbotdError when the daemon ends before the campaign does, or refuses the file.
    """
    printer, told = ProgressPrinter(), 0
    while True:
        # Order: the daemon's end before the look at the store, so that its last words are not missed.
        ended = daemon is not None and daemon.poll() is not None
        with suppress(StoreError), Reader(layout.store) as reader:
            campaign = reader.campaign_with(sha256)
            record = reader.record(campaign) if campaign else None
            if record is not None:
                told = _tell_events(reader, record.id, told, printer)
                if record.status == "closed":
                    printer.end()
                    return record
                printer.show(status_line(layout, record, reader.trials(record.id), reader.runs(record.id), began_s))
        if ended:
            printer.end()
            raise VbotdError(f"the daemon ended before the campaign did (code {daemon.returncode if daemon else 0}) — "
                             f"see {layout.log} and {layout.rejected}")
        time.sleep(POLL_S)


def _tell_events(reader: Reader, campaign: str, after: int, printer: ProgressPrinter) -> int:
    for stored in reader.events(after=after, campaign=campaign):
        after = stored.seq
        if isinstance(stored.event, TrialJudged):
            printer.end()
            judged = stored.event
            score = f", score {score_text(judged.score)}" if judged.score else ""
            click.echo(f"{judged.trial}: {judged.verdict}{score}: {judged.why}")
    return after


def status_line(layout: Layout, record: CampaignRecord, trials: tuple[Trial, ...], runs: tuple[Run, ...],
                began_s: float) -> str:
    """Return how the campaign stands, in one line."""
    done = sum(trial.judged for trial in trials)
    doing = [_run_text(layout, run) for run in runs if run.is_live]
    return (f"{clock(time.monotonic() - began_s)}  {record.id}  {done} of {record.content.budget.trials} trials judged"
            f"  {'; '.join(doing) or 'nothing running yet'}")


def _run_text(layout: Layout, run: Run) -> str:
    name = "/".join(run.id.split("/")[1:])
    try:
        beat = read_json(layout.run(run.id) / "heartbeat.json")
    except UnreadableFile:
        beat = None
    if not beat or not beat.get("total_env_steps"):
        return f"{name} starts"
    done, total, rate = (float(beat.get(key) or 0.0) for key in ("env_steps", "total_env_steps", "env_steps_per_s"))
    left = f", {clock((total - done) / rate)} left" if rate > 0 else ""
    success = beat.get("success_rate")
    far = f"{done / 1e6:.2f} of {total / 1e6:.2f} M env steps" if run.kind == "train" else f"{done / total:.0%}"
    return (f"{name} {far}{left}"
            + ("" if success is None else f", success {success:.0%}"))


def _show_end(layout: Layout, record: CampaignRecord, seconds: float) -> None:
    click.echo(f"\n{record.id}: {record.outcome} after {clock(seconds)}: {record.why}")
    if layout.wake_up.exists():
        lines = layout.wake_up.read_text(encoding="utf-8").splitlines()
        click.echo(f"\n{layout.wake_up} begins:\n\n" + "\n".join(f"  {line}" for line in lines[:REPORT_LINES]))
    if not record.champion:
        raise VbotdError(f"no best trial: {record.why} — 'vbotd report {record.id}' says more, "
                         f"'vbotd doctor' looks at the machine")
    click.echo(f"\nbest trial: {record.champion}\n\nnext:\n  vbotd report {record.id}\n  vbotd play {record.champion}\n"
               "  vbotd new vbot_walk_flat")
