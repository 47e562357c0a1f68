"""The facts that the store may hold, in the past tense. What is true is a fold over these.

An event names every entity that it changes in its own `campaign`, `trial` and `run` fields; nothing
else may change by it. Add fields only with a default, and give a changed meaning a new version in
`vbotd.core.codec`: old rows load for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vbotd.domain.campaign import Campaign
from vbotd.domain.finding import Finding, Problem
from vbotd.domain.metric import Measurement
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import CheckpointRef, Outcome, Proposal, Verdict

CampaignOutcome = Literal["reached", "finished", "failed", "cancelled", "out_of_budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted:
    """A daemon took the store. `clean` is False when the one before it died without a word."""

    pid: int
    version: str
    boot_id: str
    clean: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopped:
    """A daemon let go of the store on purpose; `left_running` counts the runs that go on without it."""

    pid: int
    why: str
    left_running: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchesHeld:
    """Nothing new is started for now; what runs goes on."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchesReleased:
    """What held the launches is over."""

    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueChanged:
    """The plugins offer something else than before (the content is in `state/catalogue.json`)."""

    sha256: str
    tasks: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignAccepted:
    """A campaign file was taken in. `text` is the very content; `parent` is the scheduled campaign it is a start of."""

    campaign: str
    content: Campaign
    sha256: str
    file: str
    text: str
    submitted_by: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRefused:
    """A file in the inbox was not a campaign that can run; every problem is listed."""

    file: str
    sha256: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFired:
    """A scheduled campaign came due at `due_at`; its start is the campaign `child`."""

    campaign: str
    child: str
    due_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPaused:
    """No new run of the campaign starts until it is resumed."""

    campaign: str
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignResumed:
    """A paused campaign goes on. What had paused it does not do so again.

    `forgiven` counts the failed trials, `allowed` are the findings of its preflights that were seen and let pass.
    """

    campaign: str
    by: str = ""
    forgiven: int = 0
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignAmended:
    """A person changed a campaign's budget while it was open."""

    campaign: str
    budget: Mapping[str, float]
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignClosing:
    """Nothing more is proposed: the trials at hand are finished and the champion is confirmed."""

    campaign: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignClosed:
    """The campaign is over."""

    campaign: str
    outcome: CampaignOutcome
    why: str
    champion: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded:
    """Somebody wrote a remark to a campaign, for the report."""

    campaign: str
    text: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAdmitted:
    """A proposal passed the checks and became a trial; `params` are the fixed overrides plus the proposal's."""

    campaign: str
    trial: str
    number: int
    proposal: Proposal
    params: Mapping[str, ParamValue]
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialExtended:
    """A trial is trained on: to `env_steps` (None: as far as before), and with further seeds. It is judged again."""

    campaign: str
    trial: str
    why: str
    by: str
    env_steps: int | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRefused:
    """A proposal failed the checks; the search is told by its absence, people are told here."""

    campaign: str
    proposer: str
    params: Mapping[str, Any]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialJudged:
    """All runs of a trial have ended and it was judged; `score` is None where there is none to give."""

    campaign: str
    trial: str
    verdict: Verdict
    why: str
    score: Measurement | None = None
    dissent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQueued:
    """A run is wanted. `spec` is the part of `spec.json` that does not depend on when it starts."""

    campaign: str
    trial: str
    run: str
    kind: str
    seed: int
    attempt: int
    spec: Mapping[str, Any]
    purpose: str = ""
    asked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLaunched:
    """The intent to start a run, written before anything is started. The token makes the start unique."""

    campaign: str
    trial: str
    run: str
    token: str
    threads: int
    launch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFenced:
    """A launch was proved never to have started anything; the run is queued again, at no cost."""

    campaign: str
    trial: str
    run: str
    token: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The shim's claim was seen: this process, and no other, is the run."""

    campaign: str
    trial: str
    run: str
    pid: int
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdopted:
    """A daemon that came back found the run alive and goes on watching the same process."""

    campaign: str
    trial: str
    run: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopAsked:
    """The run is to end early; the stop ladder begins."""

    campaign: str
    trial: str
    run: str
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """How a run ended. `exit_code` and `signal` are the true ones or None where nobody saw them."""

    campaign: str
    trial: str
    run: str
    outcome: Outcome
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    ended_at: float | None = None
    env_steps: int = 0
    wall_s: float = 0.0
    simulated_s: float = 0.0
    checkpoint: CheckpointRef | None = None
    last_checkpoint: CheckpointRef | None = None
    metrics: Mapping[str, Measurement] = field(default_factory=dict)
    seen_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingMade:
    """A rule saw something about a run."""

    campaign: str
    trial: str
    run: str
    finding: Finding
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFailed:
    """A plugin raised, hung, died or answered nonsense; its opinion was skipped."""

    plugin: str
    hook: str
    how: Literal["raised", "timeout", "died", "nonsense", "import"]
    detail: str
    campaign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginBlocked:
    """A plugin failed so often that it is not asked any more until the daemon starts again."""

    plugin: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAccepted:
    """A command took effect; a repeat under the same key has no further one."""

    key: str
    verb: str
    args: Mapping[str, Any]
    principal: str
    answer: str
    campaign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused:
    """A command could not be carried out, and why."""

    key: str
    verb: str
    args: Mapping[str, Any]
    principal: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTurn:
    """One call of the agent loop to its model: what was new in the prompt, what came back, what it cost.

    `key` is unique to the call; `how` is "answered" or says why there is no answer; `tokens` count in and out, where
    nobody knows as many as were set aside.
    """

    key: str
    principal: str
    session: str
    turn: int
    asked: str
    answered: str = ""
    how: str = "answered"
    tokens: int = 0
    usd: float = 0.0


Event = (
    DaemonStarted | DaemonStopped | LaunchesHeld | LaunchesReleased | CatalogueChanged
    | CampaignAccepted | CampaignRefused | ScheduleFired | CampaignPaused | CampaignResumed | CampaignAmended
    | CampaignClosing | CampaignClosed | NoteAdded
    | TrialAdmitted | TrialExtended | ProposalRefused | TrialJudged
    | RunQueued | RunLaunched | RunFenced | RunStarted | RunAdopted | RunStopAsked | RunEnded | FindingMade
    | PluginFailed | PluginBlocked | CommandAccepted | CommandRefused | AgentTurn
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An event as the store holds it: its place in the order, and when it was committed (epoch seconds)."""

    seq: int
    at: float
    event: Event
