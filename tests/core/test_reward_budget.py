"""The rules of the audit, on numbers of the predecessor's exploits and on numbers of a sound reward."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vbotd.core.probe_sums import Measured, ProbeSums, payers
from vbotd.core.reward_budget import check, is_overruled
from vbotd.domain.finding import Finding

# A sound task of 10 s: the goal is 3 m away, an honest walk there takes 5 s and earns 15.
SOUND = {
    "stand": {"total": 0.5, "flow": {"far": 0.05, "wait": 0.05}, "discounted": 0.1, "first_half": 0.25},
    "face": {"total": 2.0, "flow": {"far": 0.2, "wait": 0.2}},
    "fold": {"total": -2.5, "length_s": 0.3, "discounted": -2.3, "fall_rate": 1.0},
    "circle": {"total": 4.0, "terms": {"goal_progress": 0.1}},
    "sprint": {"total": 8.0},
    "sprint-fall": {"total": -0.5, "length_s": 1.7, "fall_rate": 1.0},
    "brisk": {"total": 15.0, "length_s": 5.0, "success_rate": 1.0, "goal_s": 4.0, "at_goal": 5.0, "discounted": 2.6,
              "flow": {"far": 0.9, "near": 1.2}, "terms": {"goal_progress": 3.0, "torque_cost": -0.5}},
    "linger": {"total": 5.0, "flow": {"far": 0.9, "near": 0.9, "wait": 0.2}},
    "hover": {"total": 7.0, "at_goal": 0.8},
    "loiter": {"total": 7.0},
    "touch-fall": {"total": 5.0, "length_s": 4.4, "fall_rate": 1.0},
}  # fmt: skip
WEIGHTS = {"goal_progress": 1.0, "torque_cost": -1e-4, "arrival_event": 1.0, "success_event": 5.0, "fall_event": -2.0}


def measured(weights: dict[str, float] | None = None, episode_s: float = 10.0, **changes: dict[str, Any]) -> Measured:
    """The sound task with changes of some probes; `_` stands for `-` in a probe's name."""
    probes = {}
    for name, values in SOUND.items():
        base = ProbeSums(name=name, length_s=episode_s, total=0.0, discounted=0.0)
        probes[name] = replace(base, **{**values, **changes.get(name.replace("-", "_"), {})})
    return Measured(episode_s=episode_s, control_dt_s=0.02, gamma=0.995, weights=WEIGHTS | (weights or {}),
                    probes=probes)  # fmt: skip


def found(m: Measured) -> dict[str, Finding]:
    return {finding.rule.removeprefix("reward-budget/"): finding for finding in check(m)}


def levels(m: Measured) -> dict[str, str]:
    return {name: finding.level for name, finding in found(m).items() if finding.level != "info"}


def test_a_sound_reward_passes():
    assert levels(measured()) == {}


def test_standing_that_pays_twice_what_arriving_pays_is_an_error_that_names_the_payers():
    # Exploit 2: 4,185 for standing through 4,000 control steps, 2,031 for walking there.
    m = measured(stand={"total": 4185.0, "terms": {"position_reward": 3000.0, "heading_reward": 1100.0}},
                 brisk={"total": 2031.0}, episode_s=40.0)  # fmt: skip
    finding = found(m)["statue"]
    assert (finding.level, finding.value) == ("error", pytest.approx(2.06, abs=0.005))
    assert "4,185" in finding.message and "2,031" in finding.message and "position_reward 3,000" in finding.message
    assert finding.fix


def test_standing_that_pays_half_is_a_warning():
    # The same set with episodes of 10 s, as it was cured: 1,046 against 2,031.
    assert levels(measured(stand={"total": 1046.0}, brisk={"total": 2031.0}))["statue"] == "warning"


@pytest.mark.parametrize(("alive", "arrival", "episode_s", "is_caught"), [
    (150.0, 50.0, 30.0, True),  # exploit 1: 4,500 against 50
    (15.0, 100.0, 30.0, True), (15.0, 100.0, 10.0, False), (11.4, 130.0, 10.0, False)])  # fmt: skip
def test_being_alive_must_not_outweigh_the_goal(alive: float, arrival: float, episode_s: float, is_caught: bool):
    weights = {"alive_reward": alive, "arrival_event": arrival, "success_event": 0.0}
    assert ("alive" in levels(measured(weights, episode_s))) == is_caught


def test_a_crash_that_pays_four_fifths_per_second_is_an_error():
    # Exploit 3: rates count, not sums; after a fall the next episode begins at once.
    assert levels(measured(sprint_fall={"total": 4.2}))["crash"] == "error"  # 2.47 of 3 per second
    assert levels(measured(sprint_fall={"total": 3.3}))["crash"] == "warning"
    assert "crash" not in levels(measured(sprint_fall={"total": 2.5}))


def test_a_charge_on_speed_near_the_goal_is_a_moat():
    # Exploit 6: whoever comes nearer than 2 m earns less than whoever stays there.
    m = measured(brisk={"flow": {"far": 0.9, "near": 0.1}})
    assert levels(m) == {"moat": "error"}
    assert "near_target_speed_cost" in found(m)["moat"].fix


def test_walking_that_costs_more_than_it_pays_is_an_error():
    # Exploit 8: +134 for moving, -430 in penalties.
    terms = {"forward_velocity_reward": 134.0, "action_rate_cost": -300.0, "torque_cost": -130.0}
    finding = found(measured(brisk={"terms": terms}))["walking"]
    assert finding.level == "error" and "134" in finding.message and "430" in finding.message
    assert "walking" not in levels(measured(brisk={"terms": terms | {"action_rate_cost": -10.0, "torque_cost": -5.0}}))


