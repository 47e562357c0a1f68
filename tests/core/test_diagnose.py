"""What a run's series mean, on series made by hand."""

from __future__ import annotations

import math
import random

import pytest

from vbotd.core.diagnose import diagnose
from vbotd.core.health import Context
from vbotd.core.trend import key_metric, trend

BEAT = {"phase": "train", "env_steps": 500_000, "total_env_steps": 1_500_000, "env_steps_per_s": 10_000.0,
        "success_rate": 0.4, "at": 1.0}


def line(first: float, last: float, count: int = 40, noise: float = 0.0, seed: int = 1) -> list[tuple[int, float]]:
    draw = random.Random(seed)
    return [(i * 12_500, first + (last - first) * i / (count - 1) + draw.gauss(0, noise)) for i in range(count)]


def rules(series, **changes) -> list[str]:
    return [finding.rule for finding in diagnose(series, BEAT | changes).findings]


HEALTHY = {
    "train/success_rate": line(0.0, 0.6, noise=0.01), "train/episode_return": line(-5, 40, noise=0.5),
    "ppo/action_std": line(1.0, 0.5), "ppo/entropy": line(17, 10), "ppo/kl": line(0.01, 0.009, noise=0.001),
    "reward/forward_velocity": line(0, 2), "reward/action_rate_cost": line(-1, -0.2),
}


def test_a_healthy_run_has_no_finding_and_its_numbers_are_shown():
    seen = diagnose(HEALTHY, BEAT)
    assert seen.findings == ()
    assert (seen.phase, seen.env_steps, seen.total_env_steps, seen.left_s) == ("train", 500_000, 1_500_000, 100.0)
    assert [metric.tag for metric in seen.metrics][:2] == ["train/success_rate", "train/episode_return"]
    assert seen.metrics[0].trend == "up"
    assert seen.metrics[0].latest == pytest.approx(0.57, abs=0.03)
    assert [metric.tag for metric in seen.reward_terms] == ["reward/action_rate_cost", "reward/forward_velocity"]


def test_before_the_first_heartbeat_nothing_is_claimed():
    seen = diagnose({}, {})
    assert (seen.phase, seen.env_steps, seen.left_s, seen.success_rate) == ("unknown", 0, None, None)
    assert [(finding.rule, finding.level) for finding in seen.findings] == [("no-points", "info")]


def test_env_steps_without_series_are_a_warning():
    assert [finding.level for finding in diagnose({}, BEAT).findings] == ["warning"]


def test_a_heartbeat_of_nonsense_does_no_harm():
    seen = diagnose({}, {"env_steps": "many", "env_steps_per_s": math.nan, "success_rate": None})
    assert (seen.env_steps, seen.env_steps_per_s, seen.left_s) == (0, 0.0, None)


def test_the_first_number_that_is_not_finite_is_named():
    series = HEALTHY | {"ppo/value_loss": [(1000, 1.0), (2000, math.nan), (3000, math.inf)]}
    (finding,) = diagnose(series, BEAT).findings
    assert (finding.rule, finding.level, finding.tag, finding.env_steps) == (
        "non-finite", "error", "ppo/value_loss", 2000)
    assert "2 of 3 points" in finding.message
    assert diagnose(HEALTHY | {"task/x": [(1, math.nan)]}, BEAT).findings[0].level == "warning"


@pytest.mark.parametrize(("success", "expected"), [
    (line(0.3, 0.3, noise=0.02), ["stalled"]),
    (line(0.98, 0.98, noise=0.003), []),
    (line(0.1, 0.5, noise=0.02), []),
    (line(0.3, 0.3, count=10, noise=0.02), []),
])
def test_a_flat_curve_is_a_stall_unless_it_is_flat_at_the_top(success, expected):
    assert rules(HEALTHY | {"train/success_rate": success}) == expected


@pytest.mark.parametrize(("std", "expected"), [
    (line(1.0, 0.02), ["exploration-collapse"]),
    (line(1.0, 0.2), []),
    (line(1.0, 2.5), ["exploration-growth"]),
])
def test_exploration_that_vanishes_or_explodes_is_seen(std, expected):
    assert rules(HEALTHY | {"ppo/action_std": std}) == expected


def test_exploration_may_vanish_once_the_task_is_solved():
    solved = line(0.2, 0.2, 20) + [(step + 250_000, value) for step, value in line(0.97, 0.99, 20)]
    assert rules(HEALTHY | {"ppo/action_std": line(1.0, 0.02), "train/success_rate": solved}) == []


def test_entropy_that_changes_its_sign_is_judged_by_differences():
    series = {tag: points for tag, points in HEALTHY.items() if tag != "ppo/action_std"}
    assert rules(series | {"ppo/entropy": line(5, -5)}) == []
    assert rules(series | {"ppo/entropy": line(15, -25)}) == ["exploration-collapse"]


@pytest.mark.parametrize(("kl", "level"), [
    (line(0.01, 0.03), "warning"), (line(0.01, 0.2), "error"), ([*line(0.01, 0.01), (500_000, 3.0)], "error"),
])
def test_kl_above_its_target_is_seen(kl, level):
    findings = diagnose(HEALTHY | {"ppo/kl": kl}, BEAT).findings
    assert [(finding.rule, finding.level) for finding in findings] == [("kl-high", level)]
    assert diagnose(HEALTHY | {"ppo/kl": line(0.03, 0.03)}, BEAT, Context(kl_target=0.05)).findings == ()


def test_reward_that_rises_while_success_falls_is_said_with_the_numbers():
    series = HEALTHY | {"train/success_rate": line(0.9, 0.1, noise=0.01), "train/episode_return": line(10, 50)}
    (finding,) = diagnose(series, BEAT).findings
    assert (finding.rule, finding.level) == ("reward-without-success", "error")
    assert "rose from 28.46 to 47.95 while train/success_rate fell from 0.5" in finding.message
    assert finding.stop, "every further env step teaches the wrong thing"


def test_a_trend_is_no_noise():
    assert trend([value for _, value in line(1.0, 1.0, noise=0.5)]) == "flat"
    assert trend([value for _, value in line(0.0, 1.0, noise=0.05)]) == "up"
    assert trend([value for _, value in line(1.0, 0.0, noise=0.05)]) == "down"
    assert trend([1.0] * 7) == "unknown"
    assert trend([2.0] * 30) == "flat"


def test_a_series_of_nothing_finite_has_no_value():
    metric = key_metric("a", [(1, math.nan), (2, math.inf)])
    assert (metric.first, metric.latest, metric.trend, metric.count) == (None, None, "unknown", 2)


def test_errors_come_first():
    series = HEALTHY | {"ppo/learning_rate": line(1e-4, 1e-4), "train/success_rate": line(0.9, 0.1, noise=0.01)}
    assert rules(series) == ["reward-without-success", "rate-starved"]


def test_what_follows_from_another_finding_is_named_there_and_not_listed():
    series = HEALTHY | {"ppo/action_std": line(1.0, 0.02), "ppo/kl": line(0.1, 0.1)}
    (finding,) = diagnose(series, BEAT).findings
    assert finding.rule == "kl-high"
    assert finding.message.endswith("from it follow: exploration-collapse")
