"""Before a campaign is called a success, whoever asks for a further look is heard, and what it finds counts."""

from __future__ import annotations

from typing import Any

from tests.core.given import content, ended, seen_file, step
from vbotd.core.sighting import FollowUpsSeen, OpinionsSeen
from vbotd.core.state import State
from vbotd.domain import event as e
from vbotd.domain.campaign import Gate
from vbotd.domain.event import Event
from vbotd.domain.skill import FollowUp

CONFIRM, CAPTURE = "night-1123/t001/confirm-s1-a1", "night-1123/t001/capture-eyes-confirmed-s1-a1"
ENTRIES = {("", kind): f"m:{kind}" for kind in ("train", "evaluate", "capture")}
STATUE = {"rule": "kinematic-gate", "level": "error", "message": "stands in 3 of 3 episodes"}


def asked(state: State, *sightings: Any, followed: tuple[str, ...]) -> tuple[State, tuple[Event, ...]]:
    return step(state, *sightings, entries=ENTRIES, followers=("eyes",), followed=frozenset(followed),
                judges=("eyes",))


def confirmed(**changes: Any) -> tuple[State, list[str]]:
    """Return a campaign whose champion has just been measured on fresh episodes, and the runs that were followed."""
    gates = (Gate(tag="eval/success_rate", op=">=", value=0.5),)
    state, _ = asked(State(), seen_file(content(trials=1, gates=gates, **changes)), followed=())
    done: list[str] = []
    for _ in range(3):
        run, = (run.id for run in state.runs.values() if run.is_live)
        state, _ = asked(state, ended(run), followed=tuple(done))
        if run != CONFIRM:
            done.append(run)
            state, _ = asked(state, FollowUpsSeen(run=run), OpinionsSeen(trial="night-1123/t001"), followed=tuple(done))
    assert state.runs[CONFIRM].outcome == "finished"
    return state, done


def closed(events: tuple[Event, ...]) -> e.CampaignClosed | None:
    return next((event for event in events if isinstance(event, e.CampaignClosed)), None)


def captured(finding: dict[str, Any] | None, **changes: Any) -> e.CampaignClosed:
    """Return how the campaign closes after a capture that found this."""
    state, done = confirmed(**changes)
    wanted = FollowUpsSeen(run=CONFIRM, follow_ups=(("eyes", FollowUp(kind="capture", purpose="confirmed", why="x")),))
    state, events = asked(state, wanted, followed=(*done, CONFIRM))
    assert closed(events) is None and state.runs[CAPTURE].status == "launching"
    result = {"outcome": "finished", "env_steps": 500, "metrics": {}, "findings": [finding] if finding else []}
    state, events = asked(state, ended(CAPTURE, result=result), followed=(*done, CONFIRM))
    assert closed(events) is None, "a look may follow the capture"
    _, events = asked(state, FollowUpsSeen(run=CAPTURE), followed=(*done, CONFIRM, CAPTURE))
    found = closed(events)
    assert found is not None
    return found


def test_a_campaign_is_not_closed_before_those_who_follow_up_were_heard():
    state, done = confirmed()
    state, events = asked(state, followed=tuple(done))
    assert closed(events) is None
    _, events = asked(state, FollowUpsSeen(run=CONFIRM), followed=(*done, CONFIRM))
    assert (found := closed(events)) is not None and found.outcome == "reached"


def test_what_the_capture_of_a_champion_finds_is_the_last_word():
    assert captured(None).outcome == "reached"
    assert captured({**STATUE, "level": "warning"}).outcome == "reached"
    statue = captured(STATUE)
    assert (statue.outcome, statue.champion) == ("finished", "night-1123/t001")
    assert "no success: kinematic-gate: stands in 3 of 3 episodes" in statue.why


def test_a_person_may_overrule_it_by_name():
    assert captured(STATUE, allow=("kinematic-gate",)).outcome == "reached"
