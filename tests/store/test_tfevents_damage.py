"""Damaged event files, and files that change under the reader's hand: what can be read is read, the rest told once."""

from __future__ import annotations

import json
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event

from tests.store.event_files import (
    BAD,
    CONTENT_DAMAGE,
    GOOD,
    LATER,
    NAME,
    VERSION,
    append,
    flip,
    framed,
    kinds,
    scalar,
    scalars,
    steps,
)
from vbotd.store.series import SeriesBook
from vbotd.store.tfevents import Poll, RunTail
from vbotd.store.tfrecord import MAX_RECORD_BYTES


@pytest.mark.parametrize("name", CONTENT_DAMAGE)
def test_damage_is_reported_at_once_and_once_and_what_follows_is_read(tmp_path, name):
    damaged, kind = CONTENT_DAMAGE[name]
    path = tmp_path / NAME
    path.write_bytes(GOOD + damaged + LATER)
    tail = RunTail(tmp_path)
    poll = tail.poll()
    assert steps(poll) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert kinds(poll) == [kind]
    assert poll.troubles[0].offset == len(GOOD)
    append(path, scalar(12))
    after = RunTail(tmp_path, tail.offsets).poll()
    assert (steps(after), after.troubles) == ([12], ())
    assert steps(tail.poll()) == [12]


@pytest.mark.parametrize("name", CONTENT_DAMAGE)
def test_damage_at_the_end_does_not_hide_what_is_appended_later(tmp_path, name):
    damaged, kind = CONTENT_DAMAGE[name]
    path = tmp_path / NAME
    path.write_bytes(GOOD + damaged)
    tail = RunTail(tmp_path)
    first = tail.poll()
    tail = RunTail(tmp_path, json.loads(json.dumps(tail.offsets)))
    assert tail.poll().troubles == ()
    append(path, LATER)
    second = tail.poll()
    assert kinds(first) + kinds(second) == [kind]
    assert steps(first) + steps(second) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_every_flipped_bit_costs_one_record_at_most(tmp_path):
    whole = VERSION + scalars(0, 4)
    path = tmp_path / NAME
    for position in range(len(whole)):
        path.unlink(missing_ok=True)
        path.write_bytes(flip(whole, position))
        poll = RunTail(tmp_path).poll()
        lost = [step for step in range(4) if step not in steps(poll)]
        assert len(lost) == (position >= len(VERSION))
        assert len(poll.troubles) == 1


def test_zeros_at_the_end_that_become_data_are_read_as_data(tmp_path):
    # A network file system can show the new size before the bytes.
    path = tmp_path / NAME
    path.write_bytes(GOOD + bytes(len(LATER)))
    tail = RunTail(tmp_path)
    assert kinds(tail.poll()) == ["header_crc"]
    with path.open("r+b") as file:
        file.seek(len(GOOD))
        file.write(LATER)
    os.utime(path, ns=(1, 1))
    poll = tail.poll()
    assert (steps(poll), poll.troubles) == ([6, 7, 8, 9, 10, 11], ())


def test_a_file_that_grows_without_a_readable_byte_is_reported_once(tmp_path):
    path = tmp_path / NAME
    noise = random.Random(2)
    path.write_bytes(noise.randbytes(500))
    tail = RunTail(tmp_path)
    found = [kinds(tail.poll())]
    for _ in range(5):
        append(path, noise.randbytes(500))
        found.append(kinds(tail.poll()))
    assert found == [["header_crc"], ["unreadable"], [], [], [], []]
    append(path, LATER)
    assert steps(tail.poll()) == [6, 7, 8, 9, 10, 11]


