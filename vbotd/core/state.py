"""What is true: the fold of the events. One function per event says what it changes, all in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from vbotd.domain import event as e
from vbotd.domain.campaign import Budget
from vbotd.domain.event import Stored
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The open campaigns with their trials and runs, and what is known of the plugins since the daemon started."""

    campaigns: Mapping[str, CampaignRecord] = field(default_factory=dict)
    trials: Mapping[str, Trial] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
    plugin_failures: Mapping[str, int] = field(default_factory=dict)
    blocked: frozenset[str] = frozenset()
    catalogue: str = ""
    held: str = ""

    def trials_of(self, campaign: str) -> tuple[Trial, ...]:
        """Return the trials of a campaign in the order of their numbers."""
        return tuple(sorted((t for t in self.trials.values() if t.campaign == campaign), key=lambda t: t.number))

    def runs_of(self, trial: str) -> tuple[Run, ...]:
        """Return the runs of a trial in the order they were queued."""
        return tuple(run for run in self.runs.values() if run.trial == trial)


def fold(state: State, events: Iterable[Stored]) -> State:
    """Return the state after the events, in their order."""
    for stored in events:
        state = evolve(state, stored)
    return state


def evolve(state: State, stored: Stored) -> State:
    """Return the state after one event. An event about something unknown changes nothing."""
    event = stored.event
    match event:
        case e.CampaignAccepted():
            return _put_campaign(state, _accepted(event, stored.at))
        case e.TrialAdmitted():
            return replace(state, trials={**state.trials, event.trial: Trial(
                id=event.trial, campaign=event.campaign, number=event.number, proposal=event.proposal,
                params=event.params, admitted_at=stored.at, task=event.proposal.task, stage=event.proposal.stage,
                env_steps=event.proposal.env_steps, seeds=event.seeds, warm_start=event.proposal.warm_start)})
        case e.TrialExtended():
            trial = state.trials.get(event.trial)
            return state if trial is None else replace(state, trials={**state.trials, trial.id: replace(
                trial, judged=False, rung=trial.rung + 1, seeds=(*trial.seeds, *event.seeds),
                env_steps=event.env_steps or trial.env_steps)})
        case e.RunQueued():
            return _put_run(state, Run(
                id=event.run, campaign=event.campaign, trial=event.trial, kind=event.kind, seed=event.seed,
                attempt=event.attempt, status="queued", queued_at=stored.at, spec=event.spec,
                purpose=event.purpose, asked_by=event.asked_by))
        case e.TrialJudged():
            trial = state.trials.get(event.trial)
            return state if trial is None else replace(state, trials={**state.trials, trial.id: replace(
                trial, judged=True, verdict=event.verdict, why=event.why, score=event.score, dissent=event.dissent)})
        case e.DaemonStarted():
            return replace(state, plugin_failures={}, blocked=frozenset(), held="")
        case e.LaunchesHeld():
            return replace(state, held=event.why)
        case e.LaunchesReleased():
            return replace(state, held="")
        case e.CatalogueChanged():
            return replace(state, catalogue=event.sha256)
        case e.PluginFailed():
            count = state.plugin_failures.get(event.plugin, 0) + 1
            return replace(state, plugin_failures={**state.plugin_failures, event.plugin: count})
        case e.PluginBlocked():
            return replace(state, blocked=state.blocked | {event.plugin})
    run = state.runs.get(getattr(event, "run", ""))
    if run is not None:
        return _put_run(state, evolve_run(run, stored))
    campaign = state.campaigns.get(getattr(event, "campaign", ""))
    if campaign is not None:
        return _put_campaign(state, evolve_campaign(campaign, stored))
    return state


