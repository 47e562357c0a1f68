"""The collapse guard: what it stops, what it lets go on, and what it proposes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbotd.core.health import THRESHOLDS, Context, Kept, examine
from vbotd.core.health.collapse import first_decline
from vbotd.core.health.corpus_curves import (
    Curve,
    measuring_collapsing,
    measuring_healthy,
    predecessor,
    sampled,
    tuning_collapsing,
    tuning_healthy,
)
from vbotd.core.health.guard_figures import guard_figures, stopped_at

HORIZON = 1_000_000


def curve(shape, count: int = 200, noise: float = 0.005, seed: int = 1) -> list[tuple[int, float]]:
    draw = random.Random(seed)
    return [((n + 1) * HORIZON // count, shape((n + 1) / count) + draw.gauss(0.0, noise)) for n in range(count)]


def peaked(at: float) -> float:
    return min(2.0 * at, 1.0) * 0.9 if at < 0.6 else 0.9 * max(0.1, 1.0 - 8.0 * (at - 0.6))


def test_a_peak_and_its_decline_stop_the_run_soon_after_the_peak():
    decline = first_decline(curve(peaked), HORIZON, THRESHOLDS)
    assert decline is not None
    assert decline.peak == pytest.approx(0.9, abs=0.03)
    assert 0.6 * HORIZON < decline.at <= 0.7 * HORIZON
    assert decline.drawdown > 0.15


def test_a_rise_a_plateau_and_a_small_forgetting_go_on():
    for shape in (lambda at: at, lambda at: min(3.0 * at, 0.8), lambda at: 0.8 - 0.06 * at, lambda at: 0.0):
        assert first_decline(curve(shape), HORIZON, THRESHOLDS) is None


def test_a_curriculum_that_becomes_harder_is_no_decline():
    def shape(at: float) -> float:
        return 0.9 if at < 0.5 else 0.5 + 0.4 * min((at - 0.5) / 0.05, 1.0)
    levels = [(step, 0.5 if step < 0.5 * HORIZON else 1.0) for step, _ in curve(shape)]
    scores = [(step, value * level) for (step, value), (_, level) in zip(curve(shape), levels, strict=True)]
    assert first_decline(scores, HORIZON, THRESHOLDS, levels=levels) is None
    assert first_decline(curve(peaked), HORIZON, THRESHOLDS, levels=[(1, 1.0)]) is not None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 1.0))
def test_what_is_said_of_the_whole_was_said_of_the_part(seed: int, share: float):
    made = measuring_collapsing(random.Random(seed))
    whole = stopped_at(made)
    part = [point for point in made.points if point[0] <= share * made.horizon]
    cut = Curve(kind="", horizon=made.horizon, points=tuple(part), is_rate=made.is_rate, peak_at=made.peak_at)
    said = stopped_at(cut)
    if whole is not None and whole <= share * made.horizon - made.horizon / 100:
        assert said == whole, "a run is stopped at one moment, whenever it is looked at afterwards"
    else:
        assert said is None or said >= share * made.horizon - made.horizon / 50


def test_the_unit_of_a_score_is_no_matter():
    points = curve(peaked)
    alone = first_decline(points, HORIZON, THRESHOLDS, is_rate=False)
    scaled = first_decline([(step, 1e4 * value) for step, value in points], HORIZON, THRESHOLDS, is_rate=False)
    assert alone is not None and scaled is not None and alone.at == scaled.at


def test_a_cost_that_falls_is_no_decline_and_one_that_rises_is():
    context = Context(total_env_steps=HORIZON, metric_tag="task/time_s", metric_direction="min", metric_is_rate=False)
    falling, rising = curve(lambda at: 10.0 - 5.0 * at), curve(lambda at: 12.0 - 10.0 * peaked(at))
    assert not [f for f in examine({"task/time_s": falling}, context) if f.rule == "collapse"]
    found, = [f for f in examine({"task/time_s": rising}, context) if f.rule == "collapse"]
    assert found.value is not None and found.value > 3.0, "told in the metric's own direction"


def test_the_finding_says_from_where_to_go_on():
    kept = tuple(Kept(path=f"runs/a/checkpoints/ckpt_{n}.pt", env_steps=n * 100_000) for n in range(1, 8))
    series = {"train/success_rate": curve(peaked), "ppo/learning_rate": curve(lambda at: 1e-3, noise=0.0)}
    context = Context(total_env_steps=HORIZON, task="vbot_walk_flat", checkpoints=kept)
    found, = [finding for finding in examine(series, context) if finding.rule == "collapse"]
    assert (found.level, found.stop, found.tag) == ("error", True, "train/success_rate")
    assert "vbotd train vbot_walk_flat --from runs/a/checkpoints/ckpt_" in found.fix
    assert "--set ppo.learning_rate=0.0003" in found.fix
    named = int(found.fix.split("ckpt_")[1].split(".")[0])
    assert named * 100_000 <= 620_000, "from before the decline"
    bare, = [f for f in examine(series, Context(total_env_steps=HORIZON)) if f.rule == "collapse"]
    assert "no checkpoint" in bare.fix


def test_the_guard_is_worth_what_it_claims_on_curves_that_set_no_threshold():
    figures = guard_figures(sampled(measuring_healthy, [random.Random(f"a{n}") for n in range(50)]),
                            sampled(measuring_collapsing, [random.Random(f"b{n}") for n in range(50)]))
    assert figures.recall and figures.recall["value"] >= 0.95
    assert figures.false_stops and figures.false_stops["value"] <= 0.04  # of 50 curves; the bench judges 1,000 by 0.02
    assert figures.saved_rate and figures.saved_rate >= 0.5
    assert figures.delay_rate and figures.delay_rate <= 0.10


def test_all_seven_of_the_predecessor_are_stopped_in_time():
    for falls_for in (0.05, 0.1, 0.2):
        figures = guard_figures([], predecessor(random.Random(falls_for), falls_for))
        assert figures.recall and figures.recall["value"] == 1.0
        assert figures.in_time and figures.in_time["value"] == 1.0
        assert figures.saved_rate and figures.saved_rate >= 0.5


def test_both_families_make_what_they_say():
    for make in (tuning_healthy, measuring_healthy):
        assert make(random.Random(3)).peak_at is None
    for make in (tuning_collapsing, measuring_collapsing):
        made = make(random.Random(3))
        assert made.peak_at is not None and 0 < made.peak_at < made.horizon
        assert [step for step, _ in made.points] == sorted({step for step, _ in made.points})


def test_one_success_among_a_dozen_episodes_is_no_peak():
    lucky = curve(lambda at: 0.31 if 0.2 < at < 0.25 else 0.02, noise=0.001)
    few = [(step, 0.3) for step, _ in lucky]
    assert first_decline(lucky, HORIZON, THRESHOLDS, episodes=few) is None
    assert first_decline(lucky, HORIZON, THRESHOLDS, episodes=[(step, 100.0) for step, _ in lucky]) is not None
    assert first_decline(curve(peaked), HORIZON, THRESHOLDS, episodes=few) is not None
