"""The event store: what is committed stays, rebuilt equals stored, damage is refused and never overwritten."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.given import NOW, content, ended, seen_file
from tests.core.given import circumstances as circumstances_of
from vbotd.core.codec import KINDS, decode, encode
from vbotd.core.decide import decide
from vbotd.core.sighting import CommandSeen, RunSeen
from vbotd.domain import event as e
from vbotd.errors import StoreError
from vbotd.store.events import EventStore
from vbotd.store.read import Reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vbotd.db"


def live_a_little(store: EventStore, choices: list[int]) -> None:
    """Drive a store through a random life, as the daemon would."""
    circumstances = circumstances_of()
    for number, choice in enumerate(choices):
        live = [run for run in store.state.runs.values() if run.is_live]
        open_campaigns = list(store.state.campaigns)
        seen: list[object] = []
        if choice == 0 or not (live or open_campaigns):
            seen = [seen_file(content(f"c{number}", trials=1 + number % 3))]
        elif choice == 1 and live:
            seen = [ended(live[0].id, value=0.5 + number / 100)]
        elif choice == 2 and live:
            seen = [RunSeen(run=live[-1].id, claim="shim", alive=False, swept=True)]
        elif choice == 3 and live:
            seen = [ended(live[0].id, code=1, result=None)]
        elif open_campaigns:
            verb = ("pause", "resume", "cancel", "note")[choice % 4]
            args = {"id": open_campaigns[0], "text": "x"}
            seen = [CommandSeen(key=f"k{number}", verb=verb, args=args, principal="p")]
        store.commit(decide(store.state, seen, circumstances), NOW + number)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=25))
def test_rebuilt_equals_stored_and_a_restart_sees_the_same_state(choices: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = EventStore(Path(folder) / "vbotd.db")
        live_a_little(store, choices)
        before = store.state
        store.close()
        again = EventStore(Path(folder) / "vbotd.db")
        assert (again.state.campaigns, again.state.trials) == (before.campaigns, before.trials)
        assert again.state.runs == before.runs
        assert again.rebuild() == ()
        again.close()


def test_events_are_never_changed_or_deleted(path: Path) -> None:
    store = EventStore(path)
    store.commit([e.NoteAdded(campaign="c", text="x")], NOW)
    store.close()
    db = sqlite3.connect(path)
    for statement in ("UPDATE event SET at = 0", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            db.execute(statement)
    db.close()


def test_a_commit_is_all_or_nothing(path: Path) -> None:
    store = EventStore(path)
    command = e.CommandAccepted(key="k", verb="note", args={}, principal="p", answer="")
    store.commit([command], NOW)
    state = store.state
    with pytest.raises(StoreError, match="nothing of it was kept"):
        store.commit([e.CampaignAccepted(campaign="c", content=content(), sha256="s", file="f", text=""), command], NOW)
    assert store.state == state and len(list(store.events())) == 1
    store.commit([e.NoteAdded(campaign="c", text="the store goes on")], NOW)
    store.close()


def test_a_second_live_run_of_a_trial_is_impossible(path: Path) -> None:
    store = EventStore(path)
    events = decide(store.state, [seen_file(content(trials=1))], circumstances_of())
    store.commit(events, NOW)
    twin = e.RunQueued(campaign="night-1123", trial="night-1123/t001", run="night-1123/t001/train-s1-a2", kind="train",
                       seed=1, attempt=2, spec={})
    launch = e.RunLaunched(campaign="night-1123", trial="night-1123/t001", run=twin.run, token="other", threads=1,
                           launch=1)
    with pytest.raises(StoreError, match="UNIQUE"):
        store.commit([twin, launch], NOW)
    store.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped", "foreign", "newer"])
def test_a_store_that_cannot_be_trusted_is_refused_and_left_as_it_is(path: Path, damage: str) -> None:
    store = EventStore(path)
    live_a_little(store, [0, 1, 0, 1, 1, 3, 0, 1, 1])
    store.close()
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data = bytearray(b"not a database at all" * 100)
    elif damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[4096:8192] = bytes(255 - byte for byte in data[4096:8192])
    elif damage == "foreign":
        path.unlink()
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE mine (x)")
        db.commit()
        db.close()
        data = bytearray(path.read_bytes())
    else:
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version=99")
        db.commit()
        db.close()
        data = bytearray(path.read_bytes())
    path.write_bytes(data)
    with pytest.raises(StoreError, match="nothing was changed"):
        EventStore(path)
    assert path.read_bytes() == bytes(data)


def test_a_reader_is_told_that_there_is_no_store_yet(path: Path) -> None:
    with pytest.raises(StoreError, match="vbotd run"):
        Reader(path)
    path.touch()
    with pytest.raises(StoreError, match="empty"):
        Reader(path)


def test_a_reader_sees_what_was_committed_and_finds_by_place_and_kind(path: Path) -> None:
    store = EventStore(path)
    live_a_little(store, [0, 1, 1, 1, 1, 1])
    with Reader(path) as reader:
        everything = reader.events()
        assert [stored.seq for stored in everything] == list(range(1, len(everything) + 1))
        assert reader.events(after=everything[2].seq)[0] == everything[3]
        assert {type(stored.event) for stored in reader.events(kinds=["RunEnded"])} == {e.RunEnded}
        assert reader.last_events(limit=2) == everything[-2:]
        assert reader.last_seq() == len(everything)
    store.close()


def test_an_event_of_a_newer_version_says_so() -> None:
    kind, version, data = encode(e.NoteAdded(campaign="c", text="x"))
    assert decode(kind, version, data) == e.NoteAdded(campaign="c", text="x")
    for bad in ((kind, version + 1, data), ("FromTheFuture", 1, data)):
        with pytest.raises(StoreError, match="newer vbotd"):
            decode(*bad)
    with pytest.raises(StoreError, match="does not fit"):
        decode(kind, version, "{}")


def test_every_kind_of_event_has_a_codec() -> None:
    from vbotd.core.codec import adapter

    for kind in KINDS.values():
        assert adapter(kind).json_schema()