def evolve_campaign(campaign: CampaignRecord, stored: Stored) -> CampaignRecord:
    """Return a campaign after an event about it."""
    event = stored.event
    match event:
        case e.ScheduleFired():
            return replace(campaign, last_fired_at=event.due_at, starts=campaign.starts + 1)
        case e.CampaignPaused():
            return replace(campaign, status="paused", paused_from=campaign.status, paused_why=event.why)
        case e.CampaignResumed():
            return replace(campaign, status=campaign.paused_from or "open", paused_from=None, paused_why="",
                           forgiven=event.forgiven, allowed=(*campaign.allowed, *event.allowed),
                           allowed_by=event.by if event.allowed else campaign.allowed_by)
        case e.CampaignAmended():
            return replace(campaign, content=replace(campaign.content, budget=_amended(
                campaign.content.budget, event.budget)))
        case e.CampaignClosing():
            return replace(campaign, status="closing", closing_why=event.why)
        case e.CampaignClosed():
            return replace(campaign, status="closed", closed_at=stored.at, outcome=event.outcome, why=event.why,
                           champion=event.champion)
        case e.NoteAdded():
            return replace(campaign, notes=(*campaign.notes, event.text))
        case e.ProposalRefused():
            return replace(campaign, refused_proposals=campaign.refused_proposals + 1)
    return campaign


def evolve_run(run: Run, stored: Stored) -> Run:
    """Return a run after an event about it."""
    event = stored.event
    match event:
        case e.RunLaunched():
            return replace(run, status="launching", token=event.token, threads=event.threads, launch=event.launch,
                           launched_at=stored.at)
        case e.RunFenced():
            return replace(run, status="queued", token="", launched_at=None, queued_at=stored.at)
        case e.RunStarted():
            return replace(run, status="stopping" if run.status == "stopping" else "running", pid=event.pid,
                           started_at=event.started_at)
        case e.RunAdopted():
            return replace(run, adopted=run.adopted + 1)
        case e.RunStopAsked():
            asked = replace(run, status="stopping", stop_asked_at=stored.at, stop_why=event.why)
            if run.status == "queued":  # nothing was started, so it has ended with the request
                return replace(asked, status="ended", ended_at=stored.at, outcome="stopped", reason=event.why)
            return asked
        case e.RunEnded():
            return replace(
                run, status="ended", outcome=event.outcome, reason=event.reason, exit_code=event.exit_code,
                signal=event.signal, ended_at=event.ended_at or stored.at, env_steps=event.env_steps,
                wall_s=event.wall_s, simulated_s=event.simulated_s, checkpoint=event.checkpoint,
                last_checkpoint=event.last_checkpoint, metrics=event.metrics)
        case e.FindingMade():
            return replace(run, findings=(*run.findings, event.finding))
    return run


def without_closed(state: State) -> State:
    """Return the state without the campaigns that are closed and have no live run: the tables keep them."""
    live = {run.campaign for run in state.runs.values() if run.is_live}
    gone = {c.id for c in state.campaigns.values() if c.status == "closed" and c.id not in live}
    if not gone:
        return state
    return replace(
        state,
        campaigns={k: v for k, v in state.campaigns.items() if k not in gone},
        trials={k: v for k, v in state.trials.items() if v.campaign not in gone},
        runs={k: v for k, v in state.runs.items() if v.campaign not in gone})


def _accepted(event: e.CampaignAccepted, at: float) -> CampaignRecord:
    return CampaignRecord(
        id=event.campaign, content=event.content, sha256=event.sha256, file=event.file, accepted_at=at,
        status="scheduled" if event.content.schedule else "open", submitted_by=event.submitted_by, parent=event.parent)


def _amended(budget: Budget, change: Mapping[str, float]) -> Budget:
    return Budget(trials=int(change.get("trials", budget.trials)), hours=change.get("hours", budget.hours),
                  env_steps=int(change["env_steps"]) if "env_steps" in change else budget.env_steps)


def _put_campaign(state: State, campaign: CampaignRecord) -> State:
    return replace(state, campaigns={**state.campaigns, campaign.id: campaign})


def _put_run(state: State, run: Run) -> State:
    return replace(state, runs={**state.runs, run.id: run})
