"""The last word on a clip: what is told apart, by hand-made telemetry, and that no statue ever walks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core.clip import Clip, measure
from vbotd.core.kinematic_gate import GETS_ALONG, judge_clip, summary

DT_S = 0.02
TROT = np.array([(True, False, False, True)] * 12 + [(False, True, True, False)] * 12)


def clip(seconds: float = 6.0, speed_mps: float = 0.6, **changes: Any) -> Clip:
    """Return a clip of a sound trot, with changes."""
    n = round(seconds / DT_S)
    contact = np.resize(TROT, (n, 4))
    arrays: dict[str, Any] = {
        "height_m": np.full(n, 0.26), "tilt_deg": np.full(n, 3.0), "yaw_radps": np.zeros(n),
        "place_w_m": np.stack([speed_mps * DT_S * np.arange(n), np.zeros(n)], axis=1), "foot_contact": contact,
        "foot_speed_mps": np.where(contact, 0.02, 2 * speed_mps), "other_contact": np.zeros(n, dtype=bool),
        "joint_vel_radps": np.sin(np.arange(n)[:, None] * 0.26 + np.arange(12)),
    }
    return Clip(dt_s=DT_S, nominal_height_m=0.26, **arrays | changes)


def standing(seconds: float = 6.0, **changes: Any) -> Clip:
    n = round(seconds / DT_S)
    still: dict[str, Any] = {"foot_contact": np.ones((n, 4), dtype=bool), "foot_speed_mps": np.zeros((n, 4)),
                             "joint_vel_radps": np.zeros((n, 12))}
    return clip(seconds, 0.0, **still | changes)


def from_step(n: int, at: int, before: float, after: float) -> np.ndarray:
    return np.where(np.arange(n) < at, before, after)


def test_a_trot_walks_and_says_by_which_numbers():
    word = judge_clip(clip())
    assert (word.kind, word.passes, word.asked) == ("walks", True, True)
    assert word.motion.steps_per_s == pytest.approx((2.0, 2.0, 2.0, 2.0), abs=0.2)
    assert word.motion.speed_mps == pytest.approx(0.6, abs=0.01)
    assert word.why.startswith("0.60 m/s at 100% of its stance")


def test_a_statue_stands_whatever_it_was_asked():
    assert judge_clip(standing()).kind == "stands"
    assert not judge_clip(standing()).passes
    asked = np.zeros(300, dtype=bool)
    assert judge_clip(standing(asked=asked)).passes  # nobody asked it to move
    asked[:] = True
    assert not judge_clip(standing(asked=asked)).passes


def test_a_robot_that_treads_on_the_spot_stands():
    assert judge_clip(clip(speed_mps=0.03)).kind == "stands"


def test_what_it_was_not_asked_to_walk_does_not_count_against_it():
    n = 300
    asked = np.arange(n) < 100
    place = np.minimum(0.6 * DT_S * np.arange(n), 0.6 * DT_S * 110)
    stopped = clip(place_w_m=np.stack([place, np.zeros(n)], axis=1), asked=asked)
    assert judge_clip(stopped).kind == "walks"
    assert judge_clip(clip(place_w_m=stopped.place_w_m)).kind == "stands"  # asked to walk for the whole time


@pytest.mark.parametrize(("changes", "kind", "why"), [
    ({"ending": "fall"}, "falls", "ended with 'fall'"),
    ({"tilt_deg": from_step(300, 200, 3.0, 90.0), "height_m": from_step(300, 200, 0.26, 0.08)}, "falls",
     "stood for 4.0 s and was down within 0.02 s"),
    ({"tilt_deg": np.where(np.abs(np.arange(300) - 150) < 10, 120.0, 3.0)}, "falls", "down for 0.4 s of 6.0 s"),
    ({"height_m": np.full(300, 0.05)}, "drags", "under way for 100%"),
    ({"other_contact": np.arange(300) % 3 == 0}, "drags", "a shin on the ground for 33% of the way"),
    ({"height_m": np.full(300, 0.145)}, "drags", "lower than 60% of its stance for 100%"),
    ({"foot_speed_mps": np.full((300, 4), 0.6)}, "drags", "its feet slid for 100%"),
    ({"foot_contact": np.ones((300, 4), dtype=bool), "foot_speed_mps": np.zeros((300, 4))}, "drags",
     "without stepping"),
    ({"foot_contact": np.resize(TROT, (300, 4)) & np.array([False, True, True, True])}, "limps", "unequal steps"),
    ({"joint_vel_radps": clip().joint_vel_radps * np.repeat([0.2, 1, 1, 1], 3)}, "limps", "one leg moved 20%"),
])
def test_what_is_no_walk_is_told_by_its_kind(changes, kind, why):
    word = judge_clip(clip(**changes))
    assert (word.kind, why in word.why) == (kind, True), word
    assert word.passes == (kind in GETS_ALONG)


def test_lying_is_told_from_falling_by_how_it_came():
    lies = standing(height_m=np.full(300, 0.05), other_contact=np.ones(300, dtype=bool))
    assert judge_clip(lies).kind == "lies"
    slowly = np.interp(np.arange(300), [150, 250], [0.26, 0.05])
    assert judge_clip(standing(height_m=slowly)).kind == "lies"
    assert judge_clip(standing(height_m=from_step(300, 150, 0.26, 0.05))).kind == "falls"
    assert judge_clip(standing(height_m=from_step(300, 20, 0.26, 0.05))).kind == "lies"  # never got going


@pytest.mark.parametrize(("ending", "takes_s", "kind"), [
    ("success", 0.02, "walks"), ("success", 1.0, "walks"), ("", 1.0, "walks"), ("", 0.02, "falls")])
def test_where_it_has_arrived_it_may_lie_down_but_not_fall(ending, takes_s, kind):
    k = np.arange(400)
    place = np.stack([0.6 * DT_S * np.minimum(k, 200), np.zeros(400)], axis=1)
    height = np.interp(k, [210, 210 + takes_s / DT_S], [0.26, 0.05])
    arrived = clip(8.0, place_w_m=place, height_m=height, asked=k < 200, ending=ending)
    assert judge_clip(arrived).kind == kind


def test_a_moment_proves_no_gait():
    assert judge_clip(clip(0.5)).kind == "unclear"
    assert judge_clip(clip(0.5, ending="fall")).kind == "falls"
    with pytest.raises(ValueError, match="at least one control step"):
        clip(0.0)


def test_the_line_about_several_episodes_names_what_failed():
    words = [judge_clip(clip()), judge_clip(standing()), judge_clip(clip())]
    assert summary(words).startswith("walks in 2 of 3, stands in 1 of 3 episodes (faster than 0.1 m/s")


def test_a_foot_that_lands_fast_does_not_slip():
    contact = np.zeros((7, 4), dtype=bool)
    contact[2:6, 0] = True
    speed = np.zeros((7, 4))
    speed[:, 0] = [9, 9, 5, 1, 2, 5, 9]
    made = clip(0.14, foot_contact=contact, foot_speed_mps=speed)
    assert made.slip_mps.tolist() == [0, 0, 0, 1, 2, 0, 0]
    assert clip(0.06, foot_contact=np.ones((3, 4)) > 0, foot_speed_mps=np.ones((3, 4))).slip_mps.tolist() == [0, 1, 0]


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.08), st.sampled_from([0.02, 0.01, 0.04]))
def test_whatever_a_robot_does_with_its_legs_on_the_spot_it_does_not_get_along(seed, wander_m, dt_s):
    rng = np.random.default_rng(seed)
    n = round(4.0 / dt_s)
    made = clip(4.0)
    shaken = Clip(
        dt_s=dt_s, nominal_height_m=0.26, height_m=rng.uniform(0.2, 0.3, n), tilt_deg=rng.uniform(0, 20, n),
        place_w_m=rng.uniform(-wander_m / 2, wander_m / 2, (n, 2)) * 0.7, yaw_radps=np.zeros(n),
        foot_contact=rng.random((n, 4)) < 0.5, foot_speed_mps=rng.uniform(0, 1, (n, 4)),
        other_contact=np.zeros(n, dtype=bool), joint_vel_radps=rng.normal(0, 5, (n, 12)))
    assert judge_clip(shaken).kind not in GETS_ALONG
    assert 0.0 <= measure(made).shaking <= measure(shaken).shaking
