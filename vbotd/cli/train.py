"""`vbotd train`: train one policy by hand, in this very process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vbotd.cli.assignments import parse_assignments
from vbotd.cli.checking import count, load_catalogue
from vbotd.cli.checkpoint_of import find_checkpoint
from vbotd.cli.commanding import not_found_message
from vbotd.cli.progress import ProgressPrinter, progress_line
from vbotd.cli.scores import HELD_OUT_INSTANCES, score_lines
from vbotd.cli.tasks import find_task
from vbotd.domain.task import ParamValue, TaskCard
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_atomic

EVALUATE_EPISODES = 256


@click.command("train")
@click.argument("task")
@click.option("--env-steps", type=click.FloatRange(min=1), help="Env steps, such as 2e6. Default: the task's.")
@click.option("--num-envs", type=click.IntRange(min=1), help="Environments at once. Default: the task's.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads. Default: all cores.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Such as ppo.gamma=0.98; repeat.")
@click.option("--from", "start", default=None, metavar="TRIAL|RUN|CHECKPOINT", help="Start from these weights.")
@click.option("--render", is_flag=True, help="Render a clip of the result.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The run's folder; it must be new.")
@click.option("--no-evaluate", is_flag=True, help="Do not measure it on held-out episodes afterwards.")
def command(task: str, env_steps: float | None, num_envs: int | None, seed: int, threads: int | None,
            settings: tuple[str, ...], start: str | None, render: bool, out: Path | None, no_evaluate: bool) -> None:
    """Train a policy for TASK in this process, then measure it on held-out episodes.

    Ctrl-C saves a checkpoint and ends; a second one ends at once. What the daemon runs is not disturbed, but
    both share the machine.
    """
    layout = Layout.find()
    card = find_task(load_catalogue(layout), task)
    params = checked_params(card, parse_assignments(settings))
    warm_start = find_checkpoint(layout, start) if start else None
    threads = threads or cores()
    if render:
        _require_renderer()
    run_dir = new_run_dir(out or layout.adhoc_runs / f"{card.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    total = int(env_steps or card.env_steps)
    click.echo(f"training {card.name}, {count(total)} env steps, {threads} thread{'s' * (threads != 1)}, in {run_dir}")
    checkpoint, stopped = _train(card, run_dir, params, total, num_envs or card.num_envs, seed, threads, warm_start)
    if not no_evaluate and not stopped:
        _evaluate(card, checkpoint, threads, run_dir)
    if render and not stopped:
        _render(checkpoint, run_dir, seed)
    click.echo(f"\n{'stopped early; ' * stopped}checkpoint: {checkpoint}\n\nnext:\n  vbotd play {checkpoint}\n"
               f"  vbotd evaluate {checkpoint}\n  vbotd train {card.name} --from {checkpoint}\n"
               f"  tensorboard --logdir {run_dir}")


def checked_params(card: TaskCard, params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Return the settings as they are if the task has them and allows their values.

    Raises: click.UsageError naming the setting, what is allowed, and the nearest key.
    """
    for key, value in params.items():
        param = card.param(key)
        if param is None:
            raise click.UsageError(not_found_message(f"setting of {card.name}", key, [p.key for p in card.params],
                                                     f"'vbotd tasks {card.name}' lists them"))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        below = is_number and param.low is not None and value < param.low  # type: ignore[operator]
        above = is_number and param.high is not None and value > param.high  # type: ignore[operator]
        if below or above or (param.choices and value not in param.choices):
            raise click.UsageError(f"{key} is {value!r} — see 'vbotd tasks {card.name}' for what is allowed")
    return dict(params)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def new_run_dir(path: Path) -> Path:
    """Make a folder for a run and return it; one that is there already belongs to another run."""
    try:
        path.mkdir(parents=True)
    except FileExistsError as err:
        raise VbotdError(f"{path} is there already — a run needs a folder of its own — "
                         "give another with --out") from err
    return path.resolve()


def _train(card: TaskCard, run_dir: Path, params: Mapping[str, ParamValue], env_steps: int, num_envs: int, seed: int,
           threads: int, warm_start: Path | None) -> tuple[Path, bool]:
    """Train and return the checkpoint to use, and whether it was stopped early."""
    from vbotd.train.runio import SpecError
    from vbotd.train.session import train_here
    printer = ProgressPrinter()
    try:
        with stop_on_ctrl_c(run_dir):
            result = train_here(card.name, run_dir, params, env_steps, num_envs, seed, threads, warm_start=warm_start,
                                on_progress=lambda beat: printer.show(progress_line(beat, env_steps)))
    except SpecError as err:
        raise VbotdError(str(err)) from err
    finally:
        printer.end()
    if result["outcome"] == "diverged" or not result.get("checkpoint"):
        raise VbotdError(f"training {result['outcome']}: {result['reason'] or 'no checkpoint was made'} — "
                         f"see {run_dir} — try a smaller ppo.learning_rate")
    return run_dir / result["checkpoint"]["path"], result["outcome"] == "stopped"


@contextmanager
def stop_on_ctrl_c(run_dir: Path) -> Iterator[None]:
    """Make the first Ctrl-C or SIGTERM a request to save and end, as a run does; the second ends at once."""
    def ask(_signum: int, _frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        write_atomic(run_dir / "stop", "Ctrl-C\n", durable=False)
        click.echo("\nstopping after this iteration, a checkpoint is saved (Ctrl-C again: at once)", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _evaluate(card: TaskCard, checkpoint: Path, threads: int, run_dir: Path) -> None:
    from vbotd.train.session import evaluate_here
    metrics = evaluate_here(checkpoint, EVALUATE_EPISODES, HELD_OUT_INSTANCES, threads, run_dir=run_dir / "evaluate")
    click.echo(f"\non {EVALUATE_EPISODES} held-out episodes (95 % intervals):")
    for line in score_lines(metrics, first=card.metric.tag):
        click.echo(f"  {line}")


def _require_renderer() -> None:
    """Choose what to render with. Order: before the training, since mujoco looks for it once, when it is imported."""
    from vbotd.train.render import RenderError, choose_gl
    try:
        choose_gl()
    except RenderError as err:
        raise VbotdError(f"--render: {err}") from err


def _render(checkpoint: Path, run_dir: Path, seed: int) -> None:
    from vbotd.train.render import RenderError, render_policy
    try:
        click.echo(f"clip: {render_policy(checkpoint, run_dir / 'capture' / 'clip.mp4', seconds=10.0, seed=seed)}")
    except RenderError as err:
        # The training is done and measured; a missing driver is no reason to say that it failed.
        click.echo(f"no clip: {err}", err=True)
