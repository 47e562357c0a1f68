"""The rules: what a sighting means, given what is true. Then `advance` adds what follows.

`decide` is a pure function of values. It never looks at a clock, a file or a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vbotd.core import sighting as s
from vbotd.core.advance import admitted, advance, without_schedule
from vbotd.core.auditing import AUDIT, findings_of
from vbotd.core.commands import decide_command
from vbotd.core.opinions import asked_to_stop
from vbotd.core.outcome import reconcile
from vbotd.core.sighting import Circumstances, Sighting
from vbotd.core.state import State, fold
from vbotd.core.trialplan import is_ready_to_judge, judged
from vbotd.domain import event as e
from vbotd.domain.event import Event, Stored
from vbotd.domain.trial import Proposal


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
    if run.kind == AUDIT and isinstance(event, e.RunEnded) and event.outcome == "finished":
        events += [e.FindingMade(campaign=run.campaign, trial=run.trial, run=run.id, finding=finding, by="audit")
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
    trials = list(state.trials_of(campaign.id))
    number = len(trials)
    tried = [(t.id, dict(t.proposal.params)) for t in trials]
    for proposal in seen.proposals:
        if number >= campaign.content.budget.trials:
            break
        why_not = refusal(proposal, campaign.content.space.problems(proposal.params), tried)
        if why_not:
            events.append(e.ProposalRefused(campaign=campaign.id, proposer=proposal.proposer,
                                            params=dict(proposal.params), why=why_not))
            continue
        number += 1
        events.append(admitted(campaign, number, proposal))
        tried.append((f"{campaign.id}/t{number:03d}", dict(proposal.params)))
    if not seen.proposals and all(trial.judged for trial in trials):
        if seen.exhausted:
            events.append(e.CampaignClosing(campaign=campaign.id, why=f"the search has nothing more to try: "
                                                                      f"{seen.exhausted[0].why}"))
        elif seen.nobody:
            events.append(e.CampaignPaused(campaign=campaign.id, by="core",
                                           why=f"nobody proposes a trial: {seen.nobody}"))
    return events


def refusal(proposal: Proposal, problems: tuple[str, ...], tried: list[tuple[str, dict[str, Any]]]) -> str:
    """Return why a proposal is not admitted, "" when it is."""
    if problems:
        return "; ".join(problems)
    twin = next((trial for trial, params in tried if params == dict(proposal.params)), None)
    return f"it repeats {twin}" if twin else ""


def _opinions(state: State, seen: s.OpinionsSeen, c: Circumstances) -> list[Event]:
    trial = state.trials.get(seen.trial)
    if trial is None or not is_ready_to_judge(trial, state.runs_of(trial.id)):
        return []
    task = c.tasks.get(state.campaigns[trial.campaign].content.task)
    return [judged(trial, state, task, seen.opinions)] if task is not None else []


def _follow_ups(state: State, seen: s.FollowUpsSeen, c: Circumstances) -> list[Event]:
    run = state.runs.get(seen.run)
    if run is None or state.campaigns[run.campaign].status not in ("open", "closing"):
        return []
    events: list[Event] = []
    task = state.campaigns[run.campaign].content.task
    taken = {(r.kind, r.purpose) for r in state.runs_of(run.trial)}
    for plugin, wanted in seen.follow_ups:
        if (wanted.kind, plugin) in taken or ("", wanted.kind) not in c.entries:
            continue
        taken.add((wanted.kind, plugin))
        events.append(e.RunQueued(
            campaign=run.campaign, trial=run.trial, run=f"{run.trial}/{wanted.kind}-{plugin}-s{run.seed}-a1",
            kind=wanted.kind, seed=run.seed, attempt=1, purpose=plugin, asked_by=plugin,
            spec={**wanted.spec, "task": task, "entry": c.entries["", wanted.kind],
                  "params": run.spec.get("params", {}),
                  "checkpoint": run.checkpoint.path if run.checkpoint else None}))
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
