"""The guard: hostile bytes end in problems with a place, plain bytes in a tree with places."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core import yaml_guard
from vbotd.core.yaml_guard import MAX_BYTES, UNSEEN, dotted, read_tree
from vbotd.core.yaml_scalar import BadScalar, plain_scalar

BOMB = b"a: &a [x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (c, c, c - 1, c - 1) for c in range(98, 120))
HOSTILE = {
    "alias bomb": (BOMB, "anchor"),
    "merge bomb": (b"a: &a {x: 1}\n" + b"b: {<<: [*a, *a]}\n" * 50, "merge"),
    "open brackets": (b"[" * 100_000, "nested deeper"),
    "open braces": (b"{" * 100_000, "nested deeper"),
    "open brackets on lines": (b"[\n" * 100_000, "nested deeper"),
    "nested items": (b"- " * 100_000, "nested deeper"),
    "nested questions": (b"? " * 100_000, "nested deeper"),
    "100 MB": (b"a: " + b"x" * 100_000_000, "bytes"),
    "many parts": (b"[" + b"a," * 30_000 + b"]", "parts"),
    "python tag": (b"a: !!python/object/apply:os.system ['true']\n", "tag"),
    "binary tag": (b"a: !!binary aGk=\n", "tag"),
    "set tag": (b"!!set {a, b}\n", "tag"),
    "own tag": (b"a: !thing 1\n", "tag"),
    "tag directive": (b"%TAG ! tag:x,2000:\n---\na: 1\n", "directive"),
    "nan": (b"a: .nan\n", "not a number"),
    "minus infinity": (b"a: -.inf\n", "not a number"),
    "beyond a double": (b"a: 1e400\n", "too large"),
    "long integer": (b"a: " + b"9" * 5001, "too large"),
    "64 bits and one": (b"a: 9223372036854775808\n", "too large"),
    "leading zero": (b"a: 007\n", "zero"),
    "other base": (b"a: 0x1F\n", "base"),
    "duplicate": (b"a: 1\nb: 2\na: 3\n", "given twice"),
    "two documents": (b"a: 1\n---\na: 2\n", "second document"),
    "empty": (b"", "empty"),
    "only a comment": (b"# nothing\n", "empty"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "UTF-16"),
    "latin 1": ("a: \u00e9".encode("latin-1"), "not UTF-8"),
    "NUL": (b"a: \x00\n", "U+0000"),
    "escape": (b"a: \x1b[31m\n", "U+001B"),
    "bidi": ("a: \u202etxt\n".encode(), "U+202E"),
    "zero width": ("na\u200bme: 1\n".encode(), "U+200B"),
    "bidi by escape": (b'a: "\\u202e"\n', "U+202E"),
    "zero width key by escape": (b'"a\\u200b": 1\n', "U+200B"),
    "list as a key": (b"? [a]\n: 1\n", "key"),
    "tab": (b"a:\n\tb: 1\n", "not YAML"),
    "unclosed": (b"a: [1, 2\n", "not YAML"),
    "escape beyond Unicode": (b'a: "\\UFFFFFFFF"\n', "YAML"),
    "version beyond int": (b"%YAML " + b"9" * 5000 + b".1\n---\na: 1\n", "YAML"),
}


@pytest.mark.parametrize("use_c", [True, False], ids=["c", "pure"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_place(name, use_c):
    data, word = HOSTILE[name]
    before = time.perf_counter()
    tree = read_tree(data, use_c=use_c)
    assert time.perf_counter() - before < 5
    assert any(word in problem.message for problem in tree.problems), tree.problems
    for problem in tree.problems:
        assert problem.line >= 1 and problem.column >= 1 and problem.fix
        assert len(problem.render("f")) < 400


def test_places_are_those_of_the_file():
    tree = read_tree(b"\xef\xbb\xbfname: x\nbudget:\n  hours: 8\nlist:\n  - a\n  - {b: 1}\n")
    assert tree.problems == () and tree.complete
    assert tree.value == {"name": "x", "budget": {"hours": 8}, "list": ["a", {"b": 1}]}
    assert tree.keys[("name",)] == (1, 1)
    assert tree.values[("budget", "hours")] == (3, 10)
    assert tree.keys[("list", 1, "b")] == (6, 6)


def test_both_parsers_find_the_same_in_what_they_accept():
    for text in (
        b"a: [1, {b: c}]\n",
        b"a:\n- b\n-\n",
        b"{a: 1, a: 2}\n",
        b"x: &y z\n",
        b"\xf0\x9f\x98\x80: 1e-4\nb: .nan\n",
    ):
        assert read_tree(text, use_c=True) == read_tree(text, use_c=False)


def test_all_problems_are_noted_and_the_first_of_two_keys_stays():
    tree = read_tree(b"a: .nan\nb: *x\na: {c: .inf}\nd: 1\n")
    assert [(p.line, p.column) for p in tree.problems] == [(1, 4), (2, 4), (3, 1), (3, 8)]
    assert tree.value == {"a": None, "b": None, "d": 1}
    assert tree.broken >= {("a",), ("b",)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("400e6", 400e6),
        ("1.0e-5", 1e-5),
        (".5", 0.5),
        ("+3", 3),
        ("-7", -7),
        ("0", 0),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("1_000", "1_000"),
        ("2026-11-24", "2026-11-24"),
        ("=", "="),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1e", "1e"),
        ("\u0661", "\u0661"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text, value):
    assert plain_scalar(text) == value and type(plain_scalar(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["007", "-01", "9" * 20, "9" * 100_000, "1e400", "1" * 500 + ".0", ".NaN", "-.Inf", "0o17"]
)
def test_a_number_that_could_be_misread_is_refused(text):
    with pytest.raises(BadScalar):
        plain_scalar(text)


def test_quoted_text_stays_text():
    assert read_tree(b"a: \"1e-4\"\nb: 'true'\nc: |\n  7\n").value == {"a": "1e-4", "b": "true", "c": "7\n"}


def test_every_format_character_of_unicode_is_unseen():
    formats = (
        chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cf", "Cc", "Cs", "Zl", "Zp")
    )
    assert [char for char in formats if UNSEEN.match(char) is None] == ["\t", "\n", "\r"]


def test_a_condition_without_quotes_gets_the_hint():
    for text in (b"gate:\n  eval/success_rate: >= 0.9\n", b"gate: {eval/success_rate: >= 0.9}\n"):
        (problem,) = read_tree(text).problems
        assert '">= 0.95"' in problem.fix and problem.line in (1, 2)


def test_a_whole_mebibyte_is_looked_at_quickly():
    for unit in (b"a ", b"a\n", b"\n", b"# ", b"'", b"!", b"[,", b"a: ", b"|\n a\n"):
        before = time.perf_counter()
        read_tree(unit * (MAX_BYTES // len(unit)))
        assert time.perf_counter() - before < 2


def test_a_path_is_shown_on_one_line():
    assert dotted(("stages", 0, "gate", "eval/x")) == "stages[0].gate.eval/x"
    assert dotted(("a\nb",)) == "'a\\nb'"


@given(st.binary(max_size=200))
def test_no_bytes_raise(data):
    for use_c in (True, False):
        yaml_guard.read_tree(data, use_c=use_c)


@given(st.text(alphabet="ab:-[]{}&*!?|>'\"%#, \n\t0.e<~@`\\", max_size=60))
def test_no_text_of_yaml_signs_raises(text):
    for use_c in (True, False):
        yaml_guard.read_tree(text.encode(), use_c=use_c)
