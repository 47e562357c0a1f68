"""The way in: files that appear whole, and answers from the store."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from tests.waiting import wait_until
from vbotd.domain.event import CommandAccepted, CommandRefused
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.inbox import (
    MAX_CAMPAIGN_BYTES,
    InvalidKey,
    daemon_is_running,
    drop_campaign,
    new_key,
    send_command,
    wait_for_answer,
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_a_campaign_appears_whole_and_alone(layout: Layout):
    path = drop_campaign(layout, "night.yaml", b"version: 1\n")
    assert path == layout.inbox / "night.yaml"
    assert path.read_bytes() == b"version: 1\n"
    assert os.listdir(layout.inbox) == ["night.yaml"]
    assert path.stat().st_nlink == 1


def test_a_file_that_waits_is_never_replaced(layout: Layout):
    first = drop_campaign(layout, "night.yaml", b"one")
    second = drop_campaign(layout, "night.yaml", b"two")
    assert first.read_bytes() == b"one"
    assert second == layout.inbox / "night-2.yaml"
    assert second.read_bytes() == b"two"


def test_the_same_bytes_wait_once(layout: Layout):
    assert drop_campaign(layout, "night.yaml", b"one") == drop_campaign(layout, "night.yaml", b"one")
    assert os.listdir(layout.inbox) == ["night.yaml"]


def test_ten_at_once_all_arrive(layout: Layout):
    layout.inbox.mkdir(parents=True)
    start = threading.Barrier(10)

    def drop(number: int) -> None:
        start.wait()
        drop_campaign(layout, "night.yaml", b"%d" % number)

    threads = [threading.Thread(target=drop, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.read_bytes() for path in layout.inbox.iterdir()} == {b"%d" % number for number in range(10)}


@pytest.mark.parametrize(("name", "stored"), [
    ("a.yml", "a.yml"), ("a.txt", "a.yaml"), ("a", "a.yaml"), ("../../a.yaml", "a.yaml"),
    (".hidden.yaml", "hidden.yaml"),
])
def test_the_name_is_one_that_the_daemon_looks_at(layout: Layout, name: str, stored: str):
    assert drop_campaign(layout, name, b"x") == layout.inbox / stored


def test_a_campaign_that_is_too_large_is_not_dropped(layout: Layout):
    with pytest.raises(VbotdError, match="at most"):
        drop_campaign(layout, "big.yaml", b"x" * (MAX_CAMPAIGN_BYTES + 1))


def test_keys_are_unique_and_sort_by_time():
    keys = [new_key() for _ in range(200)]
    assert len(set(keys)) == 200
    stamps = [key.split("-")[0] for key in keys]
    assert stamps == sorted(stamps)


def test_a_command_is_a_file_under_its_key(layout: Layout):
    key = send_command(layout, "pause", {"id": "a-1"}, principal="test")
    said = json.loads((layout.commands / f"{key}.json").read_text())
    assert {name: said[name] for name in ("version", "key", "verb", "args", "principal")} == {
        "version": 1, "key": key, "verb": "pause", "args": {"id": "a-1"}, "principal": "test"}
    assert said["at"] > 0


def test_a_key_that_waits_is_not_written_again(layout: Layout):
    send_command(layout, "pause", {"id": "a"}, principal="test", key="k1")
    send_command(layout, "cancel", {"id": "b"}, principal="test", key="k1")
    assert json.loads((layout.commands / "k1.json").read_text())["verb"] == "pause"


@pytest.mark.parametrize("key", ["../up", "", " ", "a/b", "x" * 101, ".hidden"])
def test_a_key_that_cannot_name_a_file_is_refused(layout: Layout, key: str):
    if not key:
        return  # none given: one is made
    with pytest.raises(InvalidKey):
        send_command(layout, "pause", {}, principal="test", key=key)


def test_an_answer_is_found_when_it_comes(layout: Layout):
    layout.make()
    store = EventStore(layout.store)
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(wait_for_answer(layout, "k1", timeout_s=20)))
    asking.start()
    store.commit([CommandAccepted(key="k1", verb="note", args={}, principal="t", answer="noted")], at=1.0)
    asking.join(20)
    store.commit([CommandRefused(key="k2", verb="note", args={}, principal="t", why="no")], at=2.0)
    store.close()
    assert found == [(True, "noted")]
    assert wait_for_answer(layout, "k2", timeout_s=0) == (False, "no")
    assert wait_for_answer(layout, "k3", timeout_s=0) is None


def test_no_store_is_no_answer(layout: Layout):
    assert wait_for_answer(layout, "k", timeout_s=0) is None


def test_the_lock_says_whether_a_daemon_runs(layout: Layout):
    layout.state.mkdir()
    assert not daemon_is_running(layout)
    layout.lock.write_text("pid 1")
    assert not daemon_is_running(layout), "a file that stayed behind is no daemon"
    with layout.lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert daemon_is_running(layout)
    wait_until(lambda: not daemon_is_running(layout))
