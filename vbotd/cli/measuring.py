"""How is a checkpoint measured by hand? On held-out instances, one row an episode, with progress for who waits.

The rule this protects: copies of one checkpoint are told by their hash, and measured once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from vbotd.cli.progress import ProgressPrinter
from vbotd.cli.train import checked_params, cores
from vbotd.core.accounts import Accounts, from_csv
from vbotd.core.wording import setting
from vbotd.domain.task import ParamValue, TaskCard
from vbotd.errors import VbotdError
from vbotd.store.files import sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A checkpoint as somebody named it. `same_as` is the earlier name of the same file content, None for the first."""

    name: str
    path: Path
    sha256: str
    same_as: str | None
    card: TaskCard
    params: Mapping[str, Any]  # what it was trained with, where that is not the default
    env_steps: int


def candidates(named: Iterable[tuple[str, Path]]) -> list[Candidate]:
    """Return checkpoints with their tasks, in the order given.

    Raises: VbotdError for a file that is no checkpoint.
    """
    from vbotd.train.checkpoint import load
    from vbotd.train.runio import SpecError
    from vbotd.train.tasks.registry import find
    found: list[Candidate] = []
    for name, path in named:
        sha256 = sha256_of(path)
        first = next((c for c in found if c.sha256 == sha256), None)
        try:
            saved = load(path)
            card = find(saved["task"])
        except SpecError as err:
            raise VbotdError(f"{name}: {err}") from err
        found.append(Candidate(name=name, path=path, sha256=sha256, same_as=first.name if first else None, card=card,
                               params=saved["params"], env_steps=int(saved["env_steps"])))
    return found


def distinct(found: Iterable[Candidate]) -> list[Candidate]:
    """Return the checkpoints without the copies."""
    return [candidate for candidate in found if candidate.same_as is None]


def one_task(found: Iterable[Candidate]) -> TaskCard:
    """Return the task of all these checkpoints.

    Raises: VbotdError where they are of several tasks, naming them.
    """
    cards = {candidate.card.name: candidate.card for candidate in found}
    if len(cards) != 1:
        raise VbotdError(f"these checkpoints are of {len(cards)} tasks ({', '.join(cards)}) — only those of one task "
                         "can be put in an order — name checkpoints of one task")
    return next(iter(cards.values()))


def settings_apart(found: Iterable[Candidate], overrides: Mapping[str, ParamValue]) -> list[str]:
    """Return the env settings in which checkpoints of one task are measured differently, in words."""
    found = distinct(found)
    keys = sorted({key for c in found for key in c.params if key.startswith("env.")} - overrides.keys())
    told = []
    for key in keys:
        names: dict[str, list[str]] = {}
        for c in found:
            names.setdefault(setting(c.params.get(key, _default(c.card, key))), []).append(c.name)
        param = next((c.card.param(key) for c in found if c.card.param(key)), None)
        if len(names) > 1 and (param is None or param.evaluated_as is None):
            said = ", ".join(f"{value} for {each[0]}" + (f" and {len(each) - 1} more" if each[1:] else "")
                             for value, each in names.items())
            told.append(f"{key} is {said} — give --param {key}=VALUE to measure all on the same episodes")
    return told


def _default(card: TaskCard, key: str) -> object:
    param = card.param(key)
    return param.default if param else "not there"


class Measurer:
    """Measures checkpoints, all under the same settings, and says on the standard error how far it is."""

    def __init__(self, threads: int | None, params: Mapping[str, ParamValue], *, quiet: bool) -> None:
        self._threads, self._params, self._quiet = threads or cores(), params, quiet

    def __call__(self, candidate: Candidate, episodes: int, instances: int) -> Accounts:
        """Return the accounts of the first `episodes` instances of a seed.

        Raises: VbotdError where the checkpoint cannot be measured; click.UsageError for an unknown setting.
        """
        from vbotd.train.runio import SpecError
        from vbotd.train.session import evaluate_here
        params = checked_params(candidate.card, self._params)
        printer, began_s = ProgressPrinter(), time.monotonic()

        def show(beat: Mapping[str, Any]) -> None:
            done, total = int(beat["env_steps"]), int(beat["total_env_steps"])
            rate = done / max(time.monotonic() - began_s, 1e-9)
            printer.show(f"{candidate.name}: {episodes} episodes of seed {instances}, {done:,} of at most {total:,} "
                         f"env steps, {rate:,.0f}/s")

        if not self._quiet:
            click.echo(f"measuring {candidate.name} on {episodes} episodes of seed {instances}", err=True)
        with TemporaryDirectory(prefix="vbotd-evaluate-") as folder:
            run_dir = Path(folder) / "evaluate"
            try:
                evaluate_here(candidate.path, episodes, instances, self._threads, run_dir=run_dir, params=params,
                              on_progress=None if self._quiet else show)
            except SpecError as err:
                raise VbotdError(f"{candidate.name}: {err}") from err
            finally:
                printer.end()
            return from_csv((run_dir / "episodes.csv").read_text(encoding="utf-8"))
