"""The report on four nights against golden files, and on any facts at all: short, clean, numbers with an origin."""

from __future__ import annotations

import json
import re
import string
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.golden_files import assert_golden
from tests.stories import EVENING, MORNING, STORIES, flat_night, scheduled, story
from vbotd.core.heartbeat import Heartbeat
from vbotd.core.report import build, to_json, to_markdown
from vbotd.core.report_causes import normalised
from vbotd.core.report_facts import REPORT_KINDS, Death, Facts, RejectedFile
from vbotd.core.report_needs import advice
from vbotd.core.state import State, fold
from vbotd.core.wording import escaped, markdown_line
from vbotd.domain import event as e
from vbotd.domain.campaign import Gate
from vbotd.domain.event import Stored
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Section
from vbotd.domain.trial import CheckpointRef, Proposal, Run, Trial


def facts_of(timed: list, **changes: object) -> Facts:
    """Return the facts that events fold to, as `store.facts.gather` would give them."""
    stored = tuple(Stored(seq=n, at=at, event=event) for n, (at, event) in enumerate(timed, start=1))
    state = fold(State(), stored)
    deaths = tuple(Death(last_seq=stored[n - 1].seq, last_at=stored[n - 1].at, back_seq=s.seq, back_at=s.at)
                   for n, s in enumerate(stored) if isinstance(s.event, e.DaemonStarted) and not s.event.clean)
    beats = {run.id: Heartbeat(run=run.id, phase="train", env_steps=615_000, total_env_steps=1_500_000,
                               env_steps_per_s=15_200.0, success_rate=0.41, at=MORNING - 3)
             for run in state.runs.values() if run.is_live}
    values: dict = {
        "now": MORNING, "records": tuple(state.campaigns.values()), "trials": tuple(state.trials.values()),
        "runs": tuple(state.runs.values()), "deaths": deaths, "heartbeats": beats, "daemon_alive": True, "cores": 2,
        "events": tuple(s for s in stored if type(s.event).__name__ in REPORT_KINDS)}
    return Facts(**values | changes)


def facts_from(name: str, **changes: object) -> Facts:
    """Return the facts of a story."""
    if name == "nothing":
        changes = {"rejected": (RejectedFile(name="trot.yaml", why="trot.yaml.why.md", at=EVENING + 120),)} | changes
    if name == "crash":
        changes = {"sections": (("gallop", Section(title="Gaits", lines=("| gait | trials |", "|---|---|",
                                                                        "| trot | 1 |"))),)} | changes
    return facts_of(story(name), **changes)


def markdown(name: str, **changes: object) -> str:
    return to_markdown(build(facts_from(name, **changes)))


@pytest.mark.parametrize("name", STORIES)
def test_wake_up_is_as_the_golden_file_has_it(name: str) -> None:
    assert_golden(f"wake_up/{name}.md", markdown(name))


def test_a_reached_gate_is_reported_by_the_fresh_number_and_its_run() -> None:
    verdict = build(facts_from("success")).verdict
    assert "t003 succeeds in 98.4 % of 256 fresh episodes (95 % interval 96.1-99.4 %" in verdict
    assert "flat-night-1123/t003/confirm-s1-a1" in verdict


def test_one_seed_is_called_one_seed() -> None:
    assert markdown("success").count("1 seed: not confirmed over seeds") == 2


def test_selection_and_confirmation_stand_side_by_side() -> None:
    best = build(facts_from("success")).bests[0].trials[0]
    assert best.confirmed is not None
    assert (best.score.value, best.confirmed.value) == (0.988, 0.984)
    assert best.score_run.endswith("score-s1-a1") and best.confirm_run.endswith("confirm-s1-a1")


def test_a_trial_that_was_trained_on_keeps_the_run_of_its_score_until_it_is_judged_again() -> None:
    facts = facts_from("success")
    best = build(facts).bests[0].trials[0]
    old = next(run for run in facts.runs if run.id.endswith(best.score_run))
    better = {tag: replace(value, value=1.0) for tag, value in old.metrics.items()}
    newer = replace(old, id=old.id.replace("score-s1-a1", "score-s1-r1-a1"), metrics=better)
    after = build(replace(facts, runs=(*facts.runs, newer))).bests[0].trials[0]
    assert (after.tag, after.score, after.score_run, after.checkpoint) == (
        best.tag, best.score, best.score_run, best.checkpoint)


