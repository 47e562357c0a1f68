"""What does a report say, and from what is it made? `Facts` go in, a `Report` comes out; both are plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from vbotd.core.heartbeat import Heartbeat
from vbotd.domain.event import Stored
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.skill import Section
from vbotd.domain.trial import Run, Trial

RECENT_S = 48 * 3600.0  # a closed campaign, and what broke, stay in the report for two nights

# What the report reads of the past; everything else is in the records.
REPORT_KINDS = (
    "DaemonStarted", "DaemonStopped", "LaunchesHeld", "LaunchesReleased", "CampaignRefused", "CampaignPaused",
    "CampaignClosed", "NoteAdded", "ProposalRefused", "RunAdopted", "RunEnded", "RunFenced", "PluginFailed",
    "PluginBlocked", "CommandRefused",
)


T = TypeVar("T")


def grouped(values: Iterable[T], key: Callable[[T], str]) -> dict[str, tuple[T, ...]]:
    """Return the values by their key, those of one key in the order given."""
    found: dict[str, list[T]] = {}
    for value in values:
        found.setdefault(key(value), []).append(value)
    return {name: tuple(group) for name, group in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedFile:
    """A refused file that still lies in `state/rejected/`; `why` is the name of the file that explains it."""

    name: str
    why: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A daemon that ended without a word: the last event before, and the event of the start that followed."""

    last_seq: int
    last_at: float
    back_seq: int
    back_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a report depends on. What belongs to whom is worked out once.

    `records` are the campaigns that are not closed and those closed lately, with all their `trials` and `runs`.
    `events` are the recent ones of REPORT_KINDS, in their order. `daemon_alive` is None where nobody looked.
    `sections` are (plugin, its part). `requests` are what agents ask of a person and nobody has decided
    yet. `metrics` is the score of each task that the catalogue knows (None: there is no catalogue yet).
    `cores` may be used by runs.
    """

    now: float
    records: tuple[CampaignRecord, ...] = ()
    trials: tuple[Trial, ...] = ()
    runs: tuple[Run, ...] = ()
    events: tuple[Stored, ...] = ()
    deaths: tuple[Death, ...] = ()
    daemon_alive: bool | None = None
    rejected: tuple[RejectedFile, ...] = ()
    sections: tuple[tuple[str, Section], ...] = ()
    requests: tuple[Stored, ...] = ()
    heartbeats: Mapping[str, Heartbeat] = field(default_factory=dict)
    metrics: Mapping[str, MetricCard] | None = None
    qualities: Mapping[str, MetricCard] = field(default_factory=dict)
    cores: int = 1
    utc_offset_s: float = 0.0
    _trials: Mapping[str, tuple[Trial, ...]] = field(init=False, repr=False, compare=False)  # by campaign
    _runs: Mapping[str, tuple[Run, ...]] = field(init=False, repr=False, compare=False)  # by campaign
    _runs_of_trials: Mapping[str, tuple[Run, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the trials and runs by what they belong to."""
        in_order = sorted(self.trials, key=lambda trial: trial.number)
        object.__setattr__(self, "_trials", grouped(in_order, lambda trial: trial.campaign))
        object.__setattr__(self, "_runs", grouped(self.runs, lambda run: run.campaign))
        object.__setattr__(self, "_runs_of_trials", grouped(self.runs, lambda run: run.trial))

    def trials_of(self, campaign: str) -> tuple[Trial, ...]:
        """Return the trials of a campaign in the order of their numbers."""
        return self._trials.get(campaign, ())

    def runs_of(self, campaign: str) -> tuple[Run, ...]:
        """Return the runs of a campaign in the order they were queued."""
        return self._runs.get(campaign, ())

    def runs_of_trial(self, trial: str) -> tuple[Run, ...]:
        """Return the runs of a trial in the order they were queued."""
        return self._runs_of_trials.get(trial, ())

    def metric_of(self, record: CampaignRecord) -> MetricCard:
        """Return the metric that the trials of a campaign are scored by."""
        return (self.metrics or {}).get(record.content.task, MetricCard(tag="eval/success_rate", unit="rate"))

    def quality_of(self, record: CampaignRecord) -> MetricCard | None:
        """Return the metric that decides between trials of equal score, None where the task has none."""
        return self.qualities.get(record.content.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that only a person can do: what, the exact command, and where it is known from."""

    text: str
    command: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """A scored trial. `score` chose it; `confirmed` (None: there is none) was measured on fresh episodes.

    `others` are further metrics of the champion, measured by `others_run`. `seeds` counts the training seeds that had
    these very settings, `over_seeds` is the range of their scores. `over_report_seeds` is the mean of `report_runs`,
    whose seeds and episodes did not choose it; `claim` is what its pairs with the baseline say; `expected`, of a trial
    without report seeds, is what another run can be expected to score, once chance is drawn off. `trained_to` are the
    env steps that it was told to train (0: unknown).
    """

    trial: str
    tag: str
    score: Measurement
    score_run: str
    confirmed: Measurement | None
    confirm_run: str
    seeds: int
    over_seeds: tuple[float, float] | None
    changes: tuple[str, ...]
    checkpoint: str
    sha256: str
    verdict: str
    proposer: str
    champion: bool
    others: tuple[tuple[str, Measurement], ...] = ()
    others_run: str = ""
    over_report_seeds: Measurement | None = None
    report_runs: tuple[str, ...] = ()
    claim: str = ""
    expected: float | None = None
    trained_to: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """The best trials of one campaign, the best first; `more` were scored and are not shown."""

    campaign: str
    status: str
    trials: tuple[Best, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Things that went wrong in the same way: how often, an example in words, and ids of some of them."""

    kind: Literal["run", "finding", "plugin", "daemon", "proposal", "file", "command", "launch"]
    what: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a campaign has used of its budget. None: no limit of that kind, or nothing to measure yet."""

    campaign: str
    status: str
    trials_judged: int
    trials_admitted: int
    trials_budget: int
    env_steps: int
    env_steps_budget: int | None
    wall_s: float
    runs: int
    hours_left: float | None
    deadline: str | None
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A live run and how far it is. None: it has not said so yet."""

    run: str
    kind: str
    status: str
    share: float | None
    env_steps: int
    total_env_steps: int
    env_steps_per_s: float
    left_s: float | None
    success_rate: float | None
    heartbeat_age_s: float | None
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark that somebody wrote to a campaign."""

    campaign: str
    text: str
    by: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The report, not yet written out. `fingerprint` changes when something material does, not with the clock."""

    at: float
    utc_offset_s: float
    verdict: str
    daemon: str
    needs: tuple[Need, ...]
    bests: tuple[BestOf, ...]
    causes: tuple[Cause, ...]
    spent: tuple[Spent, ...]
    running: tuple[Running, ...]
    cores: int
    cores_busy: int
    sections: tuple[tuple[str, Section], ...]
    notes: tuple[Note, ...]
    commands: tuple[str, ...]
    fingerprint: tuple[str, ...]