def test_megabytes_of_noise_and_of_zeros_are_crossed(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(GOOD + bytes(5 << 20) + random.Random(3).randbytes(5 << 20) + LATER)
    tail = RunTail(tmp_path)
    found, troubles = [], []
    for _ in range(40):
        poll = tail.poll()
        found += steps(poll)
        troubles += kinds(poll)
    assert found == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert troubles == ["header_crc"]


def test_a_huge_record_is_stepped_over_unread(tmp_path):
    path = tmp_path / NAME
    huge = framed(bytes(MAX_RECORD_BYTES + 1))
    path.write_bytes(GOOD + huge[:1000])
    tail = RunTail(tmp_path)
    assert kinds(tail.poll()) == ["oversized"]
    append(path, huge[1000:] + LATER)
    poll = RunTail(tmp_path, tail.offsets).poll()
    assert (steps(poll), poll.troubles) == ([6, 7, 8, 9, 10, 11], ())
    assert poll.bytes_read < 10_000


def test_a_shrunk_file_is_read_again_and_only_its_new_records_are_given_out(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(GOOD + LATER)
    tail = RunTail(tmp_path)
    tail.poll()
    with path.open("r+b") as file:
        file.truncate(len(GOOD) - 3)
    poll = tail.poll()
    assert (kinds(poll), steps(poll)) == (["shrunk"], [])
    append(path, GOOD[-3:] + scalar(5, 7.0) + scalar(6, 8.0))
    poll = tail.poll()
    assert [(point.step, point.value) for point in poll.points] == [(5, 7.0), (6, 8.0)]
    assert poll.troubles == ()


def test_a_shrunk_file_after_a_restart_gives_no_double_in_the_book(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    tail, book = RunTail(tmp_path), SeriesBook()
    book.absorb(tail.poll().points)
    with path.open("r+b") as file:
        file.truncate(len(GOOD) - 3)
    book.absorb(RunTail(tmp_path, tail.offsets).poll().points)
    assert [step for step, _ in book.series["a/b"].points()] == [0, 1, 2, 3, 4]
    assert book.series["a/b"].count == 5


def test_another_file_under_the_name_is_read_from_its_start(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(VERSION + scalars(0, 3))
    tail = RunTail(tmp_path)
    tail.poll()
    other = tmp_path / "other"
    other.write_bytes(VERSION + scalars(0, 3) + scalars(20, 23))
    other.replace(path)
    poll = tail.poll()
    assert (kinds(poll), steps(poll)) == (["replaced"], [20, 21, 22])
    assert tail.poll() == Poll()


def test_another_content_under_the_same_inode_is_noticed_even_when_longer(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(VERSION + scalars(0, 3))
    tail = RunTail(tmp_path)
    tail.poll()
    with path.open("r+b") as file:
        file.write(framed(Event(wall_time=3.0, file_version="brain.Event:2").SerializeToString()) + scalars(30, 40))
    poll = tail.poll()
    assert (kinds(poll), steps(poll)) == (["replaced"], list(range(30, 40)))


def test_a_deleted_file_is_reported_once_and_may_come_back(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    tail = RunTail(tmp_path)
    tail.poll()
    path.unlink()
    assert kinds(tail.poll()) == ["deleted"]
    assert tail.poll() == Poll()
    assert tail.offsets == {}
    path.write_bytes(GOOD + LATER)
    assert steps(tail.poll()) == [6, 7, 8, 9, 10, 11]


def test_thousands_of_bad_records_make_a_short_list(tmp_path):
    (tmp_path / NAME).write_bytes(VERSION + framed(b"\xff\xff") * 5000)
    poll = RunTail(tmp_path).poll()
    assert len(poll.troubles) == 101
    assert poll.troubles[-1].detail.startswith("4900 ")


@given(cuts=st.lists(st.integers(1, 4000), max_size=12), seed=st.integers(0, 1000))

@settings(max_examples=30, deadline=None)
def test_however_a_damaged_file_grows_the_same_points_come(cuts, seed):
    draw = random.Random(seed)
    whole = VERSION
    for step in range(60):
        whole += scalar(step)
        if draw.random() < 0.1:
            whole += draw.choice([bytes(draw.randrange(1, 300)), draw.randbytes(draw.randrange(1, 300)),
                                  flip(scalar(1000), draw.randrange(len(BAD)))])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_bytes(whole)
        at_once = steps(RunTail(folder).poll())
        path.unlink()
        path.touch()
        tail, found, position = RunTail(folder), [], 0
        for cut in [*sorted(cuts), len(whole)]:
            append(path, whole[position:max(position, cut)])
            position = max(position, cut)
            found += steps(tail.poll())
            tail = RunTail(folder, json.loads(json.dumps(tail.offsets)))
        assert at_once == list(range(60))
        assert found == at_once
