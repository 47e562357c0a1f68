"""The rules, as given / when / then on values."""

from __future__ import annotations

from dataclasses import replace

from tests.core.given import NOW, alive, content, ended, kinds, seen_file, step
from vbotd.core.sighting import (
    CommandSeen,
    FileSeen,
    FindingsSeen,
    LaunchFailedSeen,
    OpinionsSeen,
    PluginTroubleSeen,
    Progress,
    ProposalsSeen,
    RunSeen,
    ScheduleDueSeen,
)
from vbotd.core.state import State
from vbotd.domain import event as e
from vbotd.domain.campaign import Budget, Gate, Schedule
from vbotd.domain.finding import Finding, Problem
from vbotd.domain.skill import Exhausted, Opinion
from vbotd.domain.trial import Proposal


def opened(**changes: object) -> State:
    """An open campaign whose first two trials have been launched."""
    state, _ = step(State(), seen_file(content(**changes)))  # type: ignore[arg-type]
    return state


def only_run(state: State, status: str = "launching") -> str:
    return next(run.id for run in state.runs.values() if run.status == status)


def finish(state: State, *, value: float = 0.9, rounds: int = 40) -> tuple[State, list[e.Event]]:
    """Let every run that is live end well until nothing is live any more."""
    happened: list[e.Event] = []
    for _ in range(rounds):
        live = [run.id for run in state.runs.values() if run.is_live]
        if not live:
            break
        state, events = step(state, *(ended(run, value=value) for run in live))
        happened += events
    return state, happened


def test_an_accepted_file_becomes_a_campaign_with_an_id_that_speaks_and_its_runs_are_launched() -> None:
    state, events = step(State(), seen_file(content("flat-night")))
    assert kinds(events)[:3] == ["CampaignAccepted", "TrialAdmitted", "RunQueued"]
    assert list(state.campaigns) == ["flat-night-1123"]
    assert [run.threads for run in state.runs.values() if run.status == "launching"] == [1, 1]
    assert {run.id for run in state.runs.values()} == {
        "flat-night-1123/t001/train-s1-a1", "flat-night-1123/t002/train-s2-a1"}


def test_a_name_that_is_taken_gets_a_number() -> None:
    taken = frozenset({"night-1123", "night-1123-2"})
    state, _ = step(State(), replace(seen_file(content()), taken=taken))
    assert list(state.campaigns) == ["night-1123-3"]


def test_a_refused_file_is_told_once_even_after_a_crash() -> None:
    problem = Problem(line=3, column=1, where="task", message="unknown")
    seen = FileSeen(file="x.yaml", sha256="s", text="", problems=(problem,))
    assert kinds(step(State(), seen)[1]) == ["CampaignRefused"]
    assert step(State(), replace(seen, refused_before=True))[1] == ()


def test_known_bytes_open_nothing_new() -> None:
    state = opened()
    same = FileSeen(file="night.yaml", sha256="sha-night", text="", known_as="night-1123")
    assert step(state, same)[1] == (), "the same file again is what a crash before clearing the inbox looks like"
    assert kinds(step(state, replace(same, file="copy.yaml"))[1]) == ["NoteAdded"]


def test_a_campaign_goes_from_training_to_score_to_confirmation_to_its_end() -> None:
    state, events = finish(opened())
    closed = next(event for event in events if isinstance(event, e.CampaignClosed))
    assert (closed.outcome, closed.champion) == ("finished", "night-1123/t001")
    purposes = [(run.kind, run.purpose) for run in state.runs.values()]
    assert purposes.count(("evaluate", "score")) == 2 and purposes.count(("evaluate", "confirm")) == 1
    score, confirm = (next(r for r in state.runs.values() if r.purpose == p) for p in ("score", "confirm"))
    assert score.spec["evaluate"]["instances"] != confirm.spec["evaluate"]["instances"], "fresh episodes"


def test_all_trials_of_a_campaign_are_scored_on_the_same_instances() -> None:
    state, _ = finish(opened(trials=3))
    instances = {run.spec["evaluate"]["instances"] for run in state.runs.values() if run.purpose == "score"}
    assert len(instances) == 1


