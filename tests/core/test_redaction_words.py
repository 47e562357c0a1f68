"""What looks like a key is found in whatever letters its name is written, though most texts are not searched for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vbotd.core import redaction
from vbotd.core.redaction import SHORT, redact_text

# With letters that only folding makes those of a name: the long s, the dotless i, the Kelvin sign.
WORDS = ("api_key", "token", "seCret", "PASSWD", "passphrase", "authorization", "Author\u0131zation", "\u017fecret",
         "Bearer", "ba\u017fic", "BAS\u0130C", "basic", "private-Key", "to\u212aen", "https://", "sk-", "user", "=",
         ": ", " ", "@", "//", "abc123defghijklmnop", "hunter2hunter2", "\n")


def in_full(text: str) -> str:
    """Return what all four expressions make of a text."""
    text = redaction._LOOKS.sub(redaction.MASK, text)
    text = redaction._BEARER.sub(rf"\1 {redaction.MASK}", text)
    text = redaction._NAMED.sub(rf"\1\2{redaction.MASK}", text)
    return redaction._USERINFO.sub(rf"\1{redaction.MASK}@", text)


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=40))
def test_nothing_is_missed(parts: list[str]) -> None:
    text = "".join(parts)
    assert redact_text(text) == in_full(text)


def test_a_short_text_is_redacted_with_the_secrets_of_now_not_with_those_of_before() -> None:
    text = "the word is swordfish"
    assert redact_text(text) == text
    assert redact_text(text, ["swordfish"]) == "the word is [redacted]"
    assert redact_text(text) == text and redact_text(text * SHORT, ["swordfish"]).count("[redacted]") == SHORT
