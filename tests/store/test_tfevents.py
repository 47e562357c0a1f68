"""The tail of a run's event files: everything that can be read is read, once, as TensorBoard reads it."""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tests.store.event_files import (
    CONTENT_DAMAGE,
    GOOD,
    LATER,
    NAME,
    VERSION,
    append,
    framed,
    kinds,
    scalar,
    scalars,
    steps,
)
from vbotd.store.series import SeriesBook
from vbotd.store.tfevents import MAX_TAGS, Poll, RunTail, clean_tag

GOLDEN = Path(__file__).parents[1] / "golden" / "events.out.tfevents.1700000000.torch.1.0"
TAG = st.text("abcdefghijklmnopqrstuvwxyz_/0123456789äé", min_size=1, max_size=30)
RECORD = st.tuples(st.integers(0, 2**40), st.dictionaries(TAG, st.floats(width=32, allow_nan=False), max_size=6))


def reference(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]}


def by_tag(poll: Poll) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for point in poll.points:
        found.setdefault(point.tag, []).append((point.step, point.value))
    return found


@given(records=st.lists(RECORD, max_size=30))

@settings(max_examples=40, deadline=None)
def test_every_value_is_the_one_that_tensorboard_reads(records):
    with tempfile.TemporaryDirectory() as folder:
        writer = EventFileWriter(folder)
        for step, values in records:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
            writer.add_event(Event(step=step, wall_time=1e9, summary=summary))
        writer.close()
        poll = RunTail(folder).poll()
        assert poll.troubles == ()
        assert by_tag(poll) == reference(Path(folder))


def test_a_file_of_torch_is_read_with_its_tensors_and_without_its_images(tmp_path):
    (tmp_path / GOLDEN.name).write_bytes(GOLDEN.read_bytes())
    poll = RunTail(tmp_path).poll()
    assert poll.troubles == ()
    found, expected = by_tag(poll), reference(tmp_path)
    assert found.pop("reward/alive") == [(step * 24576, 1.5) for step in range(20)]
    assert set(found) == {"train/episode_return", "ppo/kl", "ppo/value_loss"}
    assert repr(found) == repr(expected)  # repr, because nan equals nothing
    assert math.isnan(found["ppo/value_loss"][7][1])
    assert found["ppo/value_loss"][8][1] == math.inf


@pytest.mark.parametrize("tensor", [
    TensorProto(dtype=1, float_val=[2.5]),
    TensorProto(dtype=2, double_val=[2.5], tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])),
    TensorProto(dtype=1, tensor_content=struct.pack("<f", 2.5)),
    TensorProto(dtype=2, tensor_content=struct.pack("<d", 2.5)),
    TensorProto(dtype=19, half_val=[0x4100]),
])
def test_a_tensor_of_one_number_is_a_scalar(tmp_path, tensor):
    event = Event(step=1, summary=Summary(value=[Summary.Value(tag="x", tensor=tensor)]))
    (tmp_path / NAME).write_bytes(VERSION + framed(event.SerializeToString()))
    assert [point.value for point in RunTail(tmp_path).poll().points] == [2.5]


def test_a_cut_at_every_byte_is_waited_for_and_read_on_exactly(tmp_path):
    whole = VERSION + scalars(0, 4)
    path = tmp_path / NAME
    for cut in range(len(whole) + 1):
        path.unlink(missing_ok=True)
        path.write_bytes(whole[:cut])
        tail = RunTail(tmp_path)
        first = tail.poll()
        again = tail.poll()
        append(path, whole[cut:])
        second = tail.poll()
        assert steps(first) + steps(second) == [0, 1, 2, 3]
        assert not (first.troubles or again.troubles or second.troubles or again.points)


def test_a_restart_from_offsets_at_every_byte_loses_nothing_and_doubles_nothing(tmp_path):
    whole = VERSION + scalars(0, 4)
    path = tmp_path / NAME
    for cut in range(len(whole) + 1):
        path.unlink(missing_ok=True)
        path.write_bytes(whole[:cut])
        tail = RunTail(tmp_path)
        first = tail.poll()
        kept = json.loads(json.dumps(tail.offsets))
        append(path, whole[cut:])
        second = RunTail(tmp_path, kept).poll()
        assert steps(first) + steps(second) == [0, 1, 2, 3]
        assert not second.troubles


def test_the_largest_record_is_read_with_the_smallest_budget(tmp_path):
    image = Summary.Image(encoded_image_string=bytes(9 << 20))
    image = Event(summary=Summary(value=[Summary.Value(tag="i", image=image)]))
    (tmp_path / NAME).write_bytes(GOOD + framed(image.SerializeToString()) + LATER)
    tail = RunTail(tmp_path, max_bytes_per_poll=1)
    polls = [tail.poll() for _ in range(20)]
    assert [step for poll in polls for step in steps(poll)] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert not any(poll.troubles for poll in polls)