def test_a_gate_is_passed_only_by_the_careful_end_of_the_interval() -> None:
    for bar, outcome in ((0.84, "reached"), (0.88, "finished")):
        gates = (Gate(tag="eval/success_rate", op=">=", value=bar),)
        _, events = finish(opened(gates=gates))
        closed = next(event for event in events if isinstance(event, e.CampaignClosed))
        assert closed.outcome == outcome, closed.why


def test_a_failed_run_has_no_score_and_a_campaign_of_failures_is_failed() -> None:
    state = opened()
    live = [run.id for run in state.runs.values() if run.is_live]
    state, events = step(state, *(ended(run, code=1, result=None, log_tail="ValueError: no") for run in live))
    judged = [event for event in events if isinstance(event, e.TrialJudged)]
    assert [(event.verdict, event.score) for event in judged] == [("discard", None)] * 2
    assert "ValueError: no" in judged[0].why
    assert [event.outcome for event in events if isinstance(event, e.CampaignClosed)] == ["failed"]


def test_three_failures_in_a_row_pause_a_campaign_even_while_a_fourth_trial_runs() -> None:
    state = opened(trials=6)
    for failed in range(3):
        assert state.campaigns["night-1123"].status == "open"
        state, events = step(state, ended(f"night-1123/t{failed + 1:03d}/train-s{failed + 1}-a1", code=1, result=None))
    assert state.campaigns["night-1123"].status == "paused" and any(run.is_live for run in state.runs.values())
    state, events = step(state, command("resume", id="night-1123"))
    assert state.campaigns["night-1123"].status == "open" and "TrialAdmitted" in kinds(events)


def test_a_lost_run_is_tried_again_from_its_last_checkpoint_and_not_for_ever() -> None:
    state = opened(trials=1)
    for attempt in (1, 2, 3):
        run = only_run(state)
        assert run.endswith(f"-a{attempt}")
        lost = RunSeen(run=run, claim="shim", alive=False, swept=True)
        state, events = step(state, lost, now=NOW + 100 * attempt)
        state, later = step(state, now=NOW + 100 * attempt + 50)  # what is lost again and again waits a little
        events += later
    assert "TrialJudged" in kinds(events) and "CampaignClosed" in kinds(events)


def test_a_launch_that_never_claimed_is_fenced_and_launched_again_under_a_new_token() -> None:
    state = opened(trials=1)
    run = state.runs[only_run(state)]
    state, events = step(state, RunSeen(run=run.id, claim="none", alive=False, fence="won"))
    assert kinds(events) == ["RunFenced", "RunLaunched"]
    again = state.runs[run.id]
    assert (again.launch, again.attempt) == (2, 1) and again.token != run.token


def test_a_refused_spawn_goes_back_to_the_queue() -> None:
    state = opened(trials=1)
    state, events = step(state, LaunchFailedSeen(run=only_run(state), why="EAGAIN"), cores=0)
    assert kinds(events) == ["RunFenced"] and only_run(state, "queued")


def test_a_run_that_another_daemon_started_is_adopted_once() -> None:
    state = opened(trials=1)
    state, events = step(state, alive(only_run(state), adopted_here=False))
    assert kinds(events) == ["RunStarted", "RunAdopted"]
    assert kinds(step(state, alive(only_run(state, "running")))[1]) == []


def test_proposals_are_checked_against_space_history_and_budget() -> None:
    state = opened(search=True, trials=2)
    asked = ProposalsSeen(campaign="night-1123", proposals=tuple(
        Proposal(params=params, proposer="hp-search") for params in (
            {"ppo.learning_rate": 1.0}, {"ppo.learning_rate": 1e-3}, {"ppo.learning_rate": 1e-3},
            {"reward.x": 1.0}, {"ppo.learning_rate": 2e-3}, {"ppo.learning_rate": 3e-3})))
    state, events = step(state, asked)
    refused = [event.why for event in events if isinstance(event, e.ProposalRefused)]
    assert len(refused) == 3 and "allowed is log in [0.0001, 0.01]" in refused[0] and "repeats" in refused[1]
    assert len(state.trials) == 2, "the budget holds"
    assert {run.seed for run in state.runs.values()} == {1}, "a search compares settings under the same seed"


