"""Is this file plain data? The guard that stands between the bytes of a dropped file and everything else.

It reads PyYAML's events and builds the tree itself, so that nothing is composed before it was looked at: an alias
bomb, a merge bomb or 100,000 open brackets end at the first event that is not allowed. The C event parser is safe
on these (it keeps its state in a list, and looks at most 1,024 characters ahead); its composer is not (it recurses
and kills the process), and is never called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from vbotd.core.yaml_scalar import BadScalar, plain_scalar, quoted
from vbotd.domain.finding import Problem

MAX_BYTES = 1 << 20
MAX_EVENTS = 20_000
MAX_DEPTH = 32

Path = tuple[str | int, ...]
Place = tuple[int, int]

# Control characters but tab and line ends; format characters (bidi, zero-width, soft hyphen, tags); separators that
# some readers take for line ends; surrogates. They hide what a file says from the person who reviews it.
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
# Inside a node that is read only to go on looking for problems; no key of a file is a negative number.
_SECOND = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a file holds, and where (line and column, from 1) every key and every value of it stands.

    `broken` are the paths whose value was refused (it is None in `value`). Where `complete` is False reading had
    to stop, and `value` is nothing to go by.
    """

    value: Any = None
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    problems: tuple[Problem, ...] = ()
    broken: frozenset[Path] = frozenset()
    complete: bool = True


