"""The rules: what a sighting means, given what is true. Then `advance` adds what follows.

`decide` is a pure function of values. It never looks at a clock, a file or a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vbotd.core import sighting as s
from vbotd.core.admission import admitted, begun, extended, refusal, task_of
from vbotd.core.advance import advance, all_done, without_schedule
from vbotd.core.auditing import findings_of
from vbotd.core.commands import decide_command
from vbotd.core.opinions import asked_to_stop
from vbotd.core.outcome import reconcile
from vbotd.core.sighting import Circumstances, Sighting
from vbotd.core.state import State, fold
from vbotd.core.trialplan import follow_up, is_ready_to_judge, judged
from vbotd.domain import event as e
from vbotd.domain.event import Event, Stored
from vbotd.domain.history import CampaignRecord


def decide(state: State, sightings: Iterable[Sighting], circumstances: Circumstances) -> tuple[Event, ...]:
    """Return the facts that the sightings justify, and everything that is due after them, in their order."""
    events: list[Event] = []
    for seen in sightings:
        new = RULES[type(seen)](state, seen, circumstances)
        state = fold(state, (Stored(seq=0, at=circumstances.now, event=event) for event in new))
        events += new
    return (*events, *advance(state, circumstances))


def campaign_id(name: str, month_day: str, taken: frozenset[str]) -> str:
    """Return an id that sorts and speaks: `flat-night-1123`, then `flat-night-1123-2` where that is taken."""
    wanted = f"{name}-{month_day}"
    number = 2
    found = wanted
    while found in taken:
        found, number = f"{wanted}-{number}", number + 1
    return found


def _file(state: State, seen: s.FileSeen, c: Circumstances) -> list[Event]:
    if seen.known_as is not None:
        known = state.campaigns.get(seen.known_as)
        if known is None or known.file == seen.file:
            return []  # the same file again after a crash, or a campaign that is long closed
        return [e.NoteAdded(campaign=seen.known_as, by="intake",
                            text=f"the same bytes were dropped again as {seen.file}: they are this campaign")]
    if seen.content is None:
        return [] if seen.refused_before else [
            e.CampaignRefused(file=seen.file, sha256=seen.sha256, problems=seen.problems)]
    taken = seen.taken | frozenset(state.campaigns)
    return [e.CampaignAccepted(campaign=campaign_id(seen.content.name, c.month_day, taken), content=seen.content,
                               sha256=seen.sha256, file=seen.file, text=seen.text, submitted_by="inbox")]


def _schedule(state: State, seen: s.ScheduleDueSeen, c: Circumstances) -> list[Event]:
    parent = state.campaigns.get(seen.campaign)
    if parent is None or parent.status != "scheduled" or (parent.last_fired_at or 0.0) >= seen.due_at:
        return []
    start = parent.starts + 1
    child = campaign_id(parent.content.name, c.month_day, seen.taken | frozenset(state.campaigns))
    return [e.ScheduleFired(campaign=parent.id, child=child, due_at=seen.due_at),
            e.CampaignAccepted(campaign=child, content=without_schedule(parent.content), parent=parent.id,
                               sha256=f"{parent.sha256}#{start}", file=parent.file, text="", submitted_by="schedule")]


def _command(state: State, seen: s.CommandSeen, c: Circumstances) -> list[Event]:
    return [] if seen.answered else decide_command(state, seen, c)


def _run(state: State, seen: s.RunSeen, c: Circumstances) -> list[Event]:
    run = state.runs.get(seen.run)
    if run is None or not run.is_live:
        return []
    events: list[Event] = []
    event = reconcile(run, seen)
    if isinstance(event, e.RunEnded) and event.outcome in ("finished", "stopped"):
        events += [e.FindingMade(campaign=run.campaign, trial=run.trial, run=run.id, finding=finding, by=run.kind)
                   for finding in findings_of(seen.result)]
    if event is not None:
        events.append(event)
    if seen.alive and seen.pid is not None and not seen.adopted_here:
        events.append(e.RunAdopted(campaign=run.campaign, trial=run.trial, run=run.id, pid=seen.pid))
    return events


def _launch_failed(state: State, seen: s.LaunchFailedSeen, c: Circumstances) -> list[Event]:
    run = state.runs.get(seen.run)
    if run is None or run.status != "launching":
        return []
    return [e.RunFenced(campaign=run.campaign, trial=run.trial, run=run.id, token=run.token, why=seen.why)]


def _proposals(state: State, seen: s.ProposalsSeen, c: Circumstances) -> list[Event]:
    campaign = state.campaigns.get(seen.campaign)
    if campaign is None or campaign.status != "open":
        return []
    events: list[Event] = []
    for wanted in seen.proposals:
        proposal = begun(wanted, state.runs.values())
        trials = state.trials_of(campaign.id)
        is_full = len(trials) >= campaign.content.budget.trials
        if is_full and not proposal.extends:
            continue
        why_not = refusal(proposal, campaign, trials, c)
        event: Event = (
            e.ProposalRefused(campaign=campaign.id, proposer=proposal.proposer, params=dict(proposal.params),
                              why=why_not) if why_not
            else extended(campaign, proposal) if proposal.extends
            else admitted(campaign, len(trials) + 1, proposal))
        events.append(event)
        state = fold(state, (Stored(seq=0, at=c.now, event=event),))
    return events or _nothing_proposed(state, seen, campaign)


def _nothing_proposed(state: State, seen: s.ProposalsSeen, campaign: CampaignRecord) -> list[Event]:
    """Return the end of a campaign to which nobody adds anything, once everything that it had is judged."""
    trials = state.trials_of(campaign.id)
    if not all(trial.judged for trial in trials):
        return []
    if trials and len(trials) >= campaign.content.budget.trials:
        return [e.CampaignClosing(campaign=campaign.id, why=all_done(trials))]
    if seen.exhausted:
        return [e.CampaignClosing(campaign=campaign.id, why=(
            f"the search has nothing more to try: {seen.exhausted[0].why}"))]
    if seen.nobody:
        return [e.CampaignPaused(campaign=campaign.id, by="core", why=f"nobody proposes a trial: {seen.nobody}")]
    if seen.failed or not trials:
        return []  # they are asked again
    return [e.CampaignClosing(campaign=campaign.id, why="no skill proposes anything more")]


def _opinions(state: State, seen: s.OpinionsSeen, c: Circumstances) -> list[Event]:
    trial = state.trials.get(seen.trial)
    if trial is None or not is_ready_to_judge(trial, state.runs_of(trial.id), c):
        return []
    task = c.tasks.get(task_of(state.campaigns[trial.campaign].content, trial.proposal))
    return [judged(trial, state, task, seen.opinions)] if task is not None else []


def _follow_ups(state: State, seen: s.FollowUpsSeen, c: Circumstances) -> list[Event]:
    run = state.runs.get(seen.run)
    trial = state.trials.get(run.trial) if run else None
    if run is None or trial is None or state.campaigns[run.campaign].status not in ("open", "closing"):
        return []
    events: list[Event] = []
    taken = {r.id for r in state.runs_of(run.trial)}
    for plugin, wanted in seen.follow_ups:
        event = follow_up(run, trial, state.campaigns[run.campaign], c, plugin, wanted)
        if event is not None and event.run not in taken:
            taken.add(event.run)
            events.append(event)
    return events


def _findings(state: State, seen: s.FindingsSeen, c: Circumstances) -> list[Event]:
    run = state.runs.get(seen.run)
    if run is None:
        return []
    events: list[Event] = []
    known = {(finding.rule, finding.tag) for finding in run.findings}
    for by, finding in seen.findings:
        if (finding.rule, finding.tag) not in known:
            known.add((finding.rule, finding.tag))
            events.append(e.FindingMade(campaign=run.campaign, trial=run.trial, run=run.id, finding=finding, by=by))
    stop = asked_to_stop(seen.findings, state.campaigns[run.campaign].content.allow)
    if stop is not None and run.status == "running":
        by, finding = stop
        events.append(e.RunStopAsked(campaign=run.campaign, trial=run.trial, run=run.id, by=by,
                                     why=f"{finding.rule}: {finding.message}"))
    return events


def _plugin(state: State, seen: s.PluginTroubleSeen, c: Circumstances) -> list[Event]:
    events: list[Event] = [e.PluginFailed(plugin=seen.plugin, hook=seen.hook, how=seen.how,
                                          detail=seen.detail[:500], campaign=seen.campaign)]
    failures = state.plugin_failures.get(seen.plugin, 0) + 1
    if failures >= c.block_after and seen.plugin not in state.blocked:
        events.append(e.PluginBlocked(plugin=seen.plugin, why=f"it failed {failures} times, last in {seen.hook}: "
                                                              f"{seen.detail[:200]}"))
    return events


def _catalogue(state: State, seen: s.CatalogueSeen, c: Circumstances) -> list[Event]:
    if state.catalogue == seen.sha256:
        return []
    return [e.CatalogueChanged(sha256=seen.sha256, tasks=seen.tasks, skills=seen.skills, plugins=seen.plugins)]


RULES: Mapping[type, Callable[[State, Any, Circumstances], list[Event]]] = {
    s.FileSeen: _file,
    s.CommandSeen: _command,
    s.RunSeen: _run,
    s.LaunchFailedSeen: _launch_failed,
    s.ProposalsSeen: _proposals,
    s.OpinionsSeen: _opinions,
    s.FollowUpsSeen: _follow_ups,
    s.FindingsSeen: _findings,
    s.PluginTroubleSeen: _plugin,
    s.CatalogueSeen: _catalogue,
    s.ScheduleDueSeen: _schedule,
}