def test_a_search_that_has_nothing_left_closes_the_campaign_when_its_trials_are_done() -> None:
    state = opened(search=True, trials=9)
    state, _ = step(state, ProposalsSeen(campaign="night-1123", proposals=(
        Proposal(params={"ppo.learning_rate": 1e-3}, proposer="hp-search"),)))
    over = ProposalsSeen(campaign="night-1123", exhausted=(Exhausted(why="the grid is done"),))
    state, events = step(state, over)
    assert kinds(events) == [], "a trial is still being trained"
    state, _ = finish(state)
    state, events = step(state, over)
    state, more = finish(state)
    assert "the grid is done" in next(ev.why for ev in (*events, *more) if isinstance(ev, e.CampaignClosing))


def test_a_campaign_without_anybody_who_proposes_is_paused_and_says_so() -> None:
    events = step(opened(search=True), ProposalsSeen(campaign="night-1123", nobody="hp_search is blocked"))[1]
    paused, = events
    assert isinstance(paused, e.CampaignPaused) and "hp_search" in paused.why


def test_a_skill_that_failed_once_does_not_pause_its_campaign() -> None:
    assert step(opened(search=True), ProposalsSeen(campaign="night-1123"))[1] == ()


def test_a_campaign_whose_task_is_gone_is_paused_but_not_before_the_plugins_have_spoken() -> None:
    state = opened()
    assert kinds(step(state, tasks={}, knows_tasks=False)[1]) == []
    paused, = step(state, tasks={})[1]
    assert isinstance(paused, e.CampaignPaused) and "'walk'" in paused.why


def test_hours_count_from_the_first_launch_and_end_trainings_with_a_checkpoint() -> None:
    state = opened(budget=Budget(trials=50, hours=1.0))
    state, events = step(state, now=NOW + 3599.0)
    assert kinds(events) == []
    state, events = step(state, now=NOW + 3601.0)
    assert kinds(events) == ["CampaignClosing", "RunStopAsked", "RunStopAsked"]
    assert "1 hours" in next(iter(state.campaigns.values())).closing_why


def test_env_steps_of_live_runs_count_towards_the_budget() -> None:
    state = opened(budget=Budget(trials=50, env_steps=1500))
    progress = {run.id: Progress(env_steps=800, total_env_steps=1000) for run in state.runs.values()}
    assert "CampaignClosing" in kinds(step(state, progress=progress)[1])


def test_the_deadline_closes_a_campaign() -> None:
    assert kinds(step(opened(), deadlines={"night-1123": NOW - 1})[1])[0] == "CampaignClosing"


def test_an_error_finding_stops_its_run_unless_it_was_allowed() -> None:
    stop = Finding(rule="collapse", level="error", message="down", stop=True)
    for allow, expected in (((), ["FindingMade", "RunStopAsked"]), (("collapse",), ["FindingMade"])):
        state = opened(trials=1, allow=allow)
        state, _ = step(state, alive(only_run(state)))
        run = only_run(state, "running")
        state, events = step(state, FindingsSeen(run=run, findings=(("health", stop), ("other", stop))))
        assert kinds(events) == expected


def test_a_plugin_is_blocked_after_repeated_failures() -> None:
    trouble = PluginTroubleSeen(plugin="bad", hook="judge", how="raised", detail="boom")
    state, events = step(State(), trouble, trouble)
    assert kinds(events) == ["PluginFailed"] * 2
    state, events = step(state, trouble)
    assert kinds(events) == ["PluginFailed", "PluginBlocked"] and state.blocked == {"bad"}


