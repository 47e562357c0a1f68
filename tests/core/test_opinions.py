"""How opinions combine: given answers, when they are combined, then this."""

from __future__ import annotations

from typing import Any

import pytest

from vbotd.core.opinions import (
    asked_to_stop,
    combine_amendments,
    combine_findings,
    combine_follow_ups,
    combine_proposals,
    combine_sections,
    combine_verdicts,
)
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Exhausted, FollowUp, Opinion, Section
from vbotd.domain.trial import Proposal


def proposal(value: Any, proposer: str = "p", **more: Any) -> Proposal:
    return Proposal(params={"a": value, **more}, proposer=proposer)


def values(combined: Any) -> list[Any]:
    return [one.params["a"] for one in combined.proposals]


def test_proposals_are_taken_in_turn_in_the_declared_order() -> None:
    given = [("search", [proposal(1), proposal(2), proposal(3)]), ("none", None), ("agent", [proposal(10)])]
    assert values(combine_proposals(given, 3)) == [1, 10, 2]
    assert values(combine_proposals(given, 9)) == [1, 10, 2, 3]


def test_with_one_place_at_a_time_the_turn_goes_on_behind_the_last_one() -> None:
    given = [("search", [proposal(1)]), ("agent", [proposal(10)])]
    assert values(combine_proposals(given, 1)) == [1]
    assert values(combine_proposals(given, 1, after="search")) == [10]
    assert values(combine_proposals(given, 1, after="agent")) == [1]
    assert values(combine_proposals(given, 1, after="somebody else")) == [1]


def test_the_turn_is_known_by_the_name_of_the_skill_too() -> None:
    given = [("hp_search", [proposal(1, proposer="hp-search")]), ("agents", [proposal(10, proposer="night-agent")])]
    assert values(combine_proposals(given, 1, after="hp-search")) == [10]
    assert values(combine_proposals(given, 1, after="night-agent")) == [1]


def test_equal_settings_are_proposed_once() -> None:
    given = [("one", [proposal(1, b=2)]), ("other", [Proposal(params={"b": 2, "a": 1}, proposer="other"), proposal(3)])]
    combined = combine_proposals(given, 5)
    assert values(combined) == [1, 3] and combined.proposals[0].proposer == "p"


def test_who_comes_last_is_heard_when_the_others_have_nothing_left() -> None:
    over = Exhausted(why="the grid is done")
    climb, turns = ("climb", [proposal(7)]), {"climb": "last", "heal": "first"}
    assert values(combine_proposals([climb, ("search", [proposal(1)])], 3, turns=turns)) == [1]
    assert values(combine_proposals([climb, ("search", [])], 3, turns=turns)) == []  # it waits for something
    assert values(combine_proposals([climb, ("search", over), ("quiet", None)], 3, turns=turns)) == [7]
    healing = [climb, ("search", [proposal(1)]), ("heal", [proposal(3)])]
    assert values(combine_proposals(healing, 3, turns=turns)) == [3]
    assert values(combine_proposals([*healing[:2], ("heal", over)], 3, turns=turns)) == [1]
    assert combine_proposals([("climb", over), ("search", [])], 3, turns=turns).exhausted == ""
    assert combine_proposals([("climb", over), ("search", over)], 3, turns=turns).exhausted != ""


def test_exhausted_only_when_nobody_has_anything_left() -> None:
    over = Exhausted(why="the grid is done")
    assert combine_proposals([("grid", over), ("quiet", None)], 2).exhausted == "grid: the grid is done"
    assert combine_proposals([("grid", over), ("agent", [proposal(1)])], 2).exhausted == ""
    assert combine_proposals([("grid", over), ("later", [])], 2).exhausted == ""
    assert combine_proposals([], 2).exhausted == ""


def test_amendments_are_folded_and_attributed() -> None:
    original = Proposal(params={"a": 1, "b": 2}, proposer="p", why="w")
    given = [("curriculum", proposal(1, b=2, slope=5.0)), ("quiet", None), ("reward", proposal(9, b=2))]
    amended = combine_amendments(original, given)
    assert amended.proposal == Proposal(params={"a": 9, "b": 2, "slope": 5.0}, proposer="p", why="w",
                                        amended_by={"slope": "curriculum", "a": "reward"})
    assert amended.conflicts == ()


def test_of_two_changes_of_one_key_the_earlier_stays_and_the_conflict_is_told() -> None:
    given = [("curriculum", proposal(5)), ("reward", proposal(7)), ("echo", proposal(5))]
    amended = combine_amendments(proposal(1), given)
    assert amended.proposal.params == {"a": 5}
    assert amended.conflicts == ("'a': 'reward' wants 7, 'curriculum' has set 5 before — the earlier stays",)


def test_an_amendment_takes_nothing_away() -> None:
    assert combine_amendments(proposal(1), [("x", Proposal(params={}, proposer="x"))]).proposal == proposal(1)


@pytest.mark.parametrize(("verdicts", "expected"), [
    (["promote", "keep"], "keep"), (["keep", "discard", "promote"], "discard"),
    (["discard", "inconclusive"], "inconclusive"), (["promote", "promote"], "promote"),
])
def test_the_most_conservative_verdict_counts(verdicts: list[Any], expected: str) -> None:
    given = [(f"p{place}", Opinion(verdict=verdict, why=verdict)) for place, verdict in enumerate(verdicts)]
    judged = combine_verdicts([*given, ("quiet", None)])
    assert judged is not None and judged.verdict == expected
    assert judged.by == f"p{verdicts.index(expected)}"
    assert len(judged.dissent) == sum(verdict != expected for verdict in verdicts)


def test_dissent_says_who_and_why_and_silence_is_no_verdict() -> None:
    judged = combine_verdicts([("core", Opinion(verdict="promote", why="passes the gate")),
                               ("critic", Opinion(verdict="discard", why="it hops"))])
    assert judged is not None and (judged.by, judged.why) == ("critic", "it hops")
    assert judged.dissent == ("core: promote — passes the gate",)
    assert combine_verdicts([("quiet", None)]) is None


def test_findings_are_united_and_only_an_error_may_stop() -> None:
    hot = Finding(rule="hot", level="warning", message="m", stop=True)
    broken = Finding(rule="broken", level="error", message="m", stop=True)
    findings = combine_findings([("one", [hot, broken]), ("one", [broken]), ("other", [broken])])
    assert [(who, finding.rule, finding.stop) for who, finding in findings] == [
        ("one", "hot", False), ("one", "broken", True), ("other", "broken", True)]
    assert asked_to_stop(findings) == ("one", broken)
    assert asked_to_stop(findings, allowed=["broken"]) is None


def test_equal_follow_ups_are_wanted_once() -> None:
    given = [("one", [FollowUp(kind="capture", why="a", spec={"x": 1, "y": 2})]),
             ("other", [FollowUp(kind="capture", why="b", spec={"y": 2, "x": 1}), FollowUp(kind="audit", why="c")])]
    assert [(who, wish.kind) for who, wish in combine_follow_ups(given)] == [("one", "capture"), ("other", "audit")]


def test_sections_stay_in_order_and_are_cut_at_fifteen_lines() -> None:
    long = Section(title="long", lines=(*(f"{number}" for number in range(19)), "two\nlines"))
    first, second = combine_sections([("a", long), ("b", None), ("c", Section(title="short", lines=("x",)))])
    assert len(first.lines) == 15 and first.lines[-1] == "… and 7 more lines"
    assert second.title == "short"
