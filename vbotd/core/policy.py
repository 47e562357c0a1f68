"""May an agent do this by itself? Decided here, outside of any model, from the state and the configuration.

The rule this protects: a model's words never widen what it may do. Inside the space and the budget that a person
declared a proposal passes; whatever else an agent asks for becomes a request that waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from vbotd.core.admission import outside_task
from vbotd.core.config import AgentsConfig
from vbotd.core.sighting import Circumstances, CommandSeen
from vbotd.core.state import State
from vbotd.domain.campaign import Campaign
from vbotd.domain.history import CampaignRecord

AGENT = "agent:"  # how the names of such principals begin
OWN_FILE = "agent--"  # how the files begin that an agent submits: by this the campaign is known as its own
REQUEST = "request"  # the verb under which the store has what waits for a person
WAITS = "waits for a person"
MOST_NOTES = 40  # of agents at one campaign; notes stand in the report, and a loop must not fill it
OWN_ONLY = ("cancel", "pause")

Ruling = tuple[Literal["pass", "wait", "refuse"], str]
PASS: Ruling = ("pass", "")


def is_agent(principal: str) -> bool:
    """Say whether a command comes from an agent."""
    return principal.startswith(AGENT)


def is_own(campaign: CampaignRecord) -> bool:
    """Say whether an agent submitted a campaign."""
    return campaign.file.startswith(OWN_FILE)


def ruling(state: State, seen: CommandSeen, circumstances: Circumstances) -> Ruling:
    """Return what is to become of a command: it passes, waits for a person, or is refused; the last two with why.

    A command of a person passes. What makes no sense (an unknown campaign) passes too, for its verb to refuse.
    """
    if not is_agent(seen.principal):
        return PASS
    if seen.verb in ("approve", "reject"):
        return "refuse", "an agent's requests are for a person to decide"
    if seen.verb == "submit":
        return "wait", str(seen.args.get("why") or "the campaign is more than an agent may start by itself")
    campaign = _campaign(state, seen)
    if campaign is None or seen.verb in circumstances.agents_may:
        return PASS
    match seen.verb:
        case "propose":
            return _proposal(state, campaign, seen, circumstances)
        case "note" if len(campaign.notes) >= MOST_NOTES:
            return "refuse", f"{campaign.id} has {len(campaign.notes)} notes already — say it in the next report"
        case "amend":
            return _amendment(campaign, seen.args)
        case "resume":
            return "wait", f"{campaign.id} was paused for a reason, which a person is to look at first"
        case verb if verb in OWN_ONLY and not is_own(campaign):
            return "wait", f"{campaign.id} is a person's campaign"
    return PASS


def why_campaign_waits(content: Campaign, open_own: int, limits: AgentsConfig) -> str:
    """Return why a campaign that an agent submits waits for a person, "" where it may start at once.

    `open_own` counts the campaigns of agents that are not closed.
    """
    found = []
    if content.budget.hours is None or content.budget.hours > limits.hours:
        asked = "has no limit of hours" if content.budget.hours is None else f"asks for {content.budget.hours:g} hours"
        found.append(f"it {asked}, an agent may take {limits.hours:g}")
    if content.budget.trials > limits.trials:
        found.append(f"it asks for {content.budget.trials} trials, an agent may take {limits.trials}")
    if open_own >= limits.open:
        found.append(f"{open_own} campaigns of agents are open, allowed are {limits.open}")
    if content.allow:
        found.append(f"it overrules findings ({', '.join(content.allow)})")
    if content.schedule is not None:
        found.append("it starts by a schedule, again and again")
    return "; ".join(found)


def _campaign(state: State, seen: CommandSeen) -> CampaignRecord | None:
    target = str(seen.args.get("id") or seen.args.get("campaign") or "")
    below = state.trials.get(target) or state.runs.get(target)
    return state.campaigns.get(below.campaign if below else target)


def _proposal(state: State, campaign: CampaignRecord, seen: CommandSeen, circumstances: Circumstances) -> Ruling:
    params = seen.args.get("params")
    if campaign.status != "open" or not isinstance(params, Mapping):
        return PASS
    task = circumstances.tasks.get(campaign.content.task)
    if tuple(outside_task(params, task)):
        return PASS  # nobody could approve that, so its verb says what is wrong
    known = {dimension.key: dimension for dimension in campaign.content.space.dimensions}
    wide = [f"{key} = {value!r} ({known[key].allowed()} is declared)" if key in known else f"{key} is not searched here"
            for key, value in params.items() if key not in known or not known[key].contains(value)]
    if wide:
        return "wait", f"outside the declared space of {campaign.id}: {'; '.join(wide)}"
    if len(state.trials_of(campaign.id)) >= campaign.content.budget.trials:
        return "wait", f"all {campaign.content.budget.trials} trials of {campaign.id} are taken"
    return PASS


def _amendment(campaign: CampaignRecord, args: Mapping[str, Any]) -> Ruling:
    if not is_own(campaign):
        return "wait", f"{campaign.id} is a person's campaign, so is its budget"
    budget = campaign.content.budget
    now = {"trials": budget.trials, "hours": budget.hours, "env_steps": budget.env_steps}
    more = [key for key, have in now.items() if isinstance(wanted := args.get(key), int | float)
            and have is not None and wanted > have]
    return ("wait", f"it raises the {' and the '.join(more)} of {campaign.id}") if more else PASS