def test_what_a_walker_pays_for_tumbling_down_stairs_is_no_error():
    # Section 012's stairs: the open-loop walker falls after 2.5 s, and its tumble costs what walking never would.
    down = {"fall_rate": 1.0, "success_rate": 0.0, "terms": {"goal_progress": 0.75, "roll_pitch_rate_cost": -0.67}}
    finding = found(measured(brisk=down))["walking"]
    assert finding.level == "warning" and "it falls in 100% of its episodes" in finding.message
    assert levels(measured(brisk=down | {"fall_rate": 0.2}))["walking"] == "error"


def test_what_standing_costs_as_well_is_no_cost_of_walking():
    still = SOUND["stand"] | {"terms": {"time_cost": -20.0}}
    assert levels(measured(stand=still, brisk={"terms": {"goal_progress": 3.0, "time_cost": -10.0}})) == {}


def test_slower_than_standing_far_from_the_goal_is_an_error():
    assert levels(measured(brisk={"flow": {"far": 0.01, "near": 1.2}}))["walking"] == "error"


def test_staying_at_the_goal_without_finishing_must_not_pay_more():
    # Exploit 9: 12,726 for standing there, 611 for the way.
    m = measured(loiter={"total": 12726.0, "terms": {"stop_reward": 12000.0}}, brisk={"total": 611.0})
    assert found(m)["farm"].level == "error" and "stop_reward 12,000" in found(m)["farm"].message


@pytest.mark.parametrize(("share", "fall", "level"), [(0.5 / 0.6 * 0.7, -75.0, "error"), (0.584, -400.0, "warning"),
                                                      (0.5, -75.0, None)])  # fmt: skip
def test_two_short_episodes_must_not_pay_more_than_a_long_one(share: float, fall: float, level: str | None):
    # Exploit 10: with half of every rate gone at the end, the first half of an episode pays 58 % of it: 17 % more.
    m = measured({"fall_event": fall}, stand={"total": 700.0, "first_half": share * 700.0},
                 hover={"total": 2100.0}, brisk={"total": 9000.0})  # fmt: skip
    assert levels(m).get("short-episodes") == level


def test_hovering_that_pays_like_arriving_is_an_error_by_rate_or_from_the_edge_of_the_goal():
    # Exploit 11: 7,140 against 7,345, which is 97 %.
    assert levels(measured(hover={"total": 7140.0}, brisk={"total": 7345.0, "length_s": 10.0}))["hover"] == "error"
    assert levels(measured(hover={"at_goal": 4.6}))["hover"] == "error"
    assert levels(measured(hover={"at_goal": 3.0}))["hover"] == "warning"


def test_dying_must_be_worth_less_than_living():
    expensive = {"discounted": -9.0}
    assert levels(measured(stand=expensive, brisk=expensive))["suicide"] == "error"
    assert levels(measured(stand=expensive))["suicide"] == "warning", "a beginner may learn to fall first"


def test_a_goal_beyond_the_discount_is_a_warning_with_the_gamma_that_would_do():
    m = replace(measured(brisk={"goal_s": 9.2}), gamma=0.99)  # 460 control steps: 0.99^460 = 0.010
    assert found(m)["horizon"].value == pytest.approx(0.0098, abs=1e-4)
    assert "0.9935" in found(m)["horizon"].fix


def test_progress_that_is_paid_in_a_circle_is_told_and_an_error_where_circles_pay_like_the_task():
    leak = {"terms": {"approach_progress": 2.0}}
    assert levels(measured(circle=leak))["oscillation"] == "warning"
    assert levels(measured(circle=leak | {"total": 16.0}))["oscillation"] == "error"


def test_running_past_must_not_pay_like_arriving():
    assert levels(measured(sprint={"total": 31.0}))["run-past"] == "error"


def test_where_the_reference_fails_ratios_are_warnings_and_say_so():
    finding = found(measured(stand={"total": 40.0}, brisk={"success_rate": 0.1}))["statue"]
    assert finding.level == "warning" and "10% of its episodes" in finding.message


def test_where_nobody_can_do_the_task_nothing_is_compared_with_it_and_that_is_said():
    m = measured(hover={"total": 7140.0}, sprint_fall={"total": 40.0}, loiter={"total": 900.0},
                 brisk={"success_rate": 0.0})  # fmt: skip
    assert levels(m) == {}
    assert "0% of its episodes" in found(m)["unjudged"].message


def test_a_term_that_nobody_was_paid_by_is_told():
    assert "boundary_cost" in found(measured({"boundary_cost": -3.0}))["dead"].message


@pytest.mark.parametrize(("allowed", "overruled"), [
    ((), False), (("reward-budget",), True), (("reward-budget/statue",), True), (("reward-budget/hover",), False),
    (("reward",), False)])  # fmt: skip
def test_a_finding_is_overruled_by_name_or_family(allowed: tuple[str, ...], overruled: bool):
    assert is_overruled("reward-budget/statue", allowed) == overruled


def test_small_payers_are_not_named():
    probe = ProbeSums(name="x", length_s=1.0, total=0.0, discounted=0.0, terms={"a": 100.0, "b": 50.0, "c": 0.5})
    assert payers(probe) == "a 100, b 50"
