"""The remedies on numbers of the lazy robot: which one weight heals it, computed from what the probes were paid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core.probe_sums import Measured, ProbeSums
from vbotd.core.reward_budget import check
from vbotd.core.reward_remedy import lead, remedies, reweighted

WEIGHTS = {"alive_reward": 150.0, "arrival_event": 50.0, "success_event": 5.0, "fall_event": -8.0, "trot_reward": 0.0}


def probe(name: str, length_s: float, alive: float, arrival: float = 0.0, success: float = 0.0, fall: float = 0.0,
          **more: object) -> ProbeSums:
    terms = {"alive_reward": alive, "arrival_event": arrival, "success_event": success, "fall_event": fall}
    terms = {name: paid for name, paid in terms.items() if paid}
    return ProbeSums(name=name, length_s=length_s, total=sum(terms.values()), terms=terms, discounted=0.5 * alive,
                     terms_discounted={"alive_reward": 0.5 * alive}, **more)  # type: ignore[arg-type]


def lazy(**weights: float) -> Measured:
    """The robot that lives for 10 s, against one that walks to the goal in 4 s; `alive 150, arrival 50`."""
    probes = (
        probe("stand", 10.0, 1500.0),
        probe("brisk", 4.0, 600.0, 50.0, 5.0, success_rate=1.0, goal_s=3.0, at_goal=200.0,
              terms_at_goal={"alive_reward": 145.0, "arrival_event": 50.0, "success_event": 5.0}),
        probe("hover", 10.0, 1500.0, at_goal=290.0, terms_at_goal={"alive_reward": 290.0}),
    )
    return Measured(episode_s=10.0, control_dt_s=0.02, gamma=0.99, weights=WEIGHTS | weights,
                    probes={one.name: one for one in probes})  # fmt: skip


def test_the_lazy_robot_is_healed_by_paying_less_for_living():
    first = remedies(lazy(), {})[0]
    assert (first.term, first.before, first.after) == ("alive_reward", 150.0, pytest.approx(1.5))
    assert first.leaves == () and {"reward-budget/statue", "reward-budget/alive"} <= set(first.heals)
    assert first.lead > 1.0
    finding = first.finding()
    assert (finding.rule, finding.level, finding.value) == ("remedy/alive_reward", "info", pytest.approx(1.5))
    assert "150 → 1.5" in finding.message


def test_a_change_stays_inside_what_the_task_allows():
    allowed = {"alive_reward": (50.0, 1000.0), "arrival_event": (0.0, 5000.0)}
    found = remedies(lazy(), allowed)
    assert [remedy.after for remedy in found if remedy.term == "arrival_event"] == [5000.0]
    assert all(remedy.after >= 50.0 for remedy in found if remedy.term == "alive_reward")
    assert remedies(lazy(), {term: (weight, weight) for term, weight in WEIGHTS.items()}) == ()


def test_a_sound_reward_needs_no_remedy():
    assert remedies(reweighted(lazy(), "alive_reward", 1.5), {}) == ()


def test_each_remedy_leaves_and_brings_what_it_says_and_fewer_in_all():
    before = {finding.rule for finding in check(lazy()) if finding.level == "error"}
    for remedy in remedies(lazy(), {}):
        changed = reweighted(lazy(), remedy.term, remedy.after)
        after = {finding.rule for finding in check(changed) if finding.level == "error"}
        assert after == {*remedy.leaves, *remedy.brings} and len(after) < len(before)
        assert set(remedy.heals) == before - after and not set(remedy.brings) & before
        assert remedy.lead == lead(changed)


@given(st.sampled_from(["alive_reward", "arrival_event", "success_event"]), st.floats(1e-3, 1e3))
def test_there_and_back_again_is_what_it_was(term: str, weight: float):
    back = reweighted(reweighted(lazy(), term, weight), term, WEIGHTS[term])
    for name, one in lazy().probes.items():
        assert back.probes[name].total == pytest.approx(one.total)
        assert dict(back.probes[name].terms) == pytest.approx(dict(one.terms))
        assert back.probes[name].at_goal == pytest.approx(one.at_goal) if one.at_goal else True
