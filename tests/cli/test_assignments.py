"""`key=value` on a command line means what it means in a campaign file."""

from __future__ import annotations

import click
import pytest

from vbotd.cli.assignments import parse_assignments


@pytest.mark.parametrize(("text", "value"), [
    ("k=1", 1), ("k=1e-4", 1e-4), ("k=-0.5", -0.5), ("k=true", True), ("k=no", "no"), ("k=adaptive", "adaptive"),
    ("k=[2, 5]", (2, 5)), ("k=[128,64,32]", (128, 64, 32)), ("k= 3 ", 3), ("k=a=b", "a=b"),
])
def test_a_value_is_read_as_yaml_would(text: str, value: object):
    assert parse_assignments([text]) == {"k": value}
    assert type(parse_assignments([text])["k"]) is type(value)


@pytest.mark.parametrize("texts", [
    ["k"], ["=1"], ["k="], ["k=.nan"], ["k=007"], ["k=[a]"], ["k=[true]"], ["k=1", "k=1"],
])
def test_what_is_no_setting_is_wrong_usage(texts: list[str]):
    with pytest.raises(click.UsageError):
        parse_assignments(texts)
