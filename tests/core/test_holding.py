"""When is nothing new started, and how long does what failed wait? As given / when / then on values."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.core.given import NOW, circumstances, content, kinds, seen_file, step
from vbotd.core.backoff import LONGEST_S, not_before
from vbotd.core.holding import CRASHES, ENOUGH_BYTES, LONGEST_CALM_S, LOW_BYTES, crash_loop, low_disk
from vbotd.core.plan import AskProposals, Done, plan
from vbotd.core.state import State
from vbotd.domain.trial import Run

CALM_S = 300.0
RUN = Run(id="c/t001/train-s1-a1", campaign="c", trial="c/t001", kind="train", seed=1, attempt=1, status="queued",
          queued_at=NOW)


def crashes(*ago_s: float) -> list[float]:
    return [NOW - ago for ago in ago_s]


def test_three_crashes_are_bad_luck_and_the_fourth_is_a_loop():
    assert crash_loop(crashes(0, 60, 120), NOW, NOW, CALM_S) == ""
    assert "died 4 times" in crash_loop(crashes(0, 60, 120, 180), NOW, NOW, CALM_S)
    assert crash_loop(crashes(0, 60, 120, 800), NOW, NOW, CALM_S) == "", "one of them was long ago"


def test_a_daemon_that_lives_long_enough_after_a_crash_loop_starts_runs_again():
    loop = crashes(*range(0, 10 * CRASHES, 10))
    assert crash_loop(loop, NOW, NOW + CALM_S - 1, CALM_S) and not crash_loop(loop, NOW, NOW + CALM_S, CALM_S)
    again = crashes(*range(0, 10 * CRASHES + 10, 10))
    assert crash_loop(again, NOW, NOW + CALM_S, CALM_S) and not crash_loop(again, NOW, NOW + 2 * CALM_S, CALM_S)


def test_a_person_may_switch_that_off():
    assert crash_loop(crashes(0, 60, 120, 180), NOW, NOW, 0.0) == ""


@given(st.integers(0, 200))
def test_the_calm_never_lasts_longer_than_an_hour(count: int):
    loop = crashes(*(float(i) for i in range(count)))
    assert crash_loop(loop, NOW, NOW + LONGEST_CALM_S, CALM_S) == ""


def test_a_disk_that_is_nearly_full_holds_and_has_to_gain_some_room_before_it_goes_on():
    assert low_disk(LOW_BYTES, was_low=False) == "" and low_disk(None, was_low=True) == ""
    assert "MiB left" in low_disk(LOW_BYTES - 1, was_low=False)
    assert low_disk(LOW_BYTES + 1, was_low=True) and not low_disk(ENOUGH_BYTES, was_low=True)


def test_while_held_nothing_is_launched_or_proposed_and_it_is_told_once():
    state, events = step(State(), seen_file(content(search=False)), hold="the disk has 1 MiB left")
    assert kinds(events).count("LaunchesHeld") == 1 and "RunLaunched" not in kinds(events)
    state, events = step(state, hold="the disk has 1 MiB left")
    assert events == ()
    state, events = step(state)
    assert kinds(events)[0] == "LaunchesReleased" and kinds(events).count("RunLaunched") == 2
    asking, _ = step(State(), seen_file(content(search=True)))
    effects = plan(asking, Done(), replace(circumstances(), hold="held"))
    assert not [effect for effect in effects if isinstance(effect, AskProposals)]


def test_the_first_retry_is_at_once_and_later_ones_wait_longer_and_longer():
    waits = [not_before(replace(RUN, launch=launch)) - NOW for launch in range(12)]
    assert waits[:2] == [0.0, 0.0] and 1.0 <= waits[2] <= 3.0
    assert all(later > earlier * 0.6 for earlier, later in pairwise(waits[2:]))
    assert max(waits) <= 1.5 * LONGEST_S


@given(st.integers(2, 60))
def test_what_failed_together_does_not_come_back_together(launch: int):
    waits = {not_before(replace(RUN, id=f"c/t{n:03d}/train-s1-a1", launch=launch)) for n in range(20)}
    assert len(waits) == 20