def test_three_runs_that_died_of_one_thing_are_one_cause() -> None:
    causes = build(facts_from("all_failed")).causes
    assert [cause.count for cause in causes] == [3]
    assert len(causes[0].examples) == 3


def test_all_failed_says_so_and_why() -> None:
    report = build(facts_from("all_failed"))
    assert report.verdict.startswith("3 of 3 trials of flat-night-1123 failed, nothing to report")
    assert report.needs[0].command == "vbotd explain flat-night-1123/t003"


def test_a_night_without_anything_needs_nobody() -> None:
    text = markdown("nothing", rejected=())
    assert "Nothing happened" in text and "Nothing needs you." in text


def test_a_daemon_death_tells_what_became_of_its_runs() -> None:
    death = build(facts_from("crash")).causes[0]
    assert "came back at 2026-11-24 02:00: 1 run adopted, 0 had ended meanwhile, 1 lost" in death.what


def test_a_run_that_ended_while_no_daemon_was_there_is_counted() -> None:
    timed = [(at, replace(event, outcome="finished", ended_at=EVENING + 7200) if isinstance(event, e.RunEnded)
              and event.outcome == "lost" else event) for at, event in story("crash")]
    assert "1 run adopted, 1 had ended meanwhile, 0 lost" in build(facts_of(timed)).causes[0].what


def test_a_paused_campaign_and_a_blocked_plugin_come_with_their_commands() -> None:
    needs = {need.command: need.origin for need in build(facts_from("crash")).needs}
    assert needs == {"vbotd resume slope-night-1123": "event 32", "vbotd plugins": "event 31"}


def test_a_plugin_that_was_blocked_before_the_daemon_started_is_not_blocked_now() -> None:
    facts = facts_from("crash")
    later = Stored(seq=99, at=MORNING, event=e.DaemonStarted(pid=1, version="0.1.0", boot_id="b0"))
    assert "vbotd plugins" not in {n.command for n in build(replace(facts, events=(*facts.events, later))).needs}


def test_a_daemon_that_is_down_is_the_first_need() -> None:
    assert build(facts_from("crash", daemon_alive=False)).needs[0].command == "vbotd run"


def test_a_campaign_whose_task_nobody_offers_is_a_need() -> None:
    assert "no plugin offers its task" in " ".join(n.text for n in build(facts_from("crash", metrics={})).needs)


def test_a_missed_gate_comes_with_what_would_decide_it() -> None:
    gate = Gate(tag="eval/success_rate", op=">=", value=0.95)
    close = advice(gate, Measurement(value=0.96, low=0.93, high=0.98, n=256))
    assert "its interval (93.0-98.0 %) does not: about 2,760 episodes instead of 256" in close
    assert "is short of the bar" in advice(gate, Measurement(value=0.90, low=0.86, high=0.93, n=256))
    assert "does not measure" in advice(gate, None)


def test_several_seeds_of_one_setting_are_counted_with_their_range() -> None:
    facts = facts_from("success")
    same = tuple(replace(trial, params={"ppo.learning_rate": 3e-4}) for trial in facts.trials)
    runs = tuple(replace(run, seed=int(run.trial[-1])) for run in facts.runs)
    best = build(replace(facts, trials=same, runs=runs)).bests[0].trials[0]
    assert (best.seeds, best.over_seeds) == (2, (0.953, 0.988))


def test_a_closed_campaign_leaves_the_report_after_two_nights() -> None:
    assert build(facts_from("success", now=MORNING + 50 * 3600)).bests == ()


def test_a_daemon_that_was_stopped_says_when_and_why() -> None:
    timed = [*story("success"), (MORNING - 60, e.DaemonStopped(pid=1, why="SIGTERM"))]
    said = build(facts_of(timed, daemon_alive=False)).daemon
    assert said == "The daemon is not running: it stopped 2026-11-24 07:29 (event 37: SIGTERM)."


def test_a_scheduled_campaign_says_when() -> None:
    assert "cron 0 1 * * mon-fri" in build(facts_of([scheduled()])).verdict


