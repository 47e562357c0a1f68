"""What an agent may do by itself, and what waits for a person: given a state and a command, what happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.given import content, kinds, seen_file, step
from vbotd.core.config import AgentsConfig, ConfigError, parse_config
from vbotd.core.policy import MOST_NOTES, REQUEST, WAITS, why_campaign_waits
from vbotd.core.sighting import CommandSeen
from vbotd.core.state import State
from vbotd.domain import event as e
from vbotd.domain.campaign import Budget, Schedule

AGENT = "agent:mcp"


def opened(*, own: bool = False, trials: int = 4) -> State:
    """An open campaign with a search space, of a person or of an agent."""
    seen = seen_file(content(trials=trials, search=True, budget=Budget(trials=trials, hours=8.0)))
    return step(State(), replace(seen, file="agent--k1.yaml") if own else seen)[0]


def command(verb: str, principal: str = AGENT, key: str = "k7", **args: Any) -> CommandSeen:
    return CommandSeen(key=key, verb=verb, args=args, principal=principal)


def propose(rate: float, **changes: Any) -> CommandSeen:
    return replace(command("propose", id="night-1123", params={"ppo.learning_rate": rate}, why="a hunch"), **changes)


def test_inside_the_space_and_the_budget_a_proposal_is_admitted():
    _, events = step(opened(), propose(3e-3))
    assert kinds(events)[:2] == ["CommandAccepted", "TrialAdmitted"]
    assert events[1].proposal.proposer == AGENT
    assert events[1].params == {"ppo.learning_rate": 3e-3}


@pytest.mark.parametrize(("seen", "why"), [
    (propose(5e-2), "outside the declared space of night-1123: ppo.learning_rate = 0.05"),
    (command("cancel", id="night-1123"), "a person's campaign"),
    (command("pause", id="night-1123"), "a person's campaign"),
    (command("amend", id="night-1123", hours=2.0), "a person's campaign, so is its budget"),
    (command("submit", name="x", text="version: 1", why="it asks for 99 hours"), "it asks for 99 hours"),
])
def test_the_rest_waits_and_nothing_else_happens(seen: CommandSeen, why: str):
    _, events = step(opened(), seen)
    request, = events
    assert isinstance(request, e.CommandAccepted)
    assert (request.verb, request.args["verb"], request.args["args"]) == (REQUEST, seen.verb, dict(seen.args))
    assert WAITS in request.answer
    assert why in request.answer


def test_its_own_campaign_an_agent_may_pause_and_cancel_and_shorten_but_not_resume_or_lengthen():
    state, events = step(opened(own=True), command("pause", id="night-1123"))
    assert kinds(events) == ["CommandAccepted", "CampaignPaused"]
    assert [ev.verb for ev in step(state, command("resume", id="night-1123"))[1]] == [REQUEST]
    assert "raises the hours" in step(opened(own=True), command("amend", id="night-1123", hours=9.0))[1][0].answer
    assert "CampaignAmended" in kinds(step(opened(own=True), command("amend", id="night-1123", hours=7.0))[1])
    assert "CampaignClosed" in kinds(step(opened(own=True), command("cancel", id="night-1123"))[1])


def test_the_configuration_may_give_an_agent_more():
    allowed = frozenset(parse_config(b"agents: {may: [pause]}").agents.may)
    _, events = step(opened(), command("pause", id="night-1123"), agents_may=allowed)
    assert kinds(events) == ["CommandAccepted", "CampaignPaused"]
    with pytest.raises(ConfigError, match=r"agents\.may.*allowed keys: hours, trials, open, may"):
        parse_config(b"agents: {may: [resign]}")


@pytest.mark.parametrize("seen", [
    command("pause", id="nowhere"), command("note", id="night-1123", text=" "), command("propose", id="night-1123"),
    command("propose", id="night-1123", params={"ppo.no_such_thing": 1.0}, why="x"),
    propose(50.0),  # beyond what the task itself allows: no person could let it pass
    command("approve", request="k1"), command("reject", request="k1"), command("fly"),
])
def test_what_makes_no_sense_is_refused_and_asks_nobody(seen: CommandSeen):
    refused, = step(opened(), seen)[1]
    assert isinstance(refused, e.CommandRefused)


def test_when_the_trials_are_taken_a_proposal_waits_and_a_person_makes_room_for_it():
    state = opened(trials=1)
    state, _ = step(state, propose(3e-3, principal="cli:ada"))
    _, events = step(state, propose(4e-3))
    assert "all 1 trials of night-1123 are taken" in events[0].answer
    approved = propose(4e-3, principal="cli:ada", key="k7.approved")
    _, events = step(state, replace(approved, args={**approved.args, "approved": True}))
    assert kinds(events)[:3] == ["CommandAccepted", "CampaignAmended", "TrialAdmitted"]
    assert events[1].budget == {"trials": 2}


def test_a_person_may_let_a_proposal_leave_the_space_and_an_agent_that_says_so_itself_may_not():
    wide = propose(5e-2)
    wide = replace(wide, args={**wide.args, "approved": True})
    assert [event.verb for event in step(opened(), wide)[1]] == [REQUEST]
    _, events = step(opened(), replace(wide, principal="cli:ada"))
    assert kinds(events)[:2] == ["CommandAccepted", "TrialAdmitted"]
    _, events = step(opened(), propose(5e-2, principal="cli:ada"))
    assert kinds(events) == ["CommandRefused"]


def test_notes_of_an_agent_do_not_fill_the_report():
    state = opened()
    for number in range(MOST_NOTES):
        state, events = step(state, command("note", key=f"n{number}", id="night-1123", text=f"note {number}"))
        assert kinds(events) == ["CommandAccepted", "NoteAdded"]
    refused, = step(state, command("note", id="night-1123", text="one more"))[1]
    assert "notes already" in refused.why


@pytest.mark.parametrize(("changes", "why"), [
    ({}, ""), ({"budget": Budget(trials=4)}, "has no limit of hours"),
    ({"budget": Budget(trials=4, hours=13.0)}, "asks for 13 hours"),
    ({"budget": Budget(trials=61, hours=1.0)}, "61 trials"), ({"allow": ("reward-budget",)}, "overrules findings"),
    ({"schedule": Schedule(every_s=60.0)}, "by a schedule"),
])
def test_a_campaign_of_an_agent_starts_inside_the_limits(changes: dict[str, Any], why: str):
    asked = content(**{"budget": Budget(trials=4, hours=8.0)} | changes)
    said = why_campaign_waits(asked, 0, AgentsConfig())
    assert why in said
    assert bool(said) == bool(why)
    assert "2 campaigns of agents are open" in why_campaign_waits(asked, 2, AgentsConfig())


MISCHIEF = st.builds(
    command, st.sampled_from(["cancel", "pause", "resume", "amend", "submit", "approve", "reject", "propose", "note",
                              "request", "delete"]),
    id=st.sampled_from(["night-1123", "night-1123/t001", "nowhere"]), approved=st.booleans(), force=st.booleans(),
    trials=st.integers(0, 99), hours=st.floats(0, 999), principal=st.just(AGENT), why=st.text(max_size=20),
    text=st.text(max_size=20), params=st.dictionaries(st.sampled_from(["ppo.learning_rate", "env.x"]),
                                                      st.one_of(st.floats(), st.text(max_size=5)), max_size=2))


@given(st.lists(MISCHIEF, max_size=6))
@settings(max_examples=150)
def test_whatever_an_agent_says_a_person_s_campaign_keeps_its_budget_its_status_and_its_runs(said: list[CommandSeen]):
    before = opened()
    state, _ = step(before, propose(3e-3, principal="cli:ada"))
    left = [run.id for run in state.runs.values()]
    for number, seen in enumerate(said):
        state, events = step(state, replace(seen, key=f"m{number}"))
        assert not {"CampaignPaused", "CampaignClosed", "CampaignAmended", "RunStopAsked"} & set(kinds(events))
    assert state.campaigns["night-1123"].content == before.campaigns["night-1123"].content
    assert state.campaigns["night-1123"].status == "open"
    assert [run for run in left if state.runs[run].status == "ended"] == []