def dotted(path: Path) -> str:
    """Return a path as a person writes it: `stages[0].gate`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[\w./-]{1,60}", part) else quoted(part)
            text += f".{name}" if text else name
    return text


def read_tree(data: bytes, *, use_c: bool = True) -> Tree:
    """Return the plain tree of a YAML file, with every problem that the guard found. Never raises.

    Args:
        data: the bytes of the file.
        use_c: take the C event parser where PyYAML has it (1 MiB in 25 ms, against 4 s).
    """
    text = _decoded(data)
    if isinstance(text, Problem):
        return Tree(keys={}, values={}, problems=(text,), complete=False)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if use_c else yaml.SafeLoader
    reader = _Reader(text, loader)
    value = None
    try:
        value = reader.document()
    except _Stop:
        pass
    except yaml.YAMLError as err:
        reader.complain_of_syntax(err)
    except Exception as err:  # the pure scanner lets an OverflowError of chr() and a ValueError of int() through
        reader.stop_at(reader.place, f"cannot be read as YAML ({type(err).__name__})", "look at what stands here")
    return Tree(value=value, keys=reader.keys, values=reader.values, problems=tuple(reader.problems),
                broken=frozenset(reader.broken), complete=not reader.stopped)


def _decoded(data: bytes) -> str | Problem:
    """Return the text of a file, or the first reason why it is none."""
    if len(data) > MAX_BYTES:
        return Problem(line=1, column=1, where="", message=f"the file has {len(data)} bytes — allowed: {MAX_BYTES}",
                       fix="a campaign is a page of text; take out what is not")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(line=1, column=1, where="", message="the file is UTF-16 — allowed: UTF-8",
                       fix="save it as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as err:
        line, column = _place_in(data[:err.start].decode("utf-8", "replace"))
        return Problem(line=line, column=column, where="", fix="save the file as UTF-8",
                       message=f"byte {err.start} (0x{data[err.start]:02x}) is not UTF-8 — allowed: UTF-8")
    text = text.removeprefix("\ufeff")
    unseen = UNSEEN.search(text)
    if unseen is None:
        return text
    line, column = _place_in(text[:unseen.start()])
    return Problem(line=line, column=column, where="", fix="delete it",
                   message=f"the invisible character U+{ord(unseen[0]):04X} — allowed: characters that can be seen")


def _place_in(before: str) -> Place:
    """Return line and column of the character after `before`."""
    lines = re.split(r"\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1


class _Stop(Exception):
    """Nothing that follows in the file can be trusted; the problem is already noted."""


class _Reader:
    """Builds the tree from the events of one file, and notes what is not allowed on the way."""

    def __init__(self, text: str, loader: Any) -> None:
        self.lines = text.splitlines() or [""]
        self.parser = loader(text)
        self.place: Place = (1, 1)
        self.num_events = 0
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.broken: set[Path] = set()
        self.stopped = False

    def document(self) -> Any:
        """Return the content of the only document."""
        self._next()
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            self.stop_at((1, 1), "the file is empty — allowed: a mapping", "start with 'vbotd new'")
            raise _Stop
        if start.version or start.tags:
            self._note((), "a '%' directive is not allowed — allowed: plain YAML", "delete the line")
        value = self._node(self._next(), (), 0)
        self._next()
        if not isinstance(self._next(), yaml.StreamEndEvent):
            self.stop_at(self.place, "a second document starts here — allowed: one document in a file",
                         "put it into a file of its own")
            raise _Stop
        return value

    def complain_of_syntax(self, err: yaml.YAMLError) -> None:
        """Note an error of the parser, with a hint where the usual reason is known."""
        mark = getattr(err, "problem_mark", None) or getattr(err, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else self.place
        shown = "\n".join(self.lines[max(0, line - 2):line])
        what = getattr(err, "problem", None) or getattr(err, "reason", None) or type(err).__name__
        if "nesting depth" in what:  # the C parser of PyYAML >= 6.0.4 has a limit of its own, above ours
            self.complain_of_depth((line, column))
            return
        self.stop_at((line, column), f"this is not YAML ({what}) — allowed: YAML 1.2", _syntax_hint(shown))

    def complain_of_depth(self, place: Place) -> None:
        """Note that the file is nested too deep."""
        self.stop_at(place, f"nested deeper than {MAX_DEPTH} levels — allowed: {MAX_DEPTH}",
                     "close the brackets that are open")

    def stop_at(self, place: Place, message: str, fix: str) -> None:
        """Note a problem after which the rest of the file is not looked at."""
        self.problems.append(Problem(line=place[0], column=place[1], where="", message=message, fix=fix))
        self.stopped = True

    def _next(self) -> Any:
        event = self.parser.get_event()
        self.place = (event.start_mark.line + 1, event.start_mark.column + 1)
        self.num_events += 1
        if self.num_events > MAX_EVENTS:
            self.stop_at(self.place, f"the file has more than {MAX_EVENTS} parts — allowed: {MAX_EVENTS}",
                         "a campaign is a page of text; take out what is not")
            raise _Stop
        return event

    def _note(self, path: Path, message: str, fix: str) -> None:
        self.problems.append(Problem(line=self.place[0], column=self.place[1], where=dotted(_visible(path)),
                                     message=message, fix=fix))

    def _node(self, event: Any, path: Path, depth: int) -> Any:
        """Return the value that starts with this event, None where it was refused."""
        self.values[path] = self.place
        if isinstance(event, yaml.AliasEvent):
            self._note(path, f"the alias {quoted(f'*{event.anchor}')} is not allowed — allowed: plain values",
                       "write the value out")
            self.broken.add(path)
            return None
        if event.anchor is not None:
            self._note(path, f"the anchor {quoted('&' + event.anchor)} is not allowed — allowed: plain values",
                       "delete it, and write the value out where it is used")
        if event.tag is not None:
            self._note(path, f"the tag {quoted(event.tag)} is not allowed — allowed: plain values", "delete the tag")
            if isinstance(event, yaml.ScalarEvent):
                self.broken.add(path)
                return None
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if depth == MAX_DEPTH:
            self.complain_of_depth(self.place)
            raise _Stop
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(path, depth + 1))
        return self._mapping(path, depth + 1)

    def _scalar(self, event: Any, path: Path) -> Any:
        unseen = UNSEEN.search(event.value)
        if unseen is not None:
            self._note(path, f"the text holds the invisible character U+{ord(unseen[0]):04X}"
                             " — allowed: characters that can be seen", "delete its escape")
            self.broken.add(path)
            return None
        if not event.implicit[0]:
            return event.value
        try:
            return plain_scalar(event.value)
        except BadScalar as err:
            self._note(path, err.message, err.fix)
            self.broken.add(path)
            return None

    def _items(self, path: Path, depth: int) -> Iterator[Any]:
        index = 0
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self.keys[(*path, index)] = self.place
            yield self._node(event, (*path, index), depth)
            index += 1

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, path, depth)
            if key is not None and key in found:
                self._note((*path, key), "the key is given twice "
                           f"(first in line {self.keys[(*path, key)][0]}) — allowed: once", "delete one of the two")
            if key is None or key in found:
                self._node(self._next(), (*path, _SECOND) if key is None else (*path, key, _SECOND), depth)
                continue
            self.keys[(*path, key)] = self.place
            found[key] = self._node(self._next(), (*path, key), depth)
            if found[key] is None and (*path, key) not in self.broken:
                # An absent value has no place of its own: the parser puts it at the end of whatever comes before.
                self.values[(*path, key)] = self.keys[(*path, key)]
        return found

    def _key(self, event: Any, path: Path, depth: int) -> str | None:
        """Return the text of a key; None where it was refused."""
        place = self.place
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, (*path, _SECOND), depth)
            self.place = place
            self._note((*path, _SECOND), "a key is not plain text — allowed: one word", "write a word before the ':'")
            return None
        key = event.value
        if event.anchor is not None or event.tag is not None:
            self._node(event, (*path, _SECOND), depth)
            return None
        if UNSEEN.search(key):
            self._scalar(event, (*path, _SECOND))
            return None
        if key == "<<" or not key:
            what = "the merge key '<<' is not allowed" if key else "a key is empty"
            self._note((*path, key), f"{what} — allowed: one word", "write the keys out")
            return None
        return key


def _visible(path: Path) -> Path:
    """Return a path without the markers of what was read only in passing."""
    return tuple(part for part in path if part != _SECOND)


def _syntax_hint(lines: str) -> str:
    """Return what to do about a line that the parser could not read, given it and the one above."""
    if re.search(r"[:{,]\s*>\s*=?\s*[-+.0-9]", lines):
        return 'put the condition in quotes: ">= 0.95"'
    if "\t" in lines:
        return "indent with spaces, not with tabs"
    if re.search(r":\s*[@`%]", lines):
        return "put the value in quotes"
    if re.search(r"^[ -]*[\w.-]+:[^\s:]", lines, re.MULTILINE):
        return "put a space after the ':'"
    return "look at the indentation, the brackets and the quotes of this line and the one above"
