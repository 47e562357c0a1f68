"""Each trouble is found by its rule, healthy runs are left alone, causes hide what follows from them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from vbotd.core.health import RULES, Context, context_of, examine
from vbotd.core.health.causes import CAUSES, folded, root
from vbotd.core.health.corpus_runs import TROUBLES, broken_run, healthy_run
from vbotd.core.health.numbers import SEEN_POINTS
from vbotd.core.health.rule_figures import replayed, rule_figures
from vbotd.domain.finding import Finding
from vbotd.domain.metric import MetricCard


@pytest.mark.parametrize("label", sorted(TROUBLES))
def test_each_trouble_is_found_and_the_fatal_ones_stop_the_run(label: str):
    expected, fatal, _ = TROUBLES[label]
    for seed in range(2):
        found = [finding for finding in replayed(broken_run(random.Random(f"{label} {seed}"), label))
                 if finding.rule in expected]
        assert found, f"seed {seed}: nothing of {expected}"
        assert any(finding.stop for finding in found) or not fatal
        assert all(finding.level == "error" or not finding.stop for finding in found)
        assert all(finding.message and finding.fix for finding in found)


def test_who_lives_longer_and_gets_to_the_goal_is_not_only_paid_to_live():
    run = broken_run(random.Random("statue"), "paid-to-live")
    assert "paid-to-live" in {finding.rule for finding in replayed(run)}
    count = len(run.series["task/reach_rate"])
    arriving = {**run.series, "task/reach_rate": [(step, 0.8 * number / count) for number, (step, _) in enumerate(
        run.series["task/reach_rate"])]}
    assert "paid-to-live" not in {finding.rule for finding in replayed(replace(run, series=arriving))}


def test_healthy_runs_raise_no_alarm():
    figures = rule_figures([healthy_run(random.Random(f"well {n}")) for n in range(5)])
    assert figures.false_stops and figures.false_stops["value"] == 0.0
    assert figures.alarms == {}


def test_a_run_is_looked_at_only_until_it_would_have_been_stopped():
    run = broken_run(random.Random(1), "non-finite")
    found = replayed(run)
    assert [finding.rule for finding in found if finding.stop] == ["non-finite"]


def test_silence_is_told_and_never_stops_a_run():
    series = {"ppo/kl": [(n, 0.01) for n in range(6)]}
    quiet = examine(series, Context(silent_s=500.0, gap_s=2.0))
    assert [(f.rule, f.level, f.stop) for f in quiet] == [("silent", "warning", False)]
    assert examine(series, Context(silent_s=25.0, gap_s=2.0)) == (), "a pause is none"
    assert examine(series, Context(silent_s=500.0, gap_s=400.0)) == (), "slow runs write seldom"


def test_a_run_of_somebody_elses_trainer_is_judged_by_what_it_has():
    assert examine({"loss": [(n, 1.0 / (n + 1)) for n in range(100)]}, Context(total_env_steps=100)) == ()
    assert len(RULES) >= 20 and SEEN_POINTS > 2


def test_nothing_is_claimed_of_nothing():
    assert [finding.rule for finding in examine({}, Context())] == ["no-points"]
    assert examine({"ppo/kl": []}, Context())[0].level == "info"


def finding(rule: str, *, stop: bool = False) -> Finding:
    return Finding(rule=rule, level="error" if stop else "warning", message=rule, stop=stop)


def test_the_root_is_shown_and_names_what_follows():
    kept = folded([finding("rate-runaway"), finding("kl-high"), finding("value-loss"), finding("blind")])
    assert [each.rule for each in kept] == ["rate-runaway", "blind"]
    assert kept[0].message == "rate-runaway; from it follow: kl-high, value-loss"
    assert root("stalled", frozenset({"stalled", "collapse", "kl-high"})) == "kl-high"


def test_what_is_no_number_explains_everything():
    assert [each.rule for each in folded([finding("kl-high", stop=True), finding("non-finite", stop=True)])] == [
        "non-finite"]


def test_a_finding_that_stops_is_never_hidden_behind_one_that_does_not():
    kept = folded([finding("kl-high"), finding("collapse", stop=True)])
    assert [(each.rule, each.stop) for each in kept] == [("kl-high", False), ("collapse", True)]
    assert kept[1].message == "collapse; it follows from kl-high"


def test_causes_have_no_circle():
    for rule in CAUSES:
        assert root(rule, frozenset(CAUSES) - {"non-finite"}) != rule


def test_a_context_takes_what_makes_sense_of_the_files():
    spec = {"run": "c/t1/r", "task": "walk", "params": {"ppo.kl_target": 0.02, "ppo.learning_rate": "fast"},
            "train": {"env_steps": 500}, "warm_start": {"checkpoint": "x"}}
    context = context_of(spec, {"env_steps": 100, "total_env_steps": None}, MetricCard(tag="eval/waypoints"))
    assert (context.kl_target, context.learning_rate, context.total_env_steps) == (0.02, None, 500)
    assert (context.metric_tag, context.metric_is_rate, context.warm_started) == ("task/waypoints", False, True)
    assert context_of({"params": 3, "train": []}, {"env_steps": float("nan")}).env_steps == 0
    assert context_of({}, {}, MetricCard(tag="eval/success_rate")).metric_tag == "train/success_rate"


def test_a_share_that_was_never_more_than_chance_has_no_peak_to_fall_from():
    # Section 013 before it has found its way: of 300 robots one stumbles across a waypoint, and then none.
    found = [(n, 0.0033 if 50 <= n < 56 else 0.0017 if n >= 56 else 0.0) for n in range(100)]
    where = context_of({}, {"total_env_steps": 100}, MetricCard(tag="eval/waypoint_share", unit="share"))
    assert where.metric_is_rate and "collapse" not in {f.rule for f in examine({where.metric_tag: found}, where)}
    risen = [(n, 100 * value) for n, value in found]
    assert "collapse" in {f.rule for f in examine({where.metric_tag: risen}, where)}


def walking_course(success: list[float]) -> dict[str, list[tuple[int, float]]]:
    """Robots that stand, then fall more and walk faster, in episodes that grow shorter: a training of section 011."""
    rising = [number / 99 for number in range(100)]
    return {tag: [(number * 80_000, value) for number, value in enumerate(values)] for tag, values in {
        "train/episode_length_s": [30.0 - 14.0 * at for at in rising],
        "train/fall_rate": [0.06 + 0.56 * at for at in rising],
        "train/episode_return": [-5.0 + 35.0 * at for at in rising],
        "train/success_rate": success,
        "reward/goal_progress": [0.1 + 0.9 * at for at in rising],
    }.items()}


def test_robots_that_succeed_more_and_more_do_not_sprint_to_their_fall():
    context = Context(total_env_steps=18_000_000)
    never = examine(walking_course([0.0] * 100), context)
    learning = examine(walking_course([0.0] * 70 + [0.38 * number / 29 for number in range(30)]), context)
    assert "sprint-crash" in [finding.rule for finding in never]
    assert not [finding.rule for finding in learning if finding.stop]


def test_robots_that_begin_to_climb_a_step_do_not_sprint_to_their_fall():
    # Section 013, seed 1, a point every 0.41 M env steps: they stood in front of its step until the time
    # was up, and then fell on the way over it. A guard that stopped it here ended it in the middle of its ascent.
    taken = {
        "train/episode_length_s": (0.9, 7.7, 8.9, 10.3, 11.3, 11.8, 11.9, 11.9, 11.8, 10.8, 9.1, 8.3, 7.5, 7.0),
        "train/fall_rate": (1.0, 0.26, 0.32, 0.33, 0.32, 0.3, 0.31, 0.32, 0.33, 0.44, 0.59, 0.65, 0.7, 0.71),
        "train/episode_return": (-7, -17.8, -14.9, -12, -10.1, -9.2, -8.9, -8.8, -8.6, -7, -4.2, -2.7, -1.6, -1.3),
        "reward/goal_progress": (0.0, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01, 0.0, 0.03, 0.06, 0.08, 0.09, 0.09, 0.09),
        "task/waypoint_share": (0, 0, 0, 0, 0.006, 0.01, 0.013, 0.013, 0.013, 0.017, 0.045, 0.061, 0.073, 0.077),
    }
    curve = {tag: between(values) for tag, values in taken.items()}
    where = Context(total_env_steps=12_000_000, metric_tag="task/waypoint_share")
    assert "sprint-crash" not in {found.rule for found in examine(curve, where)}
    for never in ([0.077] * 14, [0.0] * 14):  # without an ascent the same curve is a sprint
        found = examine(curve | {"task/waypoint_share": between(never)}, where)
        assert "sprint-crash" in {each.rule for each in found if each.stop}


def between(values: Sequence[float], each: int = 11) -> list[tuple[int, float]]:
    """Return a line through values 0.41 M env steps apart, as often as a training writes."""
    steps = [0.41e6 * number / each for number in range(each * (len(values) - 1) + 1)]
    return [(int(step), float(np.interp(step, [0.41e6 * n for n in range(len(values))], values))) for step in steps]


def test_levels_that_rise_with_the_falls_are_a_cheat_only_where_the_task_is_done_no_better():
    beginner = {  # as section 011 begins: it stood, now it walks, and falls where it never got to before
        "train/curriculum_level": [(n, 0.6 + 0.002 * n) for n in range(100)],
        "train/fall_rate": [(n, 0.05 + 0.007 * n) for n in range(100)],
        "train/timeout_rate": [(n, 0.95 - 0.007 * n) for n in range(100)],
        "train/success_rate": [(n, 0.0) for n in range(100)],
        "task/waypoints": [(n, 0.017 * n) for n in range(100)],
    }
    stuck = beginner | {"task/waypoints": [(n, 1.0 + 0.02 * (n % 3)) for n in range(100)]}
    where = Context(total_env_steps=200, metric_tag="task/waypoints", metric_is_rate=False)
    assert "curriculum-cheat" not in {found.rule for found in examine(beginner, where)}
    (found,) = [found for found in examine(stuck, where) if found.rule == "curriculum-cheat"]
    assert found.message.startswith("the level rose from 0.7 to 0.798 while the falls rose from 40% to 74%")
