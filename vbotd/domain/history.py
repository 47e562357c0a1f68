"""What a plugin is shown of a campaign: frozen values, the same that the daemon decides with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vbotd.domain.campaign import Campaign
from vbotd.domain.event import CampaignOutcome
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Run, Trial

CampaignStatus = Literal["scheduled", "open", "paused", "closing", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A campaign as it stands: its content and what has become of it. Times are epoch seconds.

    A `scheduled` campaign never runs itself: each time it comes due it opens a child.
    `paused_from` is the status that a resume goes back to.
    """

    id: str
    content: Campaign
    sha256: str
    file: str
    status: CampaignStatus
    accepted_at: float
    submitted_by: str = ""
    parent: str = ""
    last_fired_at: float | None = None
    starts: int = 0
    paused_from: CampaignStatus | None = None
    paused_why: str = ""
    forgiven: int = 0
    allowed: tuple[str, ...] = ()  # findings of its preflights that were let pass, by `allowed_by`
    allowed_by: str = ""
    closing_why: str = ""
    closed_at: float | None = None
    outcome: CampaignOutcome | None = None
    why: str = ""
    champion: str = ""
    notes: tuple[str, ...] = ()
    refused_proposals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A campaign with all its trials (in the order of their numbers) and runs (in the order they were queued).

    `task` is None when the plugin that offered the task is gone.
    """

    record: CampaignRecord
    task: TaskCard | None
    trials: tuple[Trial, ...]
    runs: tuple[Run, ...]

    @property
    def campaign(self) -> Campaign:
        """The accepted content."""
        return self.record.content

    def runs_of(self, trial: str) -> tuple[Run, ...]:
        """Return the runs of one trial, in the order they were queued."""
        return tuple(run for run in self.runs if run.trial == trial)
