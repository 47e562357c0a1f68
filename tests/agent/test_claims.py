"""Sentences about a night that is known to the last event: which of them may be reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.calls import Caller, over_story
from vbotd.core.claims import Fact, Subject, check

T003, T002, T001 = "flat-night-1123/t003", "flat-night-1123/t002", "flat-night-1123/t001"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Caller:
    return over_story(tmp_path_factory.mktemp("night"))


@pytest.mark.parametrize(("sentence", "verdict"), [
    (f"{T003} succeeds in 98.4 % of 256 fresh episodes.", "supported"),
    (f"{T003} succeeds in 98 % of the fresh episodes.", "supported"),
    ("t003 reaches a success rate of 0.988 [0.966, 0.996] over 256 episodes", "supported"),
    ("t003 was confirmed with a success rate of 0.984", "supported"),
    ("t003 was confirmed: success 98.4 % (95 % interval 96.1\N{EN DASH}99.4 %)", "supported"),
    ("on fresh episodes t003 succeeds in 96.1-99.4 % of cases", "supported"),
    ("the success rate of t003 on fresh episodes is between 0.961 and 0.994", "supported"),
    ("t003 has a success rate of 96.1 %", "contradicted"),
    ("t003 used a learning rate of 4.2e-4 and is the best trial", "supported"),
    (f"{T002} diverged after 310,000 env steps", "supported"),
    ("flat-night-1123 reached its gate; 1 of 3 trials failed", "supported"),
    ("t003 trained for 1.5M env steps", "supported"),
    ("t003 succeeds in 98.8 % of the fresh episodes", "contradicted"),
    ("t003 succeeds in 99 % of the fresh episodes", "contradicted"),
    ("t003 has a success rate of 95 %", "contradicted"),
    ("t001 was confirmed with a success rate of 0.953", "contradicted"),
    ("flat-night-1123 failed", "contradicted"),
    ("t001 is the champion", "contradicted"),
    (f"{T002} was trained for 1,500,000 env steps", "contradicted"),
    ("t003 is better than t001 because of its learning rate 0.00042", "partly"),
    ("t003 did not reach a success rate of 0.984", "partly"),
    # Of several things each part is judged by the one that it is said of.
    ("t003 succeeds in 98.4 % of 256 fresh episodes, and flat-night-1123 reached its gate", "supported"),
    ("t001 finished and t002 diverged", "supported"),
    ("t001 diverged and t002 finished", "contradicted"),
    ("t001 and t003 finished", "supported"),
    ("t001 and t002 both finished", "contradicted"),
    ("t001 was chosen by a success rate of 0.953, t003 by one of 0.988", "supported"),
    ("t001 was chosen by a success rate of 0.988, t003 by one of 0.953", "contradicted"),
    ("chosen by a success rate of 0.953 for t001 and 0.988 for t003", "supported"),
    ("chosen by a success rate of 0.988 for t001 and 0.953 for t003", "contradicted"),
    ("t003 of flat-night-1123 has a success rate of 0.984", "supported"),
    ("t003 is the champion of flat-night-1123, t001 is not", "partly"),
    ("t003 reached a success rate of 98.4 %", "partly"),  # no trial can be "reached": that word is not looked up
    ("t001 has a success rate of 0.953 on fresh episodes", "contradicted"),  # it was not measured on any
    ("all 3 trials of flat-night-1123 were judged, none was cancelled", "partly"),
    ("t003 walked 77 metres", "unsupported"),
    ("t003 has a lovely gait", "unsupported"),
])
def test_a_sentence_is_judged_by_the_store(night: Caller, sentence: str, verdict: str):
    said = night.value("check_claim", sentence=sentence)
    assert said["verdict"] == verdict, said


def test_every_judgement_names_the_run_it_comes_from(night: Caller):
    said = night.value("check_claim", sentence=f"{T003} has a success rate of 0.984")
    assert said["about"] == [T003]
    assert said["parts"][0]["evidence"] == f"<<eval/success_rate = 0.984 ({T003}/confirm-s1-a1)>>"


def test_a_selection_score_that_is_not_called_one_is_noted(night: Caller):
    said = night.value("check_claim", sentence="t003 has a success rate of 0.988")
    assert said["verdict"] == "supported"
    assert "the episodes that chose the trial" in said["notes"][0]
    honest = night.value("check_claim", sentence="t003 was chosen by a success rate of 0.988")
    assert "notes" not in honest


def test_a_sentence_about_nothing_known_is_not_judged(night: Caller):
    assert "names nothing that the store knows" in night.error("check_claim", sentence="the robot walks at 98 %")


def test_the_evidence_of_a_contradiction_is_what_is_stored(night: Caller):
    said = night.value("check_claim", sentence="t003 succeeds in 99 % of the fresh episodes")
    assert "eval/success_rate = 0.984" in said["parts"][0]["evidence"]


@given(st.floats(0.0, 1.0), st.integers(0, 3))
def test_a_number_is_supported_exactly_when_the_stored_one_rounds_to_it(value: float, digits: int):
    fact = Fact(label="eval/success_rate", value=value, origin="r", words=frozenset({"success"}), is_rate=True)
    written = f"{value * 100:.{digits}f}"
    near = check(f"success of {written} %", {}, [Subject(id="a/t001", states=frozenset(), facts=(fact,))])
    assert near.parts[0].judgement == "supported"
    off = f"{float(written) + 2 * 10.0**-digits:.{digits}f}"
    far = check(f"success of {off} %", {}, [Subject(id="a/t001", states=frozenset(), facts=(fact,))])
    assert far.parts[0].judgement == "contradicted"


@given(st.text(max_size=300))
def test_no_text_breaks_the_judge(text: str):
    claim = check(text, {}, [Subject(id="a", states=frozenset({"open"}), facts=())])
    assert claim.verdict in ("supported", "partly", "contradicted", "unsupported")
    assert not any(part.judgement == "supported" for part in claim.parts if part.part.strip("+-%., ").isdigit())


def test_the_path_of_the_workspace_is_in_no_answer(night: Caller, tmp_path: Path):
    assert str(night.layout.home) not in str(night.value("check_claim", sentence=f"{T003} has a success rate of 0.984"))
