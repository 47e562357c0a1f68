"""Stances, swings and agreement of feet, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core.gait import gait, spans


def test_spans_are_the_times_on_the_ground():
    assert spans([True, True, False, False, True], 0.5) == [(0.0, 1.0), (2.0, 2.5)]
    assert spans([False, False], 0.5) == []


def test_a_bounce_is_no_step():
    down, up = [True] * 10, [False] * 10
    contact = [*down, False, *down, *up, True, *up, *down]
    (a, b), (c, d) = spans(contact, 0.02, 0.04)
    assert (a, b, c, d) == pytest.approx((0.0, 0.42, 0.84, 1.04))


def test_a_perfect_trot_has_agreeing_diagonals_and_half_the_time_on_the_ground():
    one, other = (True, False, False, True), (False, True, True, False)
    found = gait([*[one] * 10, *[other] * 10] * 3, 0.02)
    assert (found.diagonal, found.lateral, found.same_end, found.airborne) == (1.0, 0.0, 0.0, 0.0)
    front_right = found.feet[0]
    assert front_right.duty == 0.5
    assert front_right.swing_s == pytest.approx(0.2)
    assert front_right.steps_per_s == pytest.approx(2 / 1.2)


def test_a_statue_stands_and_makes_no_step():
    found = gait([(True, True, True, True)] * 50, 0.02)
    assert [foot.duty for foot in found.feet] == [1.0] * 4
    assert [foot.swing_s for foot in found.feet] == [None] * 4


def test_nothing_is_no_gait():
    with pytest.raises(ValueError, match="at least one control step"):
        gait([], 0.02)


@given(st.lists(st.booleans(), max_size=60))
def test_spans_cover_exactly_the_contacts(contact):
    covered = [any(a <= i < b for a, b in spans(contact, 1.0)) for i in range(len(contact))]
    assert covered == contact
