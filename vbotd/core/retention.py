"""Which checkpoints may go when the runs outgrow their cap, and when? Those that nothing true or planned depends on.

The disk is looked at now and then, and what is written between two looks must stay below the cap, too: `marks` says
how far below it the runs have to be, from what was written between the last looks.

What is never deleted, however full it gets: anything of a campaign that is not closed (incumbents, paused trials,
what a warm start may want), a champion's checkpoints and those that it began with, what a run that is not over names,
and what a finding names (a checkpoint from before a peak). What else a verdict, an evaluation or a run's start names
goes last, when all the rest is gone: each trial has one of those, and they would fill any disk one day. Series, results
and logs stay; they are small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run

LEAST_HEADROOM, MOST_HEADROOM = 1 / 16, 1 / 4  # of the cap
CAUTION = 2.0  # times what was written between any two of the last looks may come until the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Above `high` bytes checkpoints are deleted until `low` bytes are left, so that it is not done at every look."""

    high: int
    low: int


def marks(cap_bytes: int, grown_bytes: Iterable[int] = ()) -> Marks:
    """Return the marks for a cap, and for what was written between each two of the last looks (bytes).

    While the next look finds at most CAUTION times the most of them, and no more than a quarter of the cap, the cap is
    never exceeded: as long as there is something that may be deleted.
    """
    expected = CAUTION * max(grown_bytes, default=0)
    headroom = min(cap_bytes * MOST_HEADROOM, max(cap_bytes * LEAST_HEADROOM, expected))
    return Marks(high=int(cap_bytes - headroom), low=int(cap_bytes - 2.0 * headroom))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A checkpoint file: its path below `runs/` and its size in bytes."""

    path: str
    size: int


def to_delete(files: Sequence[Kept], total_bytes: int, goal_bytes: int, records: Iterable[CampaignRecord],
              runs: Iterable[Run]) -> tuple[Kept, ...]:
    """Return the checkpoints to delete so that of `total_bytes` no more than the goal is left, as far as that can be.

    What nothing names goes first; of either the campaigns that closed longest ago give first, and of a campaign the
    files in the order given.
    """
    over = total_bytes - goal_bytes
    if over <= 0:
        return ()
    closed = {record.id: record for record in records if record.status == "closed"}
    champions = {record.champion for record in closed.values()}
    held, needed, live = set[str](), set[str](), set[str]()
    for run in runs:  # one by one: years of them need not fit into memory
        names = named((run,))
        held |= names
        needed |= names if run.campaign not in closed or run.trial in champions else before_peaks((run,))
        live |= {run.campaign} if run.is_live else set()
    candidates = sorted((file for file in files if _may_go(file, closed, needed, live)),
                        key=lambda file: (file.path in held, closed[campaign_of(file.path)].closed_at or 0.0))
    chosen: list[Kept] = []
    for file in candidates:
        if over <= 0:
            break
        chosen.append(file)
        over -= file.size
    return tuple(chosen)


def named(runs: Iterable[Run]) -> frozenset[str]:
    """Return every checkpoint that a run names: the one it is judged by, went on from, began with, or was warned of."""
    runs = tuple(runs)
    found = set(before_peaks(runs))
    for run in runs:
        found |= {ref.path for ref in (run.checkpoint,) if ref is not None}
        for place in (run.spec, run.spec.get("evaluate") or {}, run.spec.get("warm_start") or {}):
            found |= {str(place[key]) for key in ("checkpoint", "resume_from") if place.get(key)}
    return frozenset(found)


def before_peaks(runs: Iterable[Run]) -> frozenset[str]:
    """Return every checkpoint that a finding about a run names: where to go on from, before it went wrong."""
    return frozenset(f"{run.id}/{word}" for run in runs for finding in run.findings
                     for word in _words(finding.message, finding.fix))


def campaign_of(path: str) -> str:
    """Return the campaign whose run a path below `runs/` belongs to."""
    return path.partition("/")[0]


def _may_go(file: Kept, closed: Mapping[str, CampaignRecord], needed: set[str], live: set[str]) -> bool:
    campaign = campaign_of(file.path)
    record = closed.get(campaign)
    if record is None or campaign in live or file.path in needed:
        return False
    return not (record.champion and file.path.startswith(record.champion + "/"))


def _words(*texts: str) -> Iterable[str]:
    """Yield what looks like a checkpoint in a text, as a path below the run's folder."""
    for text in texts:
        for word in text.replace("'", " ").replace(",", " ").split():
            place = word.rfind("checkpoints/")
            if place >= 0:
                yield word[place:].rstrip(".;:)")
