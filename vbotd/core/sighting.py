"""What the shell saw of the world: values that the rules decide from. (What a policy sees is an observation.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vbotd.domain.campaign import Campaign
from vbotd.domain.finding import Finding, Problem
from vbotd.domain.skill import Exhausted, FollowUp, Opinion, SkillCard
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import CheckpointRef, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """A quiet file in the inbox, read once. `content` is the campaign, or `problems` say why it is none.

    `known_as` is the campaign that was accepted with these very bytes before (`refused_before`: it was refused,
    which is what a crash between the commit and the clearing of the inbox looks like); `taken` are the ids in use
    that begin with this campaign's name.
    """

    file: str
    sha256: str
    text: str
    content: Campaign | None = None
    problems: tuple[Problem, ...] = ()
    known_as: str | None = None
    refused_before: bool = False
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSeen:
    """A command file. `answered` says that its key has its answer in the store already."""

    key: str
    verb: str
    args: Mapping[str, Any]
    principal: str
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitSeen:
    """The shim's `exit.json`: the true end of the worker."""

    exit_code: int | None
    signal: int | None
    ended_at: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A live run's folder at one moment. The lock was read before `exit.json`, so a free lock and no exit is final.

    `fence` tells how our own bid for the claim ended where none was there: `won` proves that nothing was
    started and nothing will be. `swept` says that every process of the run's token was looked for and ended,
    `bereft` that its folder was taken from it while it ran.
    """

    run: str
    claim: Literal["none", "shim", "fenced"]
    alive: bool
    pid: int | None = None
    claimed_at: float | None = None
    exit: ExitSeen | None = None
    result: Mapping[str, Any] | None = None
    result_problem: str = ""
    last_checkpoint: CheckpointRef | None = None
    log_tail: str = ""
    same_boot: bool = True
    fence: Literal["", "won", "lost"] = ""
    swept: bool = False
    bereft: bool = False
    adopted_here: bool = True
    env_steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalsSeen:
    """What the campaign's skills answered, in the order they were declared, combined by `core.opinions`.

    `nobody` says why there was no plugin at all that could be asked ("" where there was one, even if it failed);
    `failed` that one of them raised, hung or died over the question.
    """

    campaign: str
    proposals: tuple[Proposal, ...] = ()
    exhausted: tuple[Exhausted, ...] = ()
    nobody: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpinionsSeen:
    """What the plugins think of a trial; empty where none has an opinion."""

    trial: str
    opinions: tuple[tuple[str, Opinion], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpsSeen:
    """Further runs that plugins ask for after a run has ended."""

    run: str
    follow_ups: tuple[tuple[str, FollowUp], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsSeen:
    """What rules and plugins saw in a live run's series."""

    run: str
    findings: tuple[tuple[str, Finding], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginTroubleSeen:
    """A plugin did not answer as it should."""

    plugin: str
    hook: str
    how: Literal["raised", "timeout", "died", "nonsense", "import"]
    detail: str
    campaign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSeen:
    """The plugin host came up and said what it offers."""

    sha256: str
    tasks: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDueSeen:
    """A scheduled campaign came due at `due_at` (the latest of the times that passed, when several did)."""

    campaign: str
    due_at: float
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailedSeen:
    """The system refused to start a process; the launch is proved empty and may be tried again."""

    run: str
    why: str


Sighting = (FileSeen | CommandSeen | RunSeen | ProposalsSeen | OpinionsSeen | FollowUpsSeen | FindingsSeen
            | PluginTroubleSeen | CatalogueSeen | ScheduleDueSeen | LaunchFailedSeen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a live run says it is; known from its heartbeat, never written to the store."""

    env_steps: int = 0
    total_env_steps: int = 0
    env_steps_per_s: float = 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at the present rate, or None where there is no rate yet."""
        if self.env_steps_per_s <= 0:
            return None
        return max(0.0, (self.total_env_steps - self.env_steps) / self.env_steps_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Everything besides the state and the sightings that a decision may depend on.

    `knows_tasks` is False until the plugins have said what they offer; `progress` is by run id; `entries` is the
    worker of (task, run kind), ("", kind) where the task has none of its own; `preflights` are the run kinds that a
    skill wants done before anything is trained; `skills` are the cards by name, `mute` those that never propose;
    `judges` and `followers` are the plugins that answer those hooks, `followed` the runs about which the latter have
    been heard; `deadlines` is the epoch time at which a campaign has to be over; `nonce` makes this daemon's tokens
    unique; `hold` says why nothing new may be started now ("": it may); `agents_may` are the commands that agents
    may give to campaigns of people, too.
    """

    now: float
    cores: int
    nonce: str
    hold: str = ""
    month_day: str = "0101"
    progress: Mapping[str, Progress] = field(default_factory=dict)
    tasks: Mapping[str, TaskCard] = field(default_factory=dict)
    knows_tasks: bool = True
    entries: Mapping[tuple[str, str], str] = field(default_factory=dict)
    preflights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skills: Mapping[str, SkillCard] = field(default_factory=dict)
    mute: frozenset[str] = frozenset()
    judges: tuple[str, ...] = ()
    followers: tuple[str, ...] = ()
    followed: frozenset[str] = frozenset()
    deadlines: Mapping[str, float] = field(default_factory=dict)
    max_attempts: int = 3
    block_after: int = 3
    agents_may: frozenset[str] = frozenset()
