"""The structured question about a robot's gait: the real client against a real server, that sees well, badly or not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.agent.conftest import answer
from vbotd.agent.ask import Endpoint, ModelError, data_url
from vbotd.agent.vision import KNOWN, MAX_WORDS, QUESTION, answer_of, known_clips, look
from vbotd.core.kinematic_gate import CLASSES

Script = Callable[[dict[str, Any]], tuple[int, bytes, dict[str, str]]]


@pytest.fixture
def sheets(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for k in range(2):
        found[f"e{k + 1}"] = tmp_path / f"look_e{k + 1}.jpg"
        Image.new("RGB", (300, 100), (40 * k, 90, 30)).save(found[f"e{k + 1}"])
    return found


@pytest.fixture(scope="module")
def truths() -> dict[str, str]:
    """What is right to say of each known picture, by the very text that it is sent as."""
    return {data_url(path): truth for path, truth in known_clips().values()}


def endpoint(chat, **changes: Any) -> Endpoint:
    return Endpoint(**{"url": chat.url, "model": "eyes-1", "key": "sk-secret", "timeout_s": 10.0} | changes)


def pictures(asked: dict[str, Any]) -> list[str]:
    return [part["image_url"]["url"] for part in asked["messages"][1]["content"] if part["type"] == "image_url"]


def says(gaits: list[str], **changes: Any) -> bytes:
    rows = [{"number": k, "gait": gait, "confidence": 0.9, "seen": "its legs swing"} | changes
            for k, gait in enumerate(gaits, start=1)]
    return answer(json.dumps({"pictures": rows}))[1]


def seeing(truths: dict[str, str], unknown: str = "walks") -> Script:
    """Return a model that knows every known picture and calls the others `unknown`."""
    return lambda asked: (200, says([truths.get(url, unknown) for url in pictures(asked)]), {})


def test_a_good_model_is_asked_in_batches_and_its_opinion_says_how_often_it_was_wrong(chat, sheets, truths):
    chat.script = seeing(truths)
    found = look(endpoint(chat), sheets, seed="run-1")
    assert {name: one.said for name, one in found.opinions.items()} == {"e1": "walks", "e2": "walks"}
    assert (len(found.known), found.failures) == (8, ())
    assert found.label.startswith("opinion of the model 'eyes-1', not a measurement (wrong in 0 of 8 known clips, ")
    sizes = [len(pictures(asked)) for asked in chat.asked]
    assert sum(sizes) == 10 and max(sizes) <= 4
    assert all(any(url in truths for url in pictures(asked)) for asked in chat.asked)
    assert chat.asked[0]["messages"][1]["content"][0]["text"] == QUESTION.format(count=sizes[0])


def test_a_model_that_says_the_same_of_everything_is_found_out(chat, sheets):
    chat.script = lambda asked: (200, says(["walks"] * len(pictures(asked))), {})
    found = look(endpoint(chat), sheets, seed="run-1")
    assert found.error is not None
    assert (found.error["value"], found.error["n"]) == (0.75, 8)
    assert "wrong in 6 of 8 known clips" in found.label


def test_an_answer_with_prose_around_it_and_capitals_is_read(chat, sheets, truths):
    def chatty(asked: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        rows = [{"number": k, "gait": " Walks ", "confidence": 1, "seen": "\x1b[2J" + "long " * 99, "mood": "good"}
                for k in range(len(pictures(asked)), 0, -1)]
        return 200, answer(f"Sure!\n```json\n{json.dumps({'pictures': rows})}\n```\nAnything else?")[1], {}

    chat.script = chatty
    opinion = look(endpoint(chat), sheets, seed="x").opinions["e1"]
    assert (opinion.said, opinion.confidence) == ("walks", 1.0)
    assert MAX_WORDS - 2 <= len(opinion.words) <= MAX_WORDS
    assert "\x1b" not in opinion.words


@pytest.mark.parametrize(("text", "message"), [
    ("I see a dog.", "does not fit the question (JSON: Invalid JSON"),
    ("{}", "does not fit the question (pictures: Field required)"),
    ('{"pictures": [{"number": 1, "gait": "flies", "confidence": 1}]}', "(pictures.0.gait: Input should be 'walks'"),
    ('{"pictures": [{"number": 1, "gait": "walks", "confidence": 7}]}', "(pictures.0.confidence: Input should be less"),
    ('{"pictures": [{"number": 1, "gait": "walks", "confidence": 1}]}', "about the pictures [1], it was asked about 1"),
    ('{"pictures": ' + "[" * 9000, "does not fit the question"),
])
def test_garbage_costs_its_batch_and_after_two_the_rest_is_spared(chat, sheets, text, message):
    chat.reply = answer(text)
    found = look(endpoint(chat), sheets, seed="x")
    assert (found.opinions, found.known, found.error) == ({}, [], None)
    assert message in found.failures[0]
    assert found.failures[-1] == "the rest was not asked after 2 failures in a row"
    assert len(chat.asked) == 2
    assert "never measured" in found.label


def test_one_bad_batch_does_not_spoil_the_others(chat, sheets, truths):
    good = seeing(truths)
    chat.script = lambda asked: (200, b"<html>", {}) if len(chat.asked) == 1 else good(asked)
    found = look(endpoint(chat), sheets, seed="x", retries=0)
    assert len(found.failures) == 1 and "no chat completion" in found.failures[0]
    assert 0 < len(found.known) < 8


def test_a_busy_server_is_asked_again_when_it_says(chat, sheets, truths):
    good = seeing(truths)
    busy = (429, json.dumps({"error": {"message": "slow down"}}).encode(), {"Retry-After": "0.2"})
    chat.script = lambda asked: busy if len(chat.asked) in (1, 3) else good(asked)
    found = look(endpoint(chat), sheets, seed="x")
    assert (found.failures, len(found.known), len(chat.asked)) == ((), 8, 5)


def test_a_server_that_stays_busy_is_left_alone(chat, sheets):
    busy = (429, json.dumps({"error": {"message": "no credit"}}).encode(), {"Retry-After": "0.05"})
    chat.script = lambda asked: busy
    found = look(endpoint(chat), sheets, seed="x", retries=1)
    assert "HTTP 429: no credit" in found.failures[0]
    assert len(chat.asked) == 4  # two batches, twice each


def test_a_server_that_never_ends_its_answer_is_given_up(chat, sheets):
    chat.hold = True
    found = look(endpoint(chat, timeout_s=0.2), sheets, seed="x", retries=0)
    assert "within 0.2 s" in found.failures[0]


def test_a_huge_answer_is_given_up(chat, sheets):
    chat.script = lambda asked: (200, b" " * (3 << 20), {})
    assert "more than 1,048,576 bytes" in look(endpoint(chat), sheets, seed="x", retries=0).failures[0]
    chat.script = lambda asked: (200, says(["walks"] * len(pictures(asked)), seen="x" * 5000), {})
    assert "does not fit the question" in look(endpoint(chat), sheets, seed="x", retries=0).failures[0]


def test_who_is_told_to_stop_stops_between_two_batches(chat, sheets, truths):
    chat.script = seeing(truths)
    found = look(endpoint(chat), sheets, seed="x", go_on=lambda: len(chat.asked) < 1)
    assert found.failures == ("the rest was not asked: it was to stop",)
    assert len(chat.asked) == 1
    late = look(endpoint(chat), sheets, seed="x", deadline_s=0.0)
    assert "the rest was not asked: 0 s are over" in late.failures


def test_the_known_sheets_are_of_every_class_small_and_not_to_be_changed(tmp_path):
    clips = known_clips()
    assert {truth for _, truth in clips.values()} == set(CLASSES) - {"unclear"}
    assert sum(path.stat().st_size for path, _ in clips.values()) < 400 << 10
    shutil.copytree(KNOWN, tmp_path / "known")
    (tmp_path / "known" / "3.jpg").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"3\.jpg: not the sheet whose answer is known"):
        known_clips(tmp_path / "known")


def test_the_question_names_every_class():
    assert all(f"\n{kind} (" in QUESTION or f" {kind} (" in QUESTION for kind in CLASSES)


def test_pictures_may_be_answered_in_any_order():
    text = ('{"pictures": [{"number": 2, "gait": "lies", "confidence": 0.5}, '
            '{"number": 1, "gait": "falls", "confidence": 0.5}]}')
    assert [sight.gait for sight in answer_of(text, 2)] == ["falls", "lies"]
