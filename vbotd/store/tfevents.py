"""What has a run written into its TensorBoard files since the last look?

Nothing in these files is trusted: a worker, and what runs inside it, writes them. Files are opened without
following links or waiting on pipes, sizes and counts are bounded, and tags lose their control characters.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are no dependency
from tensorboard.compat.proto.event_pb2 import Event

from vbotd.store.series import MAX_TAGS, Point, Series, SeriesBook, downsample
from vbotd.store.tftail import FileTail, Trouble, TroubleKind

__all__ = ["Point", "Poll", "RunTail", "Series", "SeriesBook", "Trouble", "downsample"]

MAX_FILES = 256
MAX_TAG_BYTES = 256
MAX_TROUBLES_PER_POLL = 100
# A poll ends at the first slice that brings it here: 16 MiB of packed scalars are a million points, 120 MB of memory.
MAX_POINTS_PER_POLL = 200_000
SLICE_BYTES = 1 << 20

# Of a TensorProto that holds one number: its dtype (tensorflow/core/framework/types.proto), the field with the
# value, and how the same is packed in `tensor_content`.
_SCALAR_FIELDS = {
    1: ("float_val", "<f"), 2: ("double_val", "<d"), 3: ("int_val", "<i"), 4: ("int_val", "<B"),
    5: ("int_val", "<h"), 6: ("int_val", "<b"), 9: ("int64_val", "<q"), 10: ("bool_val", "<?"),
    19: ("", "<e"), 22: ("uint32_val", "<I"), 23: ("uint64_val", "<Q"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What is new in a run since the poll before."""

    points: tuple[Point, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    bytes_read: int = 0


class RunTail:
    """Reads the event files of one run folder, again and again, each record once.

    Files are told apart by device and inode and read in the order of their names. A file that shrank or was
    replaced is read from its start, and of that only what was not given out before counts as new (after a restart
    from `offsets` it may all come again; `SeriesBook` keeps one value a step).
    """

    def __init__(self, folder: Path | str, offsets: Mapping[str, Any] | None = None,
                 max_bytes_per_poll: int = 16 << 20) -> None:
        """Begin with the files' first records, or where `offsets`, those of another tail of this folder, ends."""
        self.folder = Path(folder)
        self._budget = max_bytes_per_poll
        self._files: dict[tuple[int, int], FileTail] = {}
        self._tags: dict[str, str] = {}
        self._told: set[str] = set()
        self._points: list[Point] = []
        self._troubles: list[Trouble] = []
        self._untold = 0
        for key, kept in (offsets or {}).items():
            device, _, inode = key.partition(":")
            self._files[int(device), int(inode)] = FileTail(kept["name"], self._report, kept)

    @property
    def offsets(self) -> dict[str, dict[str, Any]]:
        """How far each file was read, as JSON: another tail, also in another process, goes on from here."""
        return {f"{device}:{inode}": file.keep() for (device, inode), file in self._files.items() if not file.gone}

    def poll(self) -> Poll:
        """Return what was appended since the last poll, at most about `max_bytes_per_poll` or 200,000 points of it.

        The rest comes with the next polls: one with `bytes_read` 0 has found nothing more.

        Raises: nothing for what a file holds or is; a folder that is not there has no files.
        """
        self._points, self._troubles, self._untold = [], [], 0
        bytes_read = cost = 0
        for file, path, stamp in self._changed_files():
            while cost < self._budget and len(self._points) < MAX_POINTS_PER_POLL:
                spent = self._read(file, path, stamp, min(SLICE_BYTES, self._budget - cost))
                bytes_read += spent[0]
                cost += spent[1]
                if file.is_drained or not spent[1]:
                    break
        if self._untold:
            self._troubles.append(
                Trouble(file="", offset=0, kind="more", detail=f"{self._untold} further troubles are not listed"))
        return Poll(points=tuple(self._points), troubles=tuple(self._troubles), bytes_read=bytes_read)

    def _report(self, trouble: Trouble) -> None:
        if len(self._troubles) < MAX_TROUBLES_PER_POLL:
            self._troubles.append(trouble)
        else:
            self._untold += 1

    def _report_once(self, key: str, file: str, kind: TroubleKind, detail: str) -> None:
        if key not in self._told and len(self._told) < 4 * MAX_FILES:
            self._told.add(key)
            self._report(Trouble(file=file, offset=0, kind=kind, detail=detail))

    def _changed_files(self) -> list[tuple[FileTail, str, tuple[int, int]]]:
        """Return the files to read, in the order of their names: the tail, the path, size and time of change."""
        try:
            names = sorted(name for name in os.listdir(self.folder) if "tfevents" in name)
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as err:
            self._report_once(f"folder {err.errno}", "", "io", f"the run's folder cannot be listed ({err.strerror})")
            return []
        if len(names) > MAX_FILES:
            self._report_once("files", "", "too_many_files", f"{len(names)} event files, {MAX_FILES} are read")
        changed, present = [], set()
        for name in names[:MAX_FILES]:
            path = os.path.join(self.folder, name)
            try:
                status = os.lstat(path)
            except OSError:
                continue  # Deleted since the listing; the next poll says so.
            key = (status.st_dev, status.st_ino)
            if not stat.S_ISREG(status.st_mode):
                self._report_once(f"kind {name} {key}", name, "not_a_file", "is no regular file and is not opened")
                continue
            if key in present:
                continue
            present.add(key)
            file = self._files.get(key) or self._admit_file(key, name)
            file.name, file.gone = name, False
            stamp = (status.st_size, status.st_mtime_ns)
            if stamp != file.stamp:
                changed.append((file, path, stamp))
        for key, file in self._files.items():
            if key not in present and not file.gone:
                file.gone = True
                file.trouble("deleted", f"is gone after {file.offset} bytes of it were read")
        return changed

    def _admit_file(self, key: tuple[int, int], name: str) -> FileTail:
        """Return a tail for an inode that is new here."""
        namesake = next((old for old, file in self._files.items() if file.name == name), None)
        if namesake is not None and namesake[1] == key[1]:
            # A reboot or a remount may number the devices anew; it is the same file.
            self._files[key] = self._files.pop(namesake)
            return self._files[key]
        file = self._files[key] = FileTail(name, self._report)
        if namesake is not None:
            old = self._files.pop(namesake)
            file.inherit(old)
            file.trouble("replaced", f"another file has the name, {old.offset} bytes of the old one were read")
        for gone in [old for old, other in self._files.items() if other.gone][:-MAX_FILES]:
            del self._files[gone]
        return file

    def _read(self, file: FileTail, path: str, stamp: tuple[int, int], budget: int) -> tuple[int, int]:
        """Read on in one file; return the bytes read and what they cost."""
        try:
            # The flags again: since the look, a link or a pipe may have taken the name.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    return 0, 0
                bytes_read, cost = file.read(handle, stamp[0], budget, self._take_event)
            finally:
                os.close(handle)
        except OSError as err:
            self._report_once(f"io {path} {err.errno}", file.name, "io", f"cannot be read ({err.strerror})")
            return 0, 0
        if file.is_drained:
            file.stamp = stamp
        return bytes_read, cost

    def _take_event(self, name: str, offset: int, payload: bytes) -> None:
        """Add the scalars of one record to the points; what else it holds (images, graphs) is passed over."""
        try:
            event = Event.FromString(payload)
        except DecodeError:
            self._report(Trouble(file=name, offset=offset, kind="not_an_event",
                                 detail=f"a record of {len(payload)} bytes is no TensorBoard event, it is skipped"))
            return
        step, wall_time = event.step, event.wall_time
        for value in event.summary.value:
            kind = value.WhichOneof("value")
            if kind == "simple_value":
                number: float | None = value.simple_value
            else:
                number = scalar_of(value.tensor) if kind == "tensor" else None
            if number is None:
                continue
            tag = self._tags.get(value.tag) or self._admit_tag(name, value.tag)
            if tag:
                self._points.append(Point(tag, step, number, wall_time))

    def _admit_tag(self, name: str, raw: str) -> str:
        """Return the tag as it is used from now on, "" for one that is left out."""
        if len(self._tags) >= MAX_TAGS:
            self._report_once("tags", name, "too_many_tags", f"more than {MAX_TAGS} tags, the others are left out")
            return ""
        tag = clean_tag(raw)
        if tag != raw:
            self._report_once("tag", name, "tag_changed", f"{tag!r} was longer or had control characters")
        if len(raw) <= MAX_TAG_BYTES:
            self._tags[raw] = tag
        return tag


def clean_tag(raw: str) -> str:
    """Return a tag without characters that cannot be printed, at most 256 bytes; a cut one ends in a checksum."""
    tag = raw if raw.isprintable() else "".join(letter for letter in raw if letter.isprintable())
    encoded = tag.encode()
    if len(encoded) <= MAX_TAG_BYTES:
        return tag
    # Two long tags with the same beginning stay two.
    return encoded[:MAX_TAG_BYTES - 9].decode(errors="ignore") + f"~{zlib.crc32(encoded):08x}"


def scalar_of(tensor: Any) -> float | None:
    """Return the number in a TensorProto of one element, None for anything else."""
    if any(axis.size != 1 for axis in tensor.tensor_shape.dim) or tensor.dtype not in _SCALAR_FIELDS:
        return None
    name, packed = _SCALAR_FIELDS[tensor.dtype]
    content = tensor.tensor_content
    if content:
        return float(struct.unpack(packed, content)[0]) if len(content) == struct.calcsize(packed) else None
    if not name:
        halves = tensor.half_val
        return float(struct.unpack("<e", struct.pack("<H", halves[0] & 0xFFFF))[0]) if len(halves) == 1 else None
    values = getattr(tensor, name)
    return float(values[0]) if len(values) == 1 else None
