"""One question to a model: the real client against a real server on this machine."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from vbotd.agent.ask import MAX_ANSWER, Endpoint, ModelError, ask, endpoint_of, plain
from vbotd.core.config import ConfigError, ModelConfig, parse_config

KEY = "sk-very-secret"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "sheet.png"
    Image.new("RGB", (3000, 300), (10, 200, 30)).save(path)
    return path


def endpoint(chat, **changes) -> Endpoint:
    return Endpoint(**{"url": chat.url, "model": "eyes-1", "key": KEY, "timeout_s": 10.0} | changes)


def test_a_good_answer_is_an_opinion_with_a_label(chat, picture):
    opinion = ask(endpoint(chat), "Does it limp?", [picture])
    assert opinion.text == "It trots."
    assert opinion.label == "opinion of the model 'eyes-1', not a measurement"
    (asked,) = chat.asked
    assert (asked["path"], asked["model"], chat.keys) == ("/v1/chat/completions", "eyes-1", [f"Bearer {KEY}"])
    text, image = asked["messages"][1]["content"]
    assert text["text"] == "Does it limp?"
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert (sent.format, sent.size) == ("JPEG", (2048, 205))


def test_an_answer_is_stripped_of_what_a_terminal_obeys_and_cut_to_size(chat, picture, reply_with):
    chat.reply = reply_with(f"\x1b[2Jred\x07 \u202ehidden\u200b {KEY}\r\n\n\n\nend" + "x" * 9000)
    text = ask(endpoint(chat), "?", [picture]).text
    assert text.startswith("[2Jred hidden [key]\n\nend")
    assert len(text) <= MAX_ANSWER
    assert text.endswith(" …")


@pytest.mark.parametrize("body", [b"<html>no</html>", b"{}", b'{"choices": []}', b'{"choices": [5]}', b"[" * 100_000,
                                  b"\xff"])
def test_garbage_is_told_as_such(chat, picture, body):
    chat.reply = 200, body
    with pytest.raises(ModelError, match=r"no chat completion .* check model.endpoint"):
        ask(endpoint(chat), "?", [picture], retries=0)


@pytest.mark.parametrize("content", [None, "", "\x07", 5])
def test_an_answer_without_text_is_none(chat, picture, reply_with, content):
    chat.reply = reply_with(content)
    with pytest.raises(ModelError, match="without any text"):
        ask(endpoint(chat), "?", [picture], retries=0)


@pytest.mark.parametrize(("status", "remedy"), [(429, "too many requests"), (401, "check the key"), (404, "model.name"),
                                                (500, "ask later")])
def test_a_refusal_says_what_to_do_and_never_the_key(chat, picture, status, remedy):
    chat.reply = status, json.dumps({"error": {"message": f"bad key {KEY}\x1b[2J"}}).encode()
    with pytest.raises(ModelError, match=f"HTTP {status}: bad key .key..2J — .*{remedy}") as caught:
        ask(endpoint(chat), "?", [picture], retries=0)
    assert KEY not in str(caught.value)


def test_a_server_that_trickles_is_given_up(chat, picture):
    chat.hold = True
    with pytest.raises(ModelError, match=r"no answer from .* within 0.3 s"):
        ask(endpoint(chat, timeout_s=0.3), "?", [picture], retries=0)


def test_an_answer_without_end_is_given_up(chat, picture):
    chat.reply = 200, b" " * (3 << 20)
    with pytest.raises(ModelError, match="more than 1,048,576 bytes"):
        ask(endpoint(chat), "?", [picture], retries=0)


def test_a_server_that_is_not_there_is_named(chat, picture):
    there = endpoint(chat)
    chat.close()
    with pytest.raises(ModelError, match=r"cannot be reached .* check model.endpoint"):
        ask(there, "?", [picture], retries=0)


def test_what_is_no_picture_never_leaves_the_machine(chat, tmp_path):
    (tmp_path / "notes.png").write_text("private")
    with pytest.raises(ModelError, match=r"notes\.png is no picture"):
        ask(endpoint(chat), "?", [tmp_path / "notes.png"])
    assert chat.asked == []


@pytest.mark.parametrize(("question", "pictures", "message"), [
    ("", 1, "0 characters"), ("x" * 2001, 1, "2,001 characters"), ("?", 0, "0 pictures"), ("?", 5, "5 pictures")])
def test_sizes_are_bounded_before_anything_is_sent(chat, picture, question, pictures, message):
    with pytest.raises(ModelError, match=message):
        ask(endpoint(chat), question, [picture] * pictures)
    assert chat.asked == []


def test_the_endpoint_comes_from_the_configuration_and_its_key_from_the_environment():
    config = parse_config(b"model: {endpoint: 'https://host.test/v1', name: eyes, key_env: EYES_KEY}").model
    found = endpoint_of(config, {"EYES_KEY": KEY})
    assert (found.url, found.model, found.key) == ("https://host.test/v1", "eyes", KEY)
    assert KEY not in repr(found)
    with pytest.raises(ModelError, match="environment variable EYES_KEY is not set"):
        endpoint_of(config, {})
    with pytest.raises(ModelError, match=r"no model is configured — write into vbotd\.yaml: model:"):
        endpoint_of(None)
    local = ModelConfig(endpoint="http://127.0.0.1:8000/v1", name="local")
    assert endpoint_of(local, {}).key == ""


def test_a_wrong_configuration_is_told_with_its_place_and_what_is_allowed():
    with pytest.raises(ConfigError, match=r"vbotd.yaml:2:3: model.key: Extra .* allowed keys: endpoint, name, key_env"):
        parse_config(b"model:\n  key: sk-1\n  endpoint: https://h/v1\n  name: m\n")
    with pytest.raises(ConfigError, match=r"model\.name: Field required"):
        parse_config(b"model: {endpoint: 'https://h/v1'}")


def test_plain_text_keeps_its_lines():
    assert plain("a\n\n\n\nb\tc\x00", 100) == "a\n\nb c"
