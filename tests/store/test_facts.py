"""The facts of a report, gathered from a workspace on disk."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.open_campaign import Standing, hold, trial_id
from tests.stories import ENV_STEPS, MORNING, STORIES, tell
from vbotd.core.report import build
from vbotd.domain.event import DaemonStarted
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.facts import gather
from vbotd.store.glance import glance
from vbotd.store.present import heartbeats, metric_cards, usable_cores
from vbotd.store.read import Reader


def facts(layout: Layout, now: float = MORNING):
    with Reader(layout.store) as reader:
        return gather(reader, layout, now, daemon_alive=True)


def test_every_story_gives_the_facts_of_its_campaigns(tmp_path: Path) -> None:
    counts = {name: (len(f.records), len(f.trials), len(f.runs)) for name in STORIES
              for f in [facts(tell(tmp_path / name, name))]}
    assert counts == {"success": (1, 3, 6), "all_failed": (1, 3, 3), "nothing": (0, 0, 0), "crash": (2, 3, 4),
                      "seeds": (1, 4, 39)}


def test_heartbeats_of_live_runs_are_read(tmp_path: Path) -> None:
    beats = facts(tell(tmp_path, "crash")).heartbeats
    assert list(beats) == ["flat-night-1123/t002/train-s1-a1"]
    beat = beats["flat-night-1123/t002/train-s1-a1"]
    assert (beat.env_steps, beat.total_env_steps, beat.success_rate) == (615_000, ENV_STEPS, 0.41)


def test_a_heartbeat_of_nonsense_is_no_heartbeat(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for run, content in (("a", "[1]"), ("b", "{"), ("c", '{"env_steps": "many", "env_steps_per_s": -3, "at": true}')):
        layout.run(run).mkdir(parents=True)
        (layout.run(run) / "heartbeat.json").write_text(content)
    beats = heartbeats(layout, ("a", "b", "c", "d"))
    assert list(beats) == ["c"]
    assert (beats["c"].env_steps, beats["c"].env_steps_per_s, beats["c"].remaining_s) == (0, 0.0, None)


def test_a_daemon_death_has_the_last_event_before_it(tmp_path: Path) -> None:
    death = facts(tell(tmp_path, "crash")).deaths[0]
    assert (death.last_seq, death.back_seq) == (26, 27)


def test_a_refused_file_is_named_with_its_reasons(tmp_path: Path) -> None:
    assert [(f.name, f.why) for f in facts(tell(tmp_path, "nothing")).rejected] == [("trot.yaml", "trot.yaml.why.md")]


def test_a_closed_campaign_is_a_fact_for_two_nights(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    assert len(facts(layout).records) == 1
    assert facts(layout, MORNING + 50 * 3600).records == ()


def test_the_metric_of_a_task_comes_from_the_kept_catalogue(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    assert metric_cards(layout) is None
    layout.catalogue.write_text(json.dumps({"key": "k", "catalogue": {"tasks": [
        {"name": "vbot_walk_flat", "metric": {"tag": "eval/speed_error_mps", "direction": "min", "unit": "m/s"}}]}}))
    metric = facts(layout).metric_of(facts(layout).records[0])
    assert (metric.tag, metric.direction) == ("eval/speed_error_mps", "min")


def test_a_damaged_catalogue_is_no_catalogue(tmp_path: Path) -> None:
    layout = tell(tmp_path, "nothing")
    for content in ("{", "[]", '{"catalogue": []}', '{"catalogue": {"tasks": 3}}'):
        layout.catalogue.write_text(content)
        assert metric_cards(layout) is None


def test_slots_of_the_configuration_are_the_cores(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.config.write_text("report_hour: '06:30'\nslots: 7  # of 8\n")
    assert usable_cores(layout) == 7


def test_a_glance_agrees_with_the_report(tmp_path: Path) -> None:
    for name in STORIES:
        layout = tell(tmp_path / name, name)
        seen, report = glance(layout, MORNING), build(facts(layout))
        assert {run.id for run in seen.runs} == {run.run for run in report.running}
        assert seen.cores_busy == report.cores_busy
        spent = {item.campaign: item for item in report.spent}
        for item in (*seen.campaigns, *seen.closed):
            told = spent[item.id]
            assert (item.trials_judged, item.trials_admitted) == (told.trials_judged, told.trials_admitted)
            assert item.hours_left == told.hours_left
        best = {b.campaign: b.trials[0] for b in report.bests}
        assert {c.id: (c.best, c.score) for c in (*seen.campaigns, *seen.closed) if c.best} == {
            campaign: (b.trial, b.score) for campaign, b in best.items()}


@pytest.mark.parametrize(("standings", "stages", "best"), [
    ((Standing(score=0.95, quality=0.4), Standing(score=0.95, quality=0.2), Standing(score=0.95)), (), 2),
    ((Standing(score=0.95, verdict="discard", seeds=(1, 2)), Standing(score=0.92), Standing(score=0.9, seeds=(1, 2))),
     (), 3),
    ((Standing(score=0.9, stage="hard"), Standing(score=0.8, stage="hard"), Standing(score=0.99, stage="easy")),
     ("easy", "hard"), 2),
], ids=["of better quality", "the best was luck", "at the furthest stage"])
def test_a_glance_at_an_open_campaign_has_the_best_trial_of_the_report(
        tmp_path: Path, standings: tuple[Standing, ...], stages: tuple[str, ...], best: int) -> None:
    layout = Layout(tmp_path)
    hold(layout, standings, stages=stages)
    (seen,) = glance(layout, MORNING).campaigns
    assert (seen.best, seen.score) == (trial_id(best), build(facts(layout)).bests[0].trials[0].score)


@pytest.mark.parametrize("seed", range(20))
def test_a_glance_agrees_with_the_report_whatever_the_trials_are(tmp_path: Path, seed: int) -> None:
    dice, layout = random.Random(seed), Layout(tmp_path)
    stages = dice.choice(((), ("easy", "hard")))
    hold(layout, [Standing(score=dice.choice((None, 0.8, 0.9)), quality=dice.choice((None, 0.1, 0.2)),
                           verdict=dice.choice(("promote", "keep", "discard", "inconclusive")),
                           stage=dice.choice(stages or ("",)), seeds=dice.choice(((1,), (1, 2))))
                  for _ in range(6)], stages=stages)
    (seen,) = glance(layout, MORNING).campaigns
    assert seen.best == build(facts(layout)).bests[0].trials[0].trial


def test_a_glance_at_an_empty_workspace_is_empty(tmp_path: Path) -> None:
    seen = glance(Layout(tmp_path), MORNING)
    assert (seen.campaigns, seen.runs, seen.last_seq) == ((), (), 0)


def test_an_older_start_than_two_nights_is_still_the_last_start(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    store = EventStore(layout.store)
    store.commit((DaemonStarted(pid=1, version="0", boot_id="b"),), MORNING - 1e6)
    store.close()
    assert "(event 1)" in build(facts(layout)).daemon