def test_the_most_careful_opinion_is_the_verdict_and_the_others_are_dissent() -> None:
    state = opened(trials=1)
    for _ in range(2):
        state, events = step(state, ended(only_run(state)), judges=("careful",))
    assert "TrialJudged" not in kinds(events), "the plugins are heard first"
    opinion = OpinionsSeen(trial="night-1123/t001", opinions=(
        ("careful", Opinion(verdict="inconclusive", why="one seed")),))
    state, events = step(state, opinion, judges=("careful",))
    judged = events[0]
    assert isinstance(judged, e.TrialJudged)
    assert (judged.verdict, judged.why) == ("inconclusive", "careful: one seed")
    assert judged.dissent[0].startswith("core: keep") and judged.score is not None


def test_a_trial_wholly_behind_the_best_is_discarded() -> None:
    state = opened(trials=2)
    first, second = (run.id for run in state.runs.values())
    state, _ = step(state, ended(first), ended(second))
    scores = [run.id for run in state.runs.values() if run.purpose == "score"]
    state, _ = step(state, ended(scores[0], value=0.9))
    state, events = step(state, ended(scores[1], value=0.5))
    judged = next(event for event in events if isinstance(event, e.TrialJudged))
    assert judged.verdict == "discard" and "night-1123/t001" in judged.why


def test_a_schedule_opens_a_child_once_for_each_time_it_comes_due() -> None:
    state, _ = step(State(), seen_file(content(schedule=Schedule(every_s=3600.0))))
    assert [c.status for c in state.campaigns.values()] == ["scheduled"] and not state.runs
    due = ScheduleDueSeen(campaign="night-1123", due_at=NOW)
    state, events = step(state, due)
    assert kinds(events)[:2] == ["ScheduleFired", "CampaignAccepted"]
    assert state.campaigns["night-1123-2"].status == "open"
    assert step(state, due)[1] == ()


def command(verb: str, key: str = "k", **args: object) -> CommandSeen:
    return CommandSeen(key=key, verb=verb, args=args, principal="ada")


def test_commands_act_answer_and_are_refused_with_what_would_work() -> None:
    state, events = step(opened(), command("pause", id="night-1123"))
    assert kinds(events) == ["CommandAccepted", "CampaignPaused"]
    assert state.campaigns["night-1123"].paused_why == "paused by ada"
    state, events = step(state, command("resume", id="night-1123"))
    assert kinds(events) == ["CommandAccepted", "CampaignResumed"]
    for bad, words in ((command("fly"), "allowed: amend, approve, cancel"), (command("pause", id="x"), "night-1123"),
                       (command("resume", id="night-1123"), "not paused"),
                       (command("amend", id="night-1123", trials=1), "2 are there already"),
                       (command("amend", id="night-1123", hours=-1), "above 0"),
                       (command("propose", campaign="night-1123", params={}), "amend night-1123 --trials")):
        refused, = step(state, bad)[1]
        assert isinstance(refused, e.CommandRefused) and words in refused.why


def test_an_answered_command_has_no_second_effect() -> None:
    assert step(opened(), replace(command("cancel", id="night-1123"), answered=True))[1] == ()


def test_cancelling_a_campaign_stops_what_runs_and_forgets_what_waits() -> None:
    state, events = step(opened(trials=2), command("cancel", id="night-1123"))
    assert kinds(events) == ["CommandAccepted", "RunStopAsked", "RunStopAsked", "CampaignClosed"]
    assert {run.status for run in state.runs.values()} == {"stopping"}


def test_a_person_may_propose_and_amend_the_budget() -> None:
    state = opened(search=True, trials=1)
    state, events = step(state, command("propose", campaign="night-1123", params={"ppo.learning_rate": 1e-3}))
    assert kinds(events)[:2] == ["CommandAccepted", "TrialAdmitted"]
    assert state.trials["night-1123/t001"].proposal.proposer == "ada"
    state, _ = step(state, command("amend", id="night-1123", trials=5, hours=2))
    assert state.campaigns["night-1123"].content.budget == Budget(trials=5, hours=2.0)
