"""Which files are taken from the drop folder, and when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.given import content
from vbotd.core.sighting import CommandSeen, FileSeen
from vbotd.daemon.intake import Inbox
from vbotd.domain.finding import Problem
from vbotd.layout import Layout
from vbotd.store.events import EventStore

GOOD = b"name: good\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.make()
    return made


@pytest.fixture
def inbox(layout: Layout) -> Iterator[Inbox]:
    store = EventStore(layout.store)
    yield Inbox(layout, store)
    store.close()


def parse(data: bytes) -> object:
    return content("good") if data == GOOD else (Problem(line=1, column=1, where="", message="not good"),)


def looks(inbox: Inbox, times: int = 2) -> list[FileSeen]:
    """Look several times; a file is taken at the second look that finds it unchanged."""
    found: list[FileSeen] = []
    for _ in range(times):
        found = list(inbox.files(parse))  # type: ignore[arg-type]
    return found


def test_a_file_is_taken_when_it_was_the_same_twice(layout: Layout, inbox: Inbox) -> None:
    (layout.inbox / "a.yaml").write_bytes(GOOD)
    assert looks(inbox, 1) == []
    seen, = looks(inbox, 1)
    assert seen.content is not None and seen.text == GOOD.decode()


def test_a_file_that_is_being_written_is_never_decided(layout: Layout, inbox: Inbox) -> None:
    with open(layout.inbox / "a.yaml", "wb") as file:
        for byte in GOOD[:-1]:
            file.write(bytes([byte]))
            file.flush()
            assert looks(inbox, 3) == [], "its writer has not closed it"
        file.write(GOOD[-1:])
    seen, = looks(inbox)
    assert seen.content is not None


def test_hidden_and_other_files_are_left_alone(layout: Layout, inbox: Inbox) -> None:
    for name in (".a.yaml", "~a.yaml", "#a.yaml#", "notes.txt", "a.yaml.tmp"):
        (layout.inbox / name).write_bytes(GOOD)
    assert looks(inbox) == [] and inbox.is_empty()


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "folder", "huge"])
def test_what_is_no_small_regular_file_is_refused_at_once_and_moved_aside(
        layout: Layout, inbox: Inbox, kind: str) -> None:
    path, secret = layout.inbox / "a.yaml", layout.home / "secret"
    secret.write_bytes(GOOD)
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "dangling":
        path.symlink_to(layout.home / "nothing")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    seen, = looks(inbox)
    assert seen.content is None and len(seen.problems) == 1 and seen.text == ""
    inbox.put_away(seen, None)
    assert inbox.is_empty() and secret.read_bytes() == GOOD
    assert "refused" in (layout.rejected / "a.yaml.why.md").read_text()


def test_a_refused_file_never_replaces_an_earlier_one(layout: Layout, inbox: Inbox) -> None:
    for text in ("one", "two"):
        (layout.inbox / "a.yaml").write_text(text)
        seen, = looks(inbox)
        inbox.put_away(seen, None)
    assert {path.read_text() for path in layout.rejected.glob("*.yaml")} == {"one", "two"}


def test_an_accepted_file_moves_into_its_campaign_and_a_copy_is_dropped(layout: Layout, inbox: Inbox) -> None:
    for _ in range(2):
        (layout.inbox / "a.yaml").write_bytes(GOOD)
        seen, = looks(inbox)
        inbox.put_away(seen, "good-1123")
    assert (layout.campaign("good-1123") / "campaign.yaml").read_bytes() == GOOD and inbox.is_empty()


def test_commands_are_read_and_nonsense_is_put_aside(layout: Layout, inbox: Inbox) -> None:
    (layout.commands / "k1.json").write_text('{"key": "k1", "verb": "pause", "args": {"id": "c"}, "principal": "ada"}')
    for number, bad in enumerate(('{"key": 1}', "not json", '{"key":"k","verb":"x","args":[],"principal":"p"}', "[]")):
        (layout.commands / f"bad{number}.json").write_text(bad)
    list(inbox.commands())
    found = list(inbox.commands())
    assert [item for item in found if isinstance(item, CommandSeen)] == [
        CommandSeen(key="k1", verb="pause", args={"id": "c"}, principal="ada")]
    for path in [item for item in found if isinstance(item, Path)]:
        inbox.forget_command(path)
    inbox.forget_command("k1")
    assert inbox.is_empty() and len(list(layout.rejected.iterdir())) == 4
