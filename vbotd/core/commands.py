"""What people and agents may ask of the daemon, and what each command does: one function a verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vbotd.core import agent_turns
from vbotd.core.admission import admitted, refusal
from vbotd.core.advance import failures_in_a_row
from vbotd.core.auditing import held_by
from vbotd.core.policy import REQUEST, WAITS, is_agent, ruling
from vbotd.core.sighting import Circumstances, CommandSeen
from vbotd.core.state import State
from vbotd.core.wording import counted
from vbotd.domain import event as e
from vbotd.domain.event import Event
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Proposal


class Refused(Exception):
    """The command cannot be carried out; the message says why and what would work."""


def decide_command(state: State, seen: CommandSeen, circumstances: Circumstances) -> list[Event]:
    """Return the effect of a command and its answer, or its refusal."""
    verb = VERBS.get(seen.verb)
    try:
        if seen.verb == agent_turns.VERB:
            return [agent_turns.turn_taken(seen)]
        if verb is None:
            raise Refused(f"there is no command '{seen.verb}' — allowed: {', '.join(sorted(VERBS))}")
        ruled, why = ruling(state, seen, circumstances)
        if ruled == "refuse":
            raise Refused(why)
        if ruled == "wait":
            return [_request(state, seen, why)]
        campaign, answer, effects = verb(state, seen, circumstances)
    except (Refused, agent_turns.NoTurn) as refused:
        return [e.CommandRefused(key=seen.key, verb=seen.verb, args=dict(seen.args), principal=seen.principal,
                                 why=str(refused))]
    return [e.CommandAccepted(key=seen.key, verb=seen.verb, args=dict(seen.args), principal=seen.principal,
                              answer=answer, campaign=campaign), *effects]


Effect = tuple[str, str, list[Event]]  # campaign, answer, events


def _request(state: State, seen: CommandSeen, why: str) -> Event:
    """Return the record of what an agent asks a person for; `vbotd approve KEY` gives the command anew."""
    named = str(seen.args.get("id") or seen.args.get("campaign") or "").partition("/")[0]
    return e.CommandAccepted(
        key=seen.key, verb=REQUEST, args={"verb": seen.verb, "args": dict(seen.args), "why": why},
        principal=seen.principal, campaign=named if named in state.campaigns else "",
        answer=f"it {WAITS}, as request {seen.key}: {why}")


def _decided(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    """Take note that a person decided a request; what it asked for comes by itself, as that person's command."""
    request = str(seen.args.get("request", ""))
    if not request:
        raise Refused("say which request: args.request is its key")
    return "", f"request {request}: {'approved' if seen.verb == 'approve' else 'rejected'} by {seen.principal}", []


