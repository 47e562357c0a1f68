"""Which control steps of an episode are photographed, and why."""

from vbotd.core.moments import Instant, moments


def episode(n: int = 11, **events: dict[int, object]) -> list[Instant]:
    return [Instant(time_s=0.02 * (i + 1), tilt_deg=float(events.get("tilt", {}).get(i, 1.0)),
                    touching=str(events.get("touching", {}).get(i, "")),
                    slip_mps=float(events.get("slip", {}).get(i, 0.1)), at_goal=i in events.get("goal", {}))
            for i in range(n)]


def test_regular_moments_go_from_the_first_control_step_to_the_last():
    found = moments(episode(tilt={0: 2.0}), "", 3)
    assert [m.index for m in found] == [0, 5, 10]
    assert [m.label for m in found] == ["largest tilt", "", ""]


def test_each_event_is_found_at_its_first_moment():
    found = moments(episode(tilt={7: 40.0}, touching={4: "shin", 8: "trunk"}, goal={6: 1, 9: 1}), "fall", 1)
    assert {m.index: m.label for m in found} == {
        0: "", 4: "first shin contact", 6: "at the goal", 7: "largest tilt", 10: "fall"}
    assert found[1].time_s == 0.02 * 5


def test_a_control_step_with_two_reasons_is_one_moment():
    found = moments(episode(tilt={10: 60.0}, touching={10: "trunk"}), "fall", 2)
    assert [m.label for m in found] == ["", "first trunk contact + largest tilt + fall"]


def test_only_a_foot_that_is_fast_on_the_ground_slips():
    assert [m.label for m in moments(episode(slip={3: 0.25}), "", 1)] == ["largest tilt"]
    found = moments(episode(slip={3: 0.4, 8: 0.9}), "", 1)
    assert {m.index: m.label for m in found} == {0: "largest tilt", 8: "slip"}


def test_an_empty_episode_has_no_moment():
    assert moments([], "fall", 4) == ()
