"""Event files as writers leave them, byte for byte, and every kind of damage that may come between their records."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from vbotd.store.tfevents import Poll
from vbotd.store.tfrecord import masked_crc

NAME = "events.out.tfevents.1700000000.test.1.0"


def framed(payload: bytes) -> bytes:
    """Return a record: its length and its bytes, each with a masked checksum."""
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", masked_crc(length)) + payload + struct.pack("<I", masked_crc(payload))


def scalar(step: int, value: float = 1.0, tag: str = "a/b") -> bytes:
    """Return a record with one scalar."""
    event = Event(step=step, wall_time=1e9, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))
    return framed(event.SerializeToString())


def scalars(first: int, end: int) -> bytes:
    """Return records with one scalar each, half as large as its step, from `first` up to `end`."""
    return b"".join(scalar(step, step / 2) for step in range(first, end))


def flip(data: bytes, position: int) -> bytes:
    """Return bytes with one flipped bit at a position."""
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1:]


def append(path: Path, data: bytes) -> None:
    """Append bytes to a file, as a writer does."""
    with path.open("ab") as file:
        file.write(data)


def steps(poll: Poll) -> list[int]:
    """Return the steps of the points that a poll has read."""
    return [point.step for point in poll.points]


def kinds(poll: Poll) -> list[str]:
    """Return the kinds of trouble that a poll has met."""
    return [trouble.kind for trouble in poll.troubles]


VERSION = framed(Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString())
GOOD, BAD, LATER = VERSION + scalars(0, 5), scalar(5), scalars(6, 12)
IMPOSSIBLE = struct.pack("<Q", 2**60)
CONTENT_DAMAGE = {
    "payload flipped": (flip(BAD, 20), "payload_crc"),
    "payload checksum flipped": (flip(BAD, len(BAD) - 1), "payload_crc"),
    "length checksum flipped": (flip(BAD, 9), "header_crc"),
    "length flipped": (flip(BAD, 0), "header_crc"),
    "high byte of the length flipped": (flip(BAD, 7), "header_crc"),
    "zeros in place of a page": (bytes(4096), "header_crc"),
    "zeros in a record": (BAD[:14] + bytes(len(BAD) - 14), "payload_crc"),
    "noise": (random.Random(1).randbytes(70_000), "header_crc"),
    "length of 2^60 with a fitting checksum": (IMPOSSIBLE + struct.pack("<I", masked_crc(IMPOSSIBLE)), "absurd_length"),
    "length of 2^60 without": (IMPOSSIBLE + bytes(4), "header_crc"),
    "record cut off, others behind it": (framed(bytes(5000))[:100], "torn"),
    "record cut off in its header": (BAD[:7], "header_crc"),
    "a record that is no event": (framed(b"\xff" * 30), "not_an_event"),
    "a text that is no event": (framed(b"hello there, general"), "not_an_event"),
}
