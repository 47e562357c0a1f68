"""The audit before the first trial, as given / when / then on values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.given import NOW, TASK, alive, circumstances, content, ended, kinds, seen_file, step
from vbotd.core.auditing import WAY_OUT, audit_entry, findings_of
from vbotd.core.plan import AskFollowUps, AskOpinions, Done, plan
from vbotd.core.report import Facts, build, to_markdown
from vbotd.core.sighting import CommandSeen, RunSeen
from vbotd.core.state import State
from vbotd.domain import event as e
from vbotd.domain.finding import Finding

ENTRIES = {("", "train"): "m:train", ("", "evaluate"): "m:evaluate", ("", "audit"): "m:audit"}
AUDIT = "night-1123/t001/audit-a1"
STATUE: dict[str, Any] = {
    "rule": "reward-budget/statue", "level": "error", "value": 2.06, "fix": "lower what is paid for being there",
    "message": "'stand' earns 4,185 in an episode (alive_reward 4,000), 2.06 times what 'brisk' earns: 2,031"}


def audited(state: State, *sightings: Any, **changes: Any) -> tuple[State, tuple[e.Event, ...]]:
    return step(state, *sightings, **{"entries": ENTRIES, **changes})


def opened(**changes: Any) -> tuple[State, tuple[e.Event, ...]]:
    return audited(State(), seen_file(content(**changes)))


def report_of(*findings: dict[str, Any], **changes: Any) -> RunSeen:
    result = {"outcome": "finished", "env_steps": 100_000, "findings": list(findings)}
    return ended(AUDIT, result=result, **changes)


def test_a_campaign_is_audited_with_the_settings_of_its_first_trial_before_anything_is_trained():
    state, events = opened(trials=3)
    assert [run.kind for run in state.runs.values()] == ["audit"]
    assert kinds(events).count("RunLaunched") == 1
    spec = state.runs[AUDIT].spec
    assert (spec["entry"], spec["task"], spec["train"]) == ("m:audit", "walk", {"num_envs": 8})
    assert spec["params"] == dict(state.trials["night-1123/t001"].params)
    state, events = audited(state, alive(AUDIT))
    assert {run.kind for run in state.runs.values()} == {"audit"}, "it waits"


def test_an_audit_without_errors_lets_the_trials_begin_and_its_warnings_are_kept():
    state, _ = opened()
    state, events = audited(state, report_of(STATUE | {"level": "warning"}))
    assert [run.kind for run in state.runs.values()] == ["audit", "train", "train"]
    assert [finding.rule for finding in state.runs[AUDIT].findings] == ["reward-budget/statue"]
    assert kinds(events).count("RunLaunched") == 2


def test_a_broken_incentive_ends_the_campaign_before_any_training_and_says_the_way_out():
    state, _ = opened()
    state, events = audited(state, report_of(STATUE))
    assert [run.kind for run in state.runs.values()] == ["audit"]
    closed = next(event for event in events if isinstance(event, e.CampaignClosed))
    assert closed.outcome == "failed" and "4,185" in closed.why and "alive_reward 4,000" in closed.why
    assert WAY_OUT in closed.why and "allow: [reward-budget]" in closed.why
    assert all(trial.judged and trial.score is None for trial in state.trials.values())
    assert "reward-budget/statue" in state.trials["night-1123/t001"].why
    assert audited(state)[1] == (), "nothing more is due"


@pytest.mark.parametrize("allow", [("reward-budget",), ("reward-budget/statue",)])
def test_a_finding_that_the_campaign_allows_stops_nothing(allow: tuple[str, ...]):
    state, _ = opened(allow=allow)
    state, _ = audited(state, report_of(STATUE))
    assert "train" in {run.kind for run in state.runs.values()}
    assert state.campaigns["night-1123"].status == "open"


def test_an_audit_that_fails_proves_nothing_and_stops_nothing():
    state, _ = opened()
    state, events = audited(state, ended(AUDIT, code=1, result=None, log_tail="ValueError: no"))
    assert "train" in {run.kind for run in state.runs.values()} and "CampaignClosed" not in kinds(events)


def test_an_audit_that_was_lost_is_tried_again_and_not_for_ever():
    state, _ = opened(trials=1)
    for attempt in (1, 2, 3):
        run, later = f"night-1123/t001/audit-a{attempt}", NOW + 100 * attempt  # the third one waits a little
        state, _ = audited(state, now=later)
        assert state.runs[run].status == "launching"
        state, _ = audited(state, RunSeen(run=run, claim="shim", alive=False, swept=True), now=later)
    assert [run.kind for run in state.runs.values()] == ["audit"] * 3 + ["train"]


def test_a_campaign_that_was_training_before_there_were_audits_goes_on():
    state, _ = step(State(), seen_file(content(trials=3)))
    assert {run.kind for run in state.runs.values()} == {"train"}
    state, _ = audited(state)
    assert {run.kind for run in state.runs.values()} == {"train"}


@pytest.mark.parametrize(("entries", "entry"), [
    (ENTRIES, "m:audit"), (ENTRIES | {("walk", "train"): "own:train"}, ""),
    (ENTRIES | {("walk", "train"): "own:train", ("walk", "audit"): "own:audit"}, "own:audit"), ({}, "")])
def test_a_task_with_its_own_trainer_and_no_audit_is_not_audited(entries: dict[tuple[str, str], str], entry: str):
    assert audit_entry("walk", entries) == entry


def test_a_campaign_that_is_cancelled_stops_its_audit():
    state, _ = opened()
    state, _ = audited(state, alive(AUDIT))
    cancel = CommandSeen(key="k", verb="cancel", args={"id": "night-1123"}, principal="test")
    state, _ = audited(state, cancel)
    assert state.runs[AUDIT].status == "stopping"


def test_nobody_is_asked_about_a_trial_or_a_run_that_is_only_an_audit():
    state, _ = opened()
    state, _ = audited(state, report_of(STATUE))
    state = replace(state, campaigns={"night-1123": replace(state.campaigns["night-1123"], status="open")})
    asked = plan(state, Done(), circumstances(entries=ENTRIES, judges=("j",), followers=("f",)))
    assert not [effect for effect in asked if isinstance(effect, AskOpinions | AskFollowUps)]


def test_findings_are_read_from_a_result_that_nobody_trusts():
    said = [STATUE, "nonsense", {"rule": 3, "level": "error", "message": "x"}, STATUE | {"level": "fatal"},
            STATUE | {"value": float("nan"), "fix": None}]
    found = findings_of({"findings": said})
    assert [finding.value for finding in found] == [2.06, None]
    assert found[0] == Finding(rule=STATUE["rule"], level="error", message=STATUE["message"], value=2.06,
                               fix=STATUE["fix"])
    assert findings_of({"findings": "none"}) == findings_of({}) == findings_of(None) == ()


def test_the_report_says_which_numbers_stopped_the_campaign_and_what_to_do():
    state, _ = opened()
    state, _ = audited(state, report_of(STATUE))
    facts = Facts(now=NOW + 60, records=tuple(state.campaigns.values()), trials=tuple(state.trials.values()),
                  runs=tuple(state.runs.values()), events=(), metrics={"walk": TASK.metric})
    report = build(facts)
    assert "was stopped before any training" in report.verdict and "2.06 times" in report.verdict
    need, = report.needs
    assert "4,185" in need.text and "allow: [reward-budget]" in need.text
    assert "4,185" in to_markdown(report)
