"""A campaign that waits for a person before its first training: what it says, what a resume lets pass, its hours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.core.given import NOW, ended, seen_file, step
from tests.core.given import content as campaign_of
from vbotd.core.campaign_report import closing_section
from vbotd.core.report import Facts, build, to_markdown
from vbotd.core.sighting import CommandSeen
from vbotd.core.state import State
from vbotd.core.telling import tell
from vbotd.domain import event as e
from vbotd.domain.campaign import Budget, SkillUse
from vbotd.domain.event import Event, Stored
from vbotd.domain.history import CampaignRecord

NIGHT = "night-1123"
T1 = f"{NIGHT}/t001"
GIVEN: dict[str, Any] = {
    "entries": {("", "train"): "m:train", ("", "evaluate"): "m:e", ("", "audit"): "m:audit", ("", "red-team"): "m:red"},
    "preflights": {"reward-engineering": ("red-team",)}, "mute": frozenset({"reward-engineering"})}
REMEDY = {"rule": "remedy/alive_reward", "level": "info", "message": "it would heal alone", "value": 1.5}
CHEAT = {"rule": "reward-budget/red-team", "level": "error", "value": 0.83,
         "message": "a robot that does not do the task is paid 83% of what one is that does it: " + "it stands, " * 30,
         "fix": f"lower what pays for it: alive_reward 150; the film: runs/{T1}/red-team-a1/red_team.mp4"}


def resume(key: str = "k") -> CommandSeen:
    return CommandSeen(key=key, verb="resume", principal="cli:ada", args={"id": NIGHT})


def at_the_red_team(**changes: Any) -> State:
    """A campaign whose audit is done and whose red team is at work."""
    state, _ = step(State(), seen_file(campaign_of(trials=1, skills=(SkillUse(name="reward-engineering"),),
                                                   **changes)), **GIVEN)
    result = {"outcome": "finished", "env_steps": 9, "findings": [REMEDY]}
    return step(state, ended(f"{T1}/audit-a1", result=result), **GIVEN)[0]


def found(state: State) -> State:
    """Now the red team has found a cheat."""
    result = {"outcome": "finished", "env_steps": 9, "findings": [CHEAT]}
    return step(state, ended(f"{T1}/red-team-a1", result=result), **GIVEN)[0]


def facts(state: State, *events: Event, record: CampaignRecord | None = None) -> Facts:
    return Facts(now=NOW, records=(record or state.campaigns[NIGHT],), trials=tuple(state.trials.values()),
                 runs=tuple(state.runs.values()), daemon_alive=True,
                 events=tuple(Stored(seq=n, at=NOW, event=event) for n, event in enumerate(events, 1)))


def test_what_needs_a_person_is_told_with_the_term_the_film_and_the_audits_way_out() -> None:
    state = found(at_the_red_team())
    need, = build(facts(state)).needs
    for said in ("83%", "alive_reward 150", f"runs/{T1}/red-team-a1/red_team.mp4", "alive_reward to 1.5",
                 "vbotd cancel"):
        assert said in need.text
    assert need.command == f"vbotd resume {NIGHT}"
    assert "red_team.mp4" in to_markdown(build(facts(state))), "and the report does not cut it off"


def test_the_report_remembers_what_was_let_pass_and_by_whom() -> None:
    held = found(at_the_red_team())
    state, events = step(held, resume(), **GIVEN)
    resumed, = (event for event in events if isinstance(event, e.CampaignResumed))
    assert tell(resumed) == "by cli:ada, past reward-budget/red-team"
    cause, = (cause for cause in build(facts(state, *events)).causes if "red-team" in cause.what)
    assert "(error, let pass by cli:ada)" in cause.what
    closed = e.CampaignClosed(campaign=NIGHT, outcome="finished", why="its one trial is done")
    section = closing_section(facts(state), state.campaigns[NIGHT], Stored(seq=9, at=NOW, event=closed))
    assert "- overruled: `reward-budget/red-team`, let pass by cli:ada: " in section
    waiting = closing_section(facts(held), held.campaigns[NIGHT], Stored(seq=9, at=NOW, event=closed))
    assert "overruled" not in waiting and "- found before training: `reward-budget/red-team`: a robot" in waiting


def test_who_pauses_and_resumes_lets_nothing_pass_that_was_found_meanwhile() -> None:
    pause = CommandSeen(key="p", verb="pause", principal="cli:ada", args={"id": NIGHT})
    paused, _ = step(at_the_red_team(), pause, **GIVEN)
    seen_later = found(paused)
    assert seen_later.campaigns[NIGHT].paused_why == "paused by cli:ada"
    state, _ = step(seen_later, resume(), **GIVEN)
    assert state.campaigns[NIGHT].status == "paused" and state.campaigns[NIGHT].allowed == ()
    assert "83%" in state.campaigns[NIGHT].paused_why and not any(run.kind == "train" for run in state.runs.values())
    passed, _ = step(state, resume("k2"), **GIVEN)
    assert passed.campaigns[NIGHT].allowed == ("reward-budget/red-team",)


def test_hours_do_not_pass_while_a_campaign_waits_for_its_first_training() -> None:
    held = found(at_the_red_team(budget=Budget(trials=1, hours=1.0)))
    morning = NOW + 9 * 3600
    state, _ = step(held, resume(), now=morning, **GIVEN)
    assert state.campaigns[NIGHT].status == "open" and f"{T1}/train-s1-a1" in state.runs
    spent, = build(replace(facts(state), now=morning)).spent
    assert spent.hours_left == 1.0
    late, _ = step(state, now=morning + 3601, **GIVEN)
    assert late.campaigns[NIGHT].status == "closing", "from there on they do"


def test_what_waited_beyond_its_deadline_is_not_begun_for_nothing() -> None:
    held = found(at_the_red_team(deadline="07:30"))
    state, events = step(held, resume(), deadlines={NIGHT: NOW - 1}, **GIVEN)
    refused, = events
    assert isinstance(refused, e.CommandRefused) and "allow: [reward-budget/red-team]" in refused.why
    assert state.campaigns[NIGHT].status == "paused"


def test_a_waiting_campaign_can_be_cancelled() -> None:
    cancel = CommandSeen(key="c", verb="cancel", principal="cli:ada", args={"id": NIGHT})
    held = found(at_the_red_team())
    state, events = step(held, cancel, **GIVEN)
    closed, = (event for event in events if isinstance(event, e.CampaignClosed))
    assert closed.outcome == "cancelled" and not [run for run in state.runs.values() if run.kind == "train"]
