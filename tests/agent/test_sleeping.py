"""Sleeping until something happens: what ends a sleep, and that it is never missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agent.calls import Caller, over_story
from tests.stories import EVENING, MORNING, TASK, flat_night
from vbotd.core.waking import Sleep, woken_by
from vbotd.domain import event as e
from vbotd.domain.event import Event, Stored
from vbotd.domain.finding import Finding
from vbotd.store.events import EventStore
from vbotd.store.sleepers import MOST_SLEEPS, wake_sleepers

NIGHT, T1 = "flat-night-1123", "flat-night-1123/t001"
ENDED = e.RunEnded(campaign=NIGHT, trial=T1, run=f"{T1}/train-s1-a1", outcome="finished")
JUDGED = e.TrialJudged(campaign=NIGHT, trial=T1, verdict="keep", why="good")
CLOSED = e.CampaignClosed(campaign=NIGHT, outcome="reached", why="done")
PAUSED = e.CampaignPaused(campaign=NIGHT, why="three failed")


def found(level: str) -> e.FindingMade:
    return e.FindingMade(campaign=NIGHT, trial=T1, run=ENDED.run,
                         finding=Finding(rule="r", level=level, message="m"))  # type: ignore[arg-type]


def command(key: str) -> e.CommandAccepted:
    return e.CommandAccepted(key=key, verb="note", args={}, principal="cli:ada", answer="noted")


@pytest.mark.parametrize(("until", "about", "event", "wakes"), [
    ("run_ended", NIGHT, ENDED, True), ("run_ended", T1, ENDED, True), ("run_ended", ENDED.run, ENDED, True),
    ("run_ended", "flat-night-1124", ENDED, False), ("run_ended", "flat-night-1123/t00", ENDED, False),
    ("run_ended", "", ENDED, True), ("trial_judged", T1, JUDGED, True), ("trial_judged", T1, ENDED, False),
    ("campaign_closed", NIGHT, CLOSED, True), ("campaign_closed", NIGHT, JUDGED, False),
    ("trial_judged", T1, CLOSED, True), ("trial_judged", T1, PAUSED, True),  # nothing would come any more
    ("trial_judged", "other-1", CLOSED, False), ("time", NIGHT, CLOSED, False),
    ("finding", NIGHT, found("warning"), True), ("finding", NIGHT, found("info"), False),
    ("trouble", "", PAUSED, True), ("trouble", "", JUDGED, False),
    ("answer", "k1", command("k1"), True), ("answer", "k1", command("k1.approved"), True),
    ("answer", "k1", command("k2"), False), ("anything", "", JUDGED, True),
])
def test_what_ends_a_sleep(until, about: str, event: Event, wakes: bool):
    sleep = Sleep(handle="z", until=until, id=about, since=7, until_at=100.0)
    assert bool(woken_by(sleep, [Stored(seq=8, at=1.0, event=event)], 50.0)) is wakes
    assert woken_by(sleep, [Stored(seq=7, at=1.0, event=event)], 50.0) == ""  # it had happened before
    assert woken_by(sleep, [], 100.0) == "the time is up"


@pytest.fixture
def crash(tmp_path: Path) -> Caller:
    return over_story(tmp_path, "crash")


def commit(caller: Caller, *events: Event) -> None:
    store = EventStore(caller.layout.store)
    store.commit(events, MORNING)
    store.close()


def test_an_agent_sleeps_ends_its_turn_and_is_told_what_changed(crash: Caller):
    asleep = crash.value("sleep_until", key="z1", until="trial_judged", id="flat-night", hours=2)
    assert asleep == {"handle": "z1", "awake": False, "why": f"<<asleep until trial_judged {NIGHT}>>"}
    assert crash.value("sleep_until", key="z1", until="trial_judged", id=NIGHT, hours=2) == asleep
    assert crash.value("wait", handle="z1")["awake"] is False
    trial = f"{NIGHT}/t002"
    commit(crash, e.TrialJudged(campaign=NIGHT, trial=trial, verdict="keep", why="it walks"))
    awake = crash.value("wait", handle="z1", budget_tokens=300)
    assert awake["awake"] is True
    assert awake["why"] == f"<<event 34: TrialJudged {trial} keep: it walks>>"
    assert f"34 TrialJudged {trial}: <<keep: it walks>>" in awake["brief"]
    assert len(awake["brief"]) <= 1200
    assert awake["event"] == 34


def test_whoever_looks_writes_the_end_down_and_a_file_tells_who_waits_for_one(crash: Caller):
    crash.value("sleep_until", key="z1", until="run_ended", hours=2)
    crash.value("sleep_until", key="z2", until="time", hours=0.5)
    assert wake_sleepers(crash.layout, MORNING + 60) == ()
    commit(crash, e.RunEnded(campaign=NIGHT, trial=f"{NIGHT}/t002", run=f"{NIGHT}/t002/train-s1-a1",
                             outcome="finished"))
    assert wake_sleepers(crash.layout, MORNING + 60) == ("z1",)
    told = json.loads((crash.layout.state / "sleeps" / "z1.awake.json").read_text())
    assert told["why"].startswith("event 34: RunEnded")
    assert wake_sleepers(crash.layout, MORNING + 1800) == ("z2",)
    assert wake_sleepers(crash.layout, MORNING + 1800) == ()


def test_what_has_happened_already_wakes_at_once(tmp_path: Path):
    night = over_story(tmp_path, "success")
    said = night.value("sleep_until", key="z1", until="trial_judged", id="t002")
    assert said["awake"] is True
    assert "CampaignClosed" in said["why"]


def test_an_answer_that_was_given_wakes_at_once(crash: Caller):
    said = crash.value("sleep_until", key="z1", until="answer", id="k1")  # the story's refused command
    assert said["awake"] is True


def test_sleeps_are_bounded_and_unknown_handles_are_told(crash: Caller):
    for number in range(MOST_SLEEPS):
        crash.value("sleep_until", key=f"n{number}", until="time", hours=1)
    assert "sleeps are open already" in crash.error("sleep_until", key="one-more", until="time", hours=1)
    assert "nobody sleeps under 'x'" in crash.error("wait", handle="x")
    assert "no campaign" in crash.error("sleep_until", key="y", until="run_ended", id="nothing-here")


def test_a_long_history_is_read_to_its_end(tmp_path: Path):
    night = over_story(tmp_path, "nothing")
    night.value("sleep_until", key="z1", until="campaign_closed", id="")
    noise = [e.CampaignAccepted(campaign=f"c-{n}", content=flat_night(name="c"), sha256=f"{n:064}", file="c.yaml",
                                text="", submitted_by="inbox") for n in range(3)]
    commit(night, *noise, *(command(f"c{n}") for n in range(1200)))
    assert night.value("wait", handle="z1")["awake"] is False
    commit(night, e.CampaignClosed(campaign="c-2", outcome="failed", why=f"no {TASK} at {EVENING}"))
    assert night.value("wait", handle="z1")["awake"] is True
