"""Stores that older versions wrote: each is opened, tells what it told, and is kept as it was for who goes back."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store import released
from vbotd.domain import event as e
from vbotd.errors import StoreError
from vbotd.store import upgrade
from vbotd.store.backup import flaw
from vbotd.store.events import EventStore
from vbotd.store.read import Reader
from vbotd.store.schema import SCHEMA_VERSION

OLDER = [version for version in released.versions() if version < SCHEMA_VERSION]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vbotd.db"


def shape(path: Path) -> dict[str, str]:
    """Return what a store consists of, by name, without the quotes and blanks in which a renamed table differs."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {name: re.sub(r"\s+", " ", sql.replace('"', "")) for name, sql in rows}


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_there_is_a_store_of_every_version() -> None:
    assert released.versions() == list(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("of", released.versions())
def test_a_store_of_every_version_tells_what_it_told_before_and_after_its_upgrade(path: Path, of: int) -> None:
    released.unpack(of, path)
    assert released.told(path) == released.expected(of), "it is read as it lies there, before a daemon opens it"
    with closing(EventStore(path)) as store:
        assert store.rebuild() == ()
        store.commit([e.NoteAdded(campaign="open-1123", text="life goes on")], 1_900_000_000.0)
    assert (version(path), flaw(path)) == (SCHEMA_VERSION, "")
    now, then = released.told(path), released.expected(of)
    assert now | {"events": now["events"][:-1]} == then


@pytest.mark.parametrize("of", OLDER)
def test_an_upgraded_store_is_made_like_a_new_one(path: Path, of: int, tmp_path: Path) -> None:
    released.unpack(of, path)
    EventStore(path).close()
    EventStore(tmp_path / "new.db").close()
    assert shape(path) == shape(tmp_path / "new.db")


@pytest.mark.parametrize("of", OLDER)
def test_what_was_before_an_upgrade_is_kept_beside_it(path: Path, of: int) -> None:
    released.unpack(of, path)
    EventStore(path).close()
    kept = upgrade.copy_of(path, of)
    assert (version(kept), released.told(kept)) == (of, released.expected(of))
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, kept.name]


@pytest.mark.parametrize("of", OLDER)
def test_an_upgrade_that_fails_half_way_leaves_the_store_as_it_was(path: Path, of: int,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    released.unpack(of, path)
    monkeypatch.setattr(upgrade, "STEPS", {of: (*upgrade.STEPS[of], "INSERT INTO nowhere VALUES (1)")})
    with pytest.raises(StoreError, match="no such table: nowhere"):
        EventStore(path)
    assert (version(path), released.told(path)) == (of, released.expected(of))
    monkeypatch.undo()
    EventStore(path).close()
    assert version(path) == SCHEMA_VERSION


def test_a_store_of_a_newer_vbotd_is_refused_untouched_and_the_way_back_is_named(path: Path) -> None:
    released.unpack(1, path)
    EventStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
        db.commit()
    before = path.read_bytes()
    for opened in (EventStore, Reader):
        with pytest.raises(StoreError, match=r"newer vbotd .* upgrade vbotd; or go back .* put vbotd.db.version-1"):
            opened(path)
    assert path.read_bytes() == before
