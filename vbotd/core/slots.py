"""Which queued runs start now, and with how many threads each.

One run a core with one thread each while there is more than one thing to do; a run that is alone takes
all cores (two runs with two threads each were twelve times slower than with one each).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vbotd.core.backoff import not_before
from vbotd.core.sighting import Progress
from vbotd.core.state import State
from vbotd.domain.trial import Run

SHORT_RUN_S = 20.0  # an evaluation without a heartbeat yet is taken to need this long
ALL_CORES_GAIN = 0.55  # wall time of a run on two cores as a share of that on one (measured: bench/slots.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A queued run that gets a slot."""

    run: str
    threads: int


def choose_starts(state: State, *, cores: int, progress: Mapping[str, Progress], more_to_come: frozenset[str],
                  now: float = float("inf")) -> tuple[Start, ...]:
    """Return the runs to launch now, fairly over the campaigns.

    `more_to_come` are the campaigns that will have further trials. The campaign with the fewest busy threads
    goes first, then the one that waited longest for its last start; inside it, evaluations before trainings.
    A run that keeps failing to start waits (`core.backoff`).
    """
    live = [run for run in state.runs.values() if run.is_live]
    queued = [run for run in state.runs.values() if run.status == "queued" and _may_start(state, run)
              and not_before(run) <= now]
    free = cores - sum(run.threads for run in live)
    busy: dict[str, int] = {}
    for run in live:
        busy[run.campaign] = busy.get(run.campaign, 0) + run.threads
    last: dict[str, float] = {}
    for run in state.runs.values():
        last[run.campaign] = max(last.get(run.campaign, 0.0), run.launched_at or 0.0)
    starts: list[Start] = []
    while queued and free > 0:
        run = min(queued, key=lambda r: (busy.get(r.campaign, 0), last[r.campaign], _age(state, r), r.kind == "train",
                                         r.queued_at, r.id))
        queued.remove(run)
        alone = not queued and not (more_to_come - {run.campaign}) and _is_last(run, more_to_come)
        threads = run.threads or min(_as_before(state, run), cores) or _threads(run, alone, cores, live, progress)
        if threads == 0 or threads > free:
            continue  # it waits for more cores; something smaller behind it may go first
        starts.append(Start(run=run.id, threads=threads))
        live.append(run)
        busy[run.campaign] = busy.get(run.campaign, 0) + threads
        free -= threads
    return tuple(starts)


def _threads(run: Run, alone: bool, cores: int, live: list[Run], progress: Mapping[str, Progress]) -> int:
    """Return the threads of a first start: 1, all cores, or 0 for 'wait, all cores will be free soon'."""
    if not alone:
        return 1
    if not live:
        return cores
    if run.kind != "train":
        return 1
    others = max(_remaining_s(other, progress) for other in live)
    own = _expected_s(run, progress)
    return 0 if own is not None and others + ALL_CORES_GAIN * own < own else 1


def _as_before(state: State, run: Run) -> int:
    """Return the threads of the training that a run goes on with, since others would bend its curve; 0 for none."""
    if not run.spec.get("resume_from"):
        return 0
    return next((other.threads for other in state.runs.values() if other.trial == run.trial and other.kind == "train"
                 and other.seed == run.seed and other.id != run.id and other.threads), 0)


def _is_last(run: Run, more_to_come: frozenset[str]) -> bool:
    # an evaluation of a campaign that will propose more still leaves the other cores to what comes
    return run.campaign not in more_to_come


def _remaining_s(run: Run, progress: Mapping[str, Progress]) -> float:
    known = progress[run.id].remaining_s if run.id in progress else None
    if known is not None:
        return known
    return SHORT_RUN_S if run.kind != "train" else float("inf")


def _expected_s(run: Run, progress: Mapping[str, Progress]) -> float | None:
    """Return how long a training would take on one core, judged by the trainings that run now or ran lately."""
    env_steps = (run.spec.get("train") or {}).get("env_steps")
    rates = [p.env_steps_per_s for p in progress.values() if p.env_steps_per_s > 0]
    if not env_steps or not rates:
        return None
    return float(env_steps) / min(rates)


def _may_start(state: State, run: Run) -> bool:
    campaign = state.campaigns.get(run.campaign)
    if campaign is None or campaign.status not in ("open", "closing"):
        return False
    return campaign.status == "open" or run.kind != "train"


def _age(state: State, run: Run) -> float:
    return state.campaigns[run.campaign].accepted_at