def test_the_fingerprint_ignores_the_clock_and_sees_a_need() -> None:
    one, later = build(facts_from("crash")), build(facts_from("crash", now=MORNING + 60))
    assert one.fingerprint == later.fingerprint
    assert one.fingerprint != build(facts_from("crash", daemon_alive=False)).fingerprint


def test_reasons_differ_only_in_what_is_the_same_cause() -> None:
    one = normalised("RuntimeError: 3 of 1024 at /tmp/a/b.py:41 (0x7fff)")
    assert one == normalised("RuntimeError: 9 of 4096 at /tmp/c.py:7 (0x1234)")
    assert one != normalised("ValueError: 3 of 1024 at /tmp/a/b.py:41")


@pytest.mark.parametrize(("text", "shown"), [
    ("![x](http://evil/a.png)", "!\\[x](http: //evil/a.png)"),
    ("see www.evil.org or a@b.c", "see www evil.org or a(at)b.c"),
    ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
    ("# big\n\x1b[31mred\x00", "\\# big \\[31mred"),
    ("a|b `c` *d* __e__ snake_case", "a\\|b \\`c\\` \\*d\\* \\_\\_e\\_\\_ snake_case"),
    ("1. first", "1\\. first"),
])
def test_foreign_text_makes_no_markdown(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_plugin_may_use_tables_and_emphasis_but_no_heading_fence_or_image() -> None:
    assert markdown_line("| **a** | b |") == "| **a** | b |"
    assert markdown_line("## What needs you").startswith("\\#")
    assert "```" not in markdown_line("```sh")
    assert "![" not in markdown_line("![a](b)")


def test_sections_get_fifteen_lines_and_name_their_plugin() -> None:
    section = Section(title="Gaits", lines=tuple(f"line {n}" for n in range(40)))
    text = markdown("success", sections=(("gallop", section),))
    assert "## Gaits (plugin `gallop`)" in text
    assert "line 13\n... and 26 more: `vbotd report --json`" in text


def test_json_has_no_control_characters_and_no_infinity() -> None:
    facts = facts_from("crash", sections=(("p", Section(title="a\x1bb", lines=("\x00",))),), heartbeats={
        "flat-night-1123/t002/train-s1-a1": Heartbeat(run="x", env_steps=1, total_env_steps=2,
                                                      env_steps_per_s=float("inf"))})
    text = json.dumps(to_json(build(facts)), allow_nan=False)
    assert "\\u001b" not in text and "\\u0000" not in text


# Any facts at all: what foreign text may hold is where a report could be broken.

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=300) | st.text(
    string.printable, max_size=80) | st.sampled_from(["", "# x", "![a](http://b)", "\x1b[2J", "a\nb\n" * 40, "|" * 50])
NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1)
MEASURED = st.builds(Measurement, value=NUMBER, low=NUMBER, high=NUMBER, n=st.integers(0, 10**6))
AT = st.floats(MORNING - 1e5, MORNING + 100)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    names = [f"c{n}" + draw(TEXT)[:20] for n in range(draw(st.integers(0, 12)))]
    timed = [(EVENING, e.CampaignAccepted(campaign=name, content=flat_night(name=draw(TEXT), task=draw(TEXT)),
                                          sha256=name, file=draw(TEXT), text="")) for name in names]
    state = fold(State(), (Stored(seq=n, at=at, event=event) for n, (at, event) in enumerate(timed, 1)))
    status = st.sampled_from(["open", "paused", "closing", "closed", "scheduled"])
    outcome = st.sampled_from(["reached", "finished", "failed", "cancelled", "out_of_budget"])
    records, trials, runs = [], [], []
    for record in state.campaigns.values():
        now_is = draw(status)
        over = now_is == "closed"
        records.append(replace(record, status=now_is, outcome=draw(outcome) if over else None, why=draw(TEXT),
                               closed_at=draw(AT) if over else None, paused_why=draw(TEXT), closing_why=draw(TEXT),
                               champion=f"{record.id}/t001" if draw(st.booleans()) else ""))
        for number in range(1, draw(st.integers(0, 8)) + 1):
            trial = f"{record.id}/t{number:03d}"
            params = draw(st.dictionaries(TEXT, st.integers() | NUMBER | TEXT, max_size=6))
            trials.append(Trial(id=trial, campaign=record.id, number=number, params=params, admitted_at=EVENING,
                                proposal=Proposal(params=params, proposer=draw(TEXT), why=draw(TEXT)), why=draw(TEXT),
                                score=draw(st.none() | MEASURED), judged=draw(st.booleans()), verdict="keep"))
            for kind, purpose in (("train", ""), ("evaluate", "score"), ("evaluate", "confirm")):
                runs.append(draw(any_run(record.id, trial, kind, purpose)))
    events = tuple(Stored(seq=n, at=draw(AT), event=event)
                   for n, event in enumerate(draw(st.lists(any_event(), max_size=40)), start=100))
    sections = draw(st.lists(st.tuples(TEXT, st.builds(
        Section, title=TEXT, lines=st.lists(TEXT, max_size=30).map(tuple))), max_size=6))
    beats = {run.id: Heartbeat(run=run.id, env_steps=draw(st.integers(0, 10**9)), total_env_steps=10**6, at=draw(AT),
                               env_steps_per_s=abs(draw(NUMBER)), success_rate=draw(NUMBER))
             for run in runs if run.is_live and draw(st.booleans())}
    rejected = tuple(RejectedFile(name=draw(TEXT), why=draw(TEXT), at=MORNING) for _ in range(draw(st.integers(0, 20))))
    return Facts(now=MORNING, records=tuple(records), trials=tuple(trials), runs=tuple(runs), events=events,
                 deaths=tuple(Death(last_seq=1, last_at=draw(AT), back_seq=2, back_at=draw(AT)) for _ in range(3)),
                 daemon_alive=draw(st.none() | st.booleans()), rejected=rejected, sections=tuple(sections),
                 heartbeats=beats, utc_offset_s=draw(st.sampled_from([0.0, 3600.0, -12600.0])))