def _submit(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    raise Refused("a campaign is submitted as a file in state/inbox/ — 'vbotd submit FILE' puts it there")


def _cancel(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    target = str(seen.args.get("id", ""))
    why = f"cancelled by {seen.principal}"
    runs = [run for run in state.runs.values() if target in (run.id, run.trial, run.campaign) and run.status != "ended"]
    stops: list[Event] = [e.RunStopAsked(campaign=run.campaign, trial=run.trial, run=run.id, why=why, by=seen.principal)
                          for run in runs if run.status != "stopping"]
    if target in state.campaigns:
        campaign = state.campaigns[target]
        if campaign.status == "closed":
            raise Refused(f"campaign '{target}' is closed already ({campaign.outcome})")
        return target, f"{target} is cancelled; {_stopped(stops)}", [
            *stops, e.CampaignClosed(campaign=target, outcome="cancelled", why=why)]
    if target in state.trials or target in state.runs:
        if not runs:
            raise Refused(f"'{target}' has no run that is queued or running")
        return runs[0].campaign, f"of {target}, {_stopped(stops)}", stops
    raise Refused(_unknown(state, target))


def _stopped(stops: Sequence[Event]) -> str:
    return f"{counted(len(stops), 'run')} {'is' if len(stops) == 1 else 'are'} being stopped"


def _pause(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    campaign = _campaign(state, seen)
    if campaign.status not in ("open", "closing", "scheduled"):
        raise Refused(f"campaign '{campaign.id}' is {campaign.status}; only one that is open can be paused")
    why = str(seen.args.get("why") or f"paused by {seen.principal}")
    return campaign.id, f"{campaign.id} is paused; what runs goes on, nothing new starts", [
        e.CampaignPaused(campaign=campaign.id, why=why, by=seen.principal)]


def _resume(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    campaign = _campaign(state, seen)
    if campaign.status != "paused":
        raise Refused(f"campaign '{campaign.id}' is {campaign.status}, not paused")
    forgiven = failures_in_a_row(state.trials_of(campaign.id))
    # Whoever pauses and resumes lets nothing pass that they may not have seen: then it waits again, and says for what.
    runs = [run for run in state.runs.values() if run.campaign == campaign.id]
    allowed = tuple(finding.rule for finding in held_by(runs, campaign))
    deadline = circumstances.deadlines.get(campaign.id)
    if allowed and deadline is not None and circumstances.now >= deadline:
        raise Refused(f"the deadline {campaign.content.deadline} has come before anything was trained — cancel it, and "
                      f"submit its file again with a later one and 'allow: [{', '.join(allowed)}]'")
    past = f", past {', '.join(allowed)}" if allowed else ""
    return campaign.id, f"{campaign.id} goes on{past}", [
        e.CampaignResumed(campaign=campaign.id, by=seen.principal, forgiven=forgiven, allowed=allowed)]


def _note(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    campaign = _campaign(state, seen)
    text = str(seen.args.get("text", "")).strip()
    if not text:
        raise Refused("the note is empty — give a text")
    return campaign.id, f"noted at {campaign.id}", [
        e.NoteAdded(campaign=campaign.id, text=text[:2000], by=seen.principal)]


def _propose(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    campaign = _campaign(state, seen, key="campaign")
    if campaign.status != "open":
        raise Refused(f"campaign '{campaign.id}' is {campaign.status}, it takes no proposal")
    trials = state.trials_of(campaign.id)
    approved = seen.args.get("approved") is True and not is_agent(seen.principal)
    if len(trials) >= campaign.content.budget.trials and not approved:
        raise Refused(f"all {campaign.content.budget.trials} trials of '{campaign.id}' are taken — "
                      f"'vbotd amend {campaign.id} --trials N' makes room")
    params = seen.args.get("params")
    if not isinstance(params, Mapping):
        raise Refused("a proposal needs 'params', a mapping of settings to values")
    proposal = Proposal(params=dict(params), proposer=seen.principal, why=str(seen.args.get("why", ""))[:500])
    why_not = refusal(proposal, campaign, trials, circumstances, approved=approved)
    if why_not:
        raise Refused(why_not)
    event = admitted(campaign, len(trials) + 1, proposal)
    room: list[Event] = [] if len(trials) < campaign.content.budget.trials else [
        e.CampaignAmended(campaign=campaign.id, budget={"trials": len(trials) + 1}, by=seen.principal)]
    return campaign.id, f"it is {event.trial}", [*room, event]


def _amend(state: State, seen: CommandSeen, circumstances: Circumstances) -> Effect:
    campaign = _campaign(state, seen)
    if campaign.status not in ("open", "paused", "scheduled"):
        raise Refused(f"campaign '{campaign.id}' is {campaign.status}, its budget cannot change any more")
    budget: dict[str, float] = {}
    for key, kind, most in (("trials", int, 10_000), ("hours", float, 10_000), ("env_steps", int, 10**13)):
        value = seen.args.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise Refused(f"{key} is {value!r}, allowed is a number above 0 and at most {most}")
        budget[key] = kind(value)
    if not budget:
        raise Refused("nothing to change — give trials, hours or env_steps")
    have = len(state.trials_of(campaign.id))
    if budget.get("trials", have) < have:
        raise Refused(f"trials is {budget['trials']:g}, but {have} are there already")
    said = ", ".join(f"{key} {value:g}" for key, value in budget.items())
    return campaign.id, f"the budget of {campaign.id} is now {said}", [
        e.CampaignAmended(campaign=campaign.id, budget=budget, by=seen.principal)]


def _campaign(state: State, seen: CommandSeen, key: str = "id") -> CampaignRecord:
    target = str(seen.args.get(key) or seen.args.get("id") or "")
    campaign = state.campaigns.get(target)
    if campaign is None:
        if target in state.trials or target in state.runs:
            raise Refused(f"'{seen.verb}' works on a campaign, '{target}' is a trial or a run")
        raise Refused(_unknown(state, target))
    return campaign


def _unknown(state: State, target: str) -> str:
    known = ", ".join(list(state.campaigns)[:8]) or "none is open"
    return f"there is no open campaign, trial or run '{target}' — open campaigns: {known}"


VERBS: Mapping[str, Callable[[State, CommandSeen, Circumstances], Effect]] = {
    "cancel": _cancel, "pause": _pause, "resume": _resume, "note": _note, "propose": _propose, "amend": _amend,
    "approve": _decided, "reject": _decided, "submit": _submit,
}

