"""After all the kills: was anything lost, done twice, told wrongly, or left behind? The store against the ledger."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass

from vbotd.chaos.killing import run_processes
from vbotd.chaos.scratch import Scratch
from vbotd.domain.event import DaemonStarted, RunAdopted
from vbotd.store.events import EventStore
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.read import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found. `lost`, `doubled`, `false`, `drift` and `stray` list what should not be; empty is good.

    `lost`: campaigns that never ended, trials without a verdict, work that ended well and is not told so.
    `doubled`: runs that were started twice. `false`: runs told finished that did not finish.
    `drift`: rows of the store that differ from their events. `stray`: processes that are left.
    """

    campaigns: int
    trials: int
    runs: int
    starts: int
    adopted: int
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, doubled, false, drifted or left."""
        return not (self.lost or self.doubled or self.false or self.drift or self.stray)


def verdict(scratch: Scratch) -> Verdict:
    """Hold the store of a workspace whose daemon has ended against the workers' own ledger."""
    ledger = scratch.ledger()
    starts = Counter(run for what, run, _ in ledger if what == "start")
    ends = {run for what, run, _ in ledger if what == "end"}
    with Reader(scratch.layout.store) as reader:
        records = reader.records()
        trials = [trial for record in records for trial in reader.trials(record.id)]
        runs = [run for record in records for run in reader.runs(record.id)]
        daemons = len(reader.events(kinds=(DaemonStarted.__name__,), limit=1_000_000))
        adopted = len(reader.events(kinds=(RunAdopted.__name__,), limit=1_000_000))
    lost = [record.id for record in records if record.status != "closed"]
    lost += [trial.id for trial in trials if not trial.judged]
    lost += [run for run in starts if run not in {known.id for known in runs}]
    lost += [run.id for run in runs if run.outcome not in ("finished", "stopped") and _ended_well(scratch, run.id)]
    false = [run.id for run in runs if run.outcome == "finished" and run.id not in ends]
    with closing(EventStore(scratch.layout.store)) as store:
        drift = store.rebuild()
    return Verdict(
        campaigns=len(records), trials=len(trials), runs=len(runs), starts=daemons, adopted=adopted,
        lost=tuple(lost), doubled=tuple(run for run, times in starts.items() if times > 1), false=tuple(false),
        drift=drift, stray=tuple(str(process.pid) for process in run_processes(scratch)))


def _ended_well(scratch: Scratch, run: str) -> bool:
    """Say whether a run's own folder proves that it ended well."""
    folder = scratch.layout.run(run)
    try:
        exits = [read_json(path) for path in folder.glob("exit*.json")]
        result = read_json(folder / "result.json")
    except UnreadableFile:
        return False
    return result is not None and any(said is not None and said.get("exit_code") == 0 for said in exits)
