"""A flipped bit in an event is noticed wherever the event is read, even where it leaves the event readable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.released import life
from vbotd.domain import event as e
from vbotd.errors import StoreDamaged, StoreError
from vbotd.layout import Layout
from vbotd.store.backup import back_up, flaw, restore
from vbotd.store.checksum import checksum_of, flaw_of_events, is_whole
from vbotd.store.events import EventStore
from vbotd.store.read import Reader

CLOSED, OPEN = "flat-night-1123", "open-1123"
ROW = (7, 1_795_467_600.5, "NoteAdded", 1, "night", "", "", '{"campaign":"night","text":"über"}')


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.make()
    with closing(EventStore(made.store)) as store:
        for at, events in life():
            store.commit(events, at)
    return made


def behind_the_triggers(path: Path, change: Callable[[sqlite3.Connection], Any]) -> None:
    """Change a store as a failing disk would: nothing but the rows differs, and SQLite finds it sound."""
    with closing(sqlite3.connect(path)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        change(db)
        for _, sql in triggers:
            db.execute(sql)
        db.commit()
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def lie(path: Path, campaign: str) -> None:
    """Let the first admission of a campaign name another number: it stays an event that can be read."""
    def change(db: sqlite3.Connection) -> None:
        changed = db.execute(
            "UPDATE event SET data = replace(data, '\"number\":1,', '\"number\":3,') WHERE campaign = ? AND "
            "kind = 'TrialAdmitted' AND data LIKE '%\"number\":1,%'", (campaign,)).rowcount
        assert changed == 1
    behind_the_triggers(path, change)


def test_the_events_of_what_goes_on_are_checked_when_the_store_is_opened(layout: Layout) -> None:
    lie(layout.store, OPEN)
    before = layout.store.read_bytes()
    with pytest.raises(StoreDamaged, match=r"event \d+ \(TrialAdmitted\) is not what was written.*doctor --restore"):
        EventStore(layout.store)
    assert layout.store.read_bytes() == before


def test_an_old_event_that_was_changed_is_told_to_nobody(layout: Layout) -> None:
    lie(layout.store, CLOSED)
    with closing(EventStore(layout.store)) as store, pytest.raises(StoreDamaged, match="checksum"):
        store.rebuild()
    with Reader(layout.store) as reader:
        assert reader.events(campaign=OPEN), "what is whole is told"
        for ask in (reader.events, reader.last_events):
            with pytest.raises(StoreDamaged, match="checksum"):
                ask(campaign=CLOSED, limit=1_000)


def test_a_store_with_a_changed_event_becomes_no_backup_and_is_restored_from_one(layout: Layout) -> None:
    sound = back_up(layout, 1_700_000_000.0)
    lie(layout.store, CLOSED)
    assert "TrialAdmitted" in flaw(layout.store)
    with pytest.raises(StoreError, match="the copy is not sound: event"):
        back_up(layout, 1_700_003_600.0)
    assert restore(layout)[0] == sound and flaw(layout.store) == ""


def test_an_event_that_is_missing_is_noticed(layout: Layout) -> None:
    behind_the_triggers(layout.store, lambda db: db.execute("DELETE FROM event WHERE seq = 5"))
    assert flaw(layout.store) == "event 5 is missing"


def test_a_page_of_events_is_followed_by_the_next(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vbotd.store.checksum.A_PAGE", 10)
    with closing(sqlite3.connect(layout.store)) as db:
        assert flaw_of_events(db) == ""
    with closing(EventStore(layout.store)) as store:
        last = store.commit([e.NoteAdded(campaign=CLOSED, text="late")], 2.0e9)[0].seq
    behind_the_triggers(layout.store, lambda db: db.execute("UPDATE event SET at = at + 1 WHERE seq = ?", (last,)))
    with closing(sqlite3.connect(layout.store)) as db:
        assert flaw_of_events(db).startswith(f"event {last} (NoteAdded)")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_value_of_a_row_has_the_same_sum(data: st.DataObject) -> None:
    whole = (*ROW, checksum_of(*ROW))
    place = data.draw(st.integers(0, len(ROW) - 1))
    value = whole[place]
    other = data.draw({int: st.integers(0, 2**40), float: st.floats(0.0, 4e9), str: st.text(max_size=60)}[type(value)])
    assert is_whole(whole)
    assert is_whole((*whole[:place], other, *whole[place + 1:])) == (repr(other) == repr(value))