@given(budget=st.integers(1, 400))

@settings(max_examples=25, deadline=None)
def test_any_budget_gives_the_same_points(budget):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAME).write_bytes(GOOD + CONTENT_DAMAGE["payload flipped"][0] + LATER)
        tail = RunTail(folder, max_bytes_per_poll=budget)
        found = []
        while (poll := tail.poll()).bytes_read:
            found += steps(poll)
        assert found == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_a_renamed_file_goes_on(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    tail = RunTail(tmp_path)
    tail.poll()
    path = path.rename(tmp_path / (NAME + ".1"))
    append(path, LATER)
    poll = tail.poll()
    assert (steps(poll), poll.troubles) == ([6, 7, 8, 9, 10, 11], ())


def test_a_new_device_number_of_the_same_file_goes_on(tmp_path):
    (tmp_path / NAME).write_bytes(GOOD)
    tail = RunTail(tmp_path)
    tail.poll()
    moved = {f"999{key}": value for key, value in tail.offsets.items()}
    assert RunTail(tmp_path, moved).poll().points == ()


def test_links_pipes_and_folders_are_refused_and_the_files_beside_them_read(tmp_path):
    (tmp_path / "elsewhere").write_bytes(GOOD)
    (tmp_path / "events.out.tfevents.1.link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "events.out.tfevents.1.pipe")
    (tmp_path / "events.out.tfevents.1.folder").mkdir()
    (tmp_path / NAME).write_bytes(GOOD)
    tail = RunTail(tmp_path)
    poll = tail.poll()
    assert kinds(poll) == ["not_a_file"] * 3
    assert steps(poll) == [0, 1, 2, 3, 4]
    assert tail.poll() == Poll()


def test_a_link_that_takes_the_name_after_the_look_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").write_bytes(GOOD)
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(os, "lstat", os.stat)
    poll = RunTail(tmp_path).poll()
    assert (kinds(poll), poll.points) == (["io"], ())


def test_a_folder_that_is_not_there_has_nothing_to_say(tmp_path):
    assert RunTail(tmp_path / "none").poll() == Poll()


def test_files_of_a_run_are_read_in_the_order_of_their_names_and_the_last_writer_wins(tmp_path):
    first, second = tmp_path / "events.out.tfevents.1.a", tmp_path / "events.out.tfevents.2.b"
    second.write_bytes(VERSION + b"".join(scalar(step, 100.0 + step) for step in range(5, 12)))
    first.write_bytes(VERSION + scalars(0, 10))
    tail, book = RunTail(tmp_path), SeriesBook()
    poll = tail.poll()
    assert steps(poll) == [*range(10), *range(5, 12)]
    book.absorb(poll.points)
    points = book.series["a/b"].points()
    assert [step for step, _ in points] == list(range(12))
    assert [value for _, value in points] == [0, 0.5, 1, 1.5, 2, *(100.0 + step for step in range(5, 12))]


def test_tags_are_bounded_in_number_and_length_and_cannot_command_a_terminal(tmp_path):
    values = [Summary.Value(tag=f"t{i}", simple_value=1.0) for i in range(MAX_TAGS + 50)]
    event = Event(step=1, summary=Summary(value=values))
    (tmp_path / NAME).write_bytes(VERSION + framed(event.SerializeToString()))
    poll = RunTail(tmp_path).poll()
    assert (len(poll.points), kinds(poll)) == (MAX_TAGS, ["too_many_tags"])

    assert clean_tag("a\x1b[31m\n\0b\u202e") == "a[31mb"
    long, longer = clean_tag("x" * 300), clean_tag("x" * 301)
    assert len(long.encode()) == 256 and long != longer
    assert len(clean_tag("ä" * 1_000_000).encode()) <= 256


def test_a_changed_tag_is_said_once(tmp_path):
    (tmp_path / NAME).write_bytes(scalar(1, tag="a\x1b[0m") + scalar(2, tag="b\n"))
    poll = RunTail(tmp_path).poll()
    assert ([point.tag for point in poll.points], kinds(poll)) == (["a[0m", "b"], ["tag_changed"])


def test_two_hundred_idle_tails_open_no_file(tmp_path, monkeypatch):
    tails = []
    for number in range(200):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / NAME).write_bytes(GOOD + scalar(9)[:-1])
        tails.append(RunTail(folder))
    for tail in tails:
        tail.poll()
    opened = []
    monkeypatch.setattr(os, "open", lambda *args, **kwargs: opened.append(args))
    assert all(tail.poll() == Poll() for tail in tails)
    assert opened == []
