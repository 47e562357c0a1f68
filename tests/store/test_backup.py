"""Copies of the store, and a damaged store that is put right from one; on real files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.domain import event as e
from vbotd.errors import StoreError
from vbotd.layout import Layout
from vbotd.store.backup import DAILY, HOURLY, Backup, back_up, backups, flaw, restore, surplus
from vbotd.store.events import EventStore

NOW = 1_700_000_000.0


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    made = Layout(tmp_path)
    made.make()
    with closing(EventStore(made.store)) as store:
        for number in range(50):
            store.commit((e.NoteAdded(campaign=f"c{number}", text="x" * 200),), NOW)
    yield made


def count(path: Path) -> int:
    with closing(EventStore(path)) as store:
        return sum(1 for _ in store.events())


def test_a_backup_holds_everything_and_is_sound(layout: Layout):
    backup = back_up(layout, NOW)
    assert flaw(backup.path) == "" and count(backup.path) == 50
    assert backups(layout) == (backup,) and not list(layout.backups.glob(".*"))


def test_a_damaged_store_is_replaced_by_the_newest_sound_copy_and_kept_beside_it(layout: Layout):
    back_up(layout, NOW)
    newest = back_up(layout, NOW + 3600)
    newest.path.write_bytes(b"SQLite format 3\x00" + bytes(4096))  # the newest is no use
    layout.store.write_bytes(random.Random(1).randbytes(8192))
    with pytest.raises(StoreError, match="doctor --restore"):
        EventStore(layout.store)
    chosen, aside = restore(layout)
    assert chosen.at == NOW and aside is not None and aside.stat().st_size == 8192
    assert count(layout.store) == 50


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_a_store_that_is_gone_is_not_begun_anew_over_what_it_knew(layout: Layout, how: str):
    back_up(layout, NOW)
    layout.store.unlink() if how == "deleted" else layout.store.write_bytes(b"")
    with pytest.raises(StoreError, match="the store is gone"):
        EventStore(layout.store)
    restore(layout)
    assert count(layout.store) == 50


def test_without_a_sound_copy_nothing_is_changed(layout: Layout):
    damaged = random.Random(2).randbytes(8192)
    layout.store.write_bytes(damaged)
    with pytest.raises(StoreError, match="no sound backup"):
        restore(layout)
    assert layout.store.read_bytes() == damaged


def test_a_store_that_cannot_be_read_gives_no_backup_and_leaves_nothing_behind(layout: Layout):
    layout.store.write_bytes(b"no database")
    with pytest.raises(StoreError):
        back_up(layout, NOW)
    assert list(layout.backups.iterdir()) == []


@given(st.sets(st.integers(0, 60 * 24), min_size=1, max_size=300))
def test_a_day_of_hours_and_a_week_of_days_are_kept_and_always_the_newest(hours_ago: set[int]):
    found = tuple(Backup(path=Path(f"{ago}"), at=NOW - 3600.0 * ago) for ago in sorted(hours_ago))
    kept = [backup for backup in found if backup not in surplus(found, NOW)]
    assert found[0] in kept and len(kept) <= HOURLY + DAILY + 1
    assert all(backup in kept for backup in found if NOW - backup.at < HOURLY * 3600.0)