@st.composite
def any_run(draw: st.DrawFn, campaign: str, trial: str, kind: str, purpose: str) -> Run:
    status = draw(st.sampled_from(["queued", "running", "stopping", "ended"]))
    outcome = draw(st.sampled_from(["finished", "failed", "lost", "diverged", "stopped"]))
    outcome = outcome if status == "ended" else None
    return Run(id=f"{trial}/{purpose or kind}-s1-a1", campaign=campaign, trial=trial, kind=kind, purpose=purpose,
               seed=1, attempt=1, status=status, queued_at=EVENING, started_at=EVENING, launched_at=EVENING,
               outcome=outcome, reason=draw(TEXT), ended_at=MORNING - 60, env_steps=draw(st.integers(0, 10**9)),
               wall_s=draw(NUMBER),
               metrics={"eval/success_rate": draw(MEASURED)} if kind == "evaluate" else {},
               checkpoint=draw(st.none() | st.builds(CheckpointRef, path=TEXT, sha256=TEXT, env_steps=st.just(1))))


def any_event() -> st.SearchStrategy:
    ids = st.sampled_from(["c0", "c1", "x"])
    return st.one_of(
        st.builds(e.PluginFailed, plugin=TEXT, hook=TEXT, how=st.just("raised"), detail=TEXT),
        st.builds(e.PluginBlocked, plugin=TEXT, why=TEXT),
        st.builds(e.NoteAdded, campaign=ids, text=TEXT, by=TEXT),
        st.builds(e.CommandRefused, key=TEXT, verb=TEXT, args=st.just({}), principal=TEXT, why=TEXT),
        st.builds(e.ProposalRefused, campaign=ids, proposer=TEXT, params=st.just({}), why=TEXT),
        st.builds(e.CampaignRefused, file=TEXT, sha256=TEXT, problems=st.just(())),
        st.builds(e.DaemonStarted, pid=st.just(1), version=TEXT, boot_id=TEXT, clean=st.booleans()))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_facts())
def test_any_report_is_short_and_clean(facts: Facts) -> None:
    report = build(facts)
    text = to_markdown(report)
    assert len(text.splitlines()) <= 120
    assert text.count("\n") <= 120
    assert not [char for char in text if char != "\n" and unicodedata.category(char)[0] == "C"]
    shown = re.sub(r"(?<!\\)`[^`\n]*`", "", text)  # in inline code nothing is a link
    assert not re.search(r"(?<!\\)\[", re.sub(r" \[[-+.,\w% ]*\] of ", " ", shown)), "a link or an image"
    assert "://" not in shown
    json.dumps(to_json(report), allow_nan=False)
