"""Trials and runs: one admitted proposal, and the worker processes that test it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vbotd.domain.finding import Finding
from vbotd.domain.metric import Measurement
from vbotd.domain.task import ParamValue

RunStatus = Literal["queued", "launching", "running", "stopping", "ended"]
Outcome = Literal["finished", "stopped", "diverged", "failed", "lost"]
Verdict = Literal["promote", "keep", "discard", "inconclusive"]

LIVE: frozenset[RunStatus] = frozenset({"launching", "running", "stopping"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Where a training gets its first weights from, and what else it takes along from there.

    `trial` names whose checkpoint, `checkpoint` which one (its path below `runs/`; "": the one the trial is judged by).
    `learning_rate` and `action_std` are factors on what the checkpoint has (`learning_rate` 0: the task's own start);
    the action std never falls below `min_action_std`. `freeze_rate` is the share of the run for which a normaliser that
    is `frozen` stays as it came. `check`: end the run when its success falls behind the checkpoint's early on.
    """

    trial: str
    checkpoint: str = ""
    policy: Literal["keep", "reset_value"] = "keep"
    optimizer: Literal["keep", "reset"] = "reset"
    normaliser: Literal["keep", "freeze", "reset"] = "freeze"
    freeze_rate: float = 0.1
    curriculum: Literal["keep", "reset"] = "reset"
    learning_rate: float = 0.4
    action_std: float = 1.0
    min_action_std: float = 0.0
    check: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Settings that somebody would like tried: values for the search space, who asks, and why.

    `task` and `stage` place it in a curriculum ("": the campaign's task, no stage). `env_steps` is how far its runs
    train before it is judged (None: to the end), `seeds` are the run seeds (none: one, by the campaign's rule).
    With `extends` it is no new trial: that trial is trained on, to `env_steps`, and with the further `seeds`.
    """

    params: Mapping[str, ParamValue]
    proposer: str
    why: str = ""
    amended_by: Mapping[str, str] = field(default_factory=dict)
    task: str = ""
    stage: str = ""
    env_steps: int | None = None
    seeds: tuple[int, ...] = ()
    warm_start: WarmStart | None = None
    extends: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRef:
    """A checkpoint as named in the store: its path below the workspace's `runs/`, its hash, its age."""

    path: str
    sha256: str
    env_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One admitted proposal. `params` holds everything that differs from the task's defaults.

    `seeds[0]` is the seed that the search compares by, the others are report seeds: they confirm, and never choose.
    `env_steps` is how far its runs train before it is judged (None: to the end); `rung` counts its extensions.
    """

    id: str
    campaign: str
    number: int
    proposal: Proposal
    params: Mapping[str, ParamValue]
    admitted_at: float
    verdict: Verdict | None = None
    why: str = ""
    dissent: tuple[str, ...] = ()
    score: Measurement | None = None
    judged: bool = False
    task: str = ""
    stage: str = ""
    env_steps: int | None = None
    seeds: tuple[int, ...] = ()
    warm_start: WarmStart | None = None
    rung: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One worker process, from queue to outcome. Its id is its folder's path below `runs/`.

    `launch` counts the attempts to start this very run (a fenced launch is no attempt); `spec` holds
    what is fixed from the start (threads come with the first launch). `checkpoint` is the best one, which is judged;
    `last_checkpoint` the one to go on from. Times are seconds since the epoch.
    """

    id: str
    campaign: str
    trial: str
    kind: str
    seed: int
    attempt: int
    status: RunStatus
    queued_at: float
    spec: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = ""
    asked_by: str = ""
    launch: int = 0
    token: str = ""
    threads: int = 0
    pid: int | None = None
    launched_at: float | None = None
    started_at: float | None = None
    adopted: int = 0
    stop_asked_at: float | None = None
    stop_why: str = ""
    ended_at: float | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    env_steps: int = 0
    wall_s: float = 0.0
    simulated_s: float = 0.0
    checkpoint: CheckpointRef | None = None
    last_checkpoint: CheckpointRef | None = None
    metrics: Mapping[str, Measurement] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def is_live(self) -> bool:
        """Say whether a process of this run may exist."""
        return self.status in LIVE

    @property
    def resumed_env_steps(self) -> int:
        """The env steps of the checkpoint that it went on from, which were another run's."""
        return int(self.spec.get("resumed_env_steps") or 0)

    @property
    def own_env_steps(self) -> int:
        """The env steps that it did itself, once it has ended."""
        return max(0, self.env_steps - self.resumed_env_steps)
