"""How far has one event file been read, and what are the next records in it?

The rule this protects: a tail is never stuck in silence. What cannot be read is reported once and stepped
over, and what can still be read after it is read. TensorBoard's own readers stop for good, without a word,
at the first damaged record.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vbotd.store.tfrecord import HEADER_BYTES, MAX_RECORD_BYTES, Damage, Frame, find_frame, read_frame

CHUNK_BYTES = 4 << 20
# A file's first bytes hold the time and CRC of its version record: another file under the same inode differs there.
HEAD_BYTES = 64
# Unreadable bytes at the end are looked at again when the file changes (on NFS, data may arrive after the size);
# beyond this many they are given up, so that a growing pile of them costs each poll a bounded time.
MAX_RETRIED_BYTES = 1 << 20
# Searching foreign bytes for a record can take 16 times as long as reading records, and is charged for it.
SEARCH_COST = 16
# One CRC a record is remembered, to know the records of a file that is read again: at most 1 MB a file.
MAX_REMEMBERED_RECORDS = 250_000

TroubleKind = Damage | Literal[
    "torn", "oversized", "not_an_event", "unreadable",
    "shrunk", "replaced", "deleted", "not_a_file", "io", "too_many_files",
    "tag_changed", "too_many_tags", "more",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something about an event file that could not be read, reported once. `offset` is where in it, in bytes."""

    file: str
    offset: int
    kind: TroubleKind
    detail: str


Report = Callable[[Trouble], None]
Take = Callable[[str, int, bytes], None]


class FileTail:
    """Reads one growing file, record by record, each of them once.

    It starts at the beginning, or where `kept` says. `offset` is how far it has read, in bytes. `gap` is 0 where
    a record is expected next, 1 inside damage that was reported, 2 when it was also reported that the file grows
    and stays unreadable. `leap` is where to go on once the file has that length (0: nowhere). `stamp` (size and
    time of change) is the owner's note of the last look; `is_drained` says that nothing readable was left then.
    """

    def __init__(self, name: str, report: Report, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self.name = name
        self.gone = False
        self.stamp = (-1, -1)
        self.is_drained = True
        self.offset: int = kept.get("offset", 0)
        self._report = report
        self._size: int = kept.get("size", 0)
        self._gap: int = kept.get("gap", 0)
        self._leap: int = kept.get("leap", 0)
        self._head: tuple[int, int] = tuple(kept.get("head", (0, 0)))
        self._seen = array("I")
        self._replay = 0

    def keep(self) -> dict[str, Any]:
        """Return, as JSON, what another tail needs to go on from here."""
        return {"name": self.name, "offset": self.offset, "size": self._size, "gap": self._gap,
                "leap": self._leap, "head": list(self._head)}

    def inherit(self, other: FileTail) -> None:
        """Know the records that `other`, the file that had this name before, has given out."""
        self._seen = other._seen

    def trouble(self, kind: TroubleKind, detail: str, offset: int | None = None) -> None:
        """Report something about this file, at the point that it was read to."""
        where = self.offset if offset is None else offset
        self._report(Trouble(file=self.name, offset=where, kind=kind, detail=detail))

    def read(self, handle: int, size: int, budget: int, take: Take) -> tuple[int, int]:
        """Hand the new records to `take` (name, offset, payload) until the end, or until `budget` bytes are spent.

        At least one record is read however small the budget. Returns the bytes read and what they cost.
        """
        self._check_identity(handle, size)
        grew, self._size = size > self._size, size
        if self._leap and size >= self._leap:
            self.offset, self._leap = self._leap, 0
        if self._leap:
            self.is_drained = True
            return 0, 0
        start, gap_before, records = self.offset, self._gap, 0
        bytes_read, searched, need = 0, 0, HEADER_BYTES
        self.is_drained = False
        while self.offset < size:
            left = budget - bytes_read - SEARCH_COST * searched
            if left <= 0 and self.offset > start:
                break
            wanted = max(need, min(CHUNK_BYTES, left))
            buffer = os.pread(handle, wanted, self.offset)
            bytes_read += len(buffer)
            # A short read: the file was cut after the look. The next poll sees the new size.
            at_end = self.offset + len(buffer) >= size or len(buffer) < wanted
            count, used, stop = self._take_records(buffer, take)
            records += count
            self.offset += used
            if stop.kind == "partial" and not at_end:
                need = stop.end - used
                continue
            rest, need = buffer[used:], HEADER_BYTES
            searched += len(rest) if stop.kind != "oversized" else 0
            if not self._step_over(stop, stop.end - used, rest, size, at_end=at_end):
                self.is_drained = True
                break
        else:
            self.is_drained = True
        if gap_before == 1 and self._gap == 1 and grew and not records:
            self._gap = 2
            self.trouble("unreadable", "the file grows and nothing in it can be read")
        return bytes_read, bytes_read + SEARCH_COST * searched

    def _check_identity(self, handle: int, size: int) -> None:
        """Go back to the start of a file that is not the one which was read so far."""
        length, crc = self._head
        if size < self.offset:
            self.trouble("shrunk", f"from at least {self.offset} to {size} bytes, it is read from the start", 0)
        elif length and zlib.crc32(os.pread(handle, length, 0)) != crc:
            self.trouble("replaced", "its first bytes changed, it is read from the start", 0)
        else:
            if not length and size >= HEAD_BYTES:
                self._head = (HEAD_BYTES, zlib.crc32(os.pread(handle, HEAD_BYTES, 0)))
            return
        self.offset = self._gap = self._leap = self._replay = self._size = 0
        self._head = (0, 0)

    def _take_records(self, buffer: bytes, take: Take) -> tuple[int, int, Frame]:
        """Hand out the records at the start of the buffer; return how many, their length, and what follows them."""
        count = position = 0
        while (frame := read_frame(buffer, position)).kind == "whole":
            if not self._is_known(frame.crc):
                take(self.name, self.offset + position, frame.payload)
            position = frame.end
            count += 1
        if count:
            self._gap = 0
        return count, position, frame

    def _is_known(self, crc: int) -> bool:
        """Say whether the next record was given out before, when the file is read again; remember it if not."""
        if self._replay < len(self._seen):
            if self._seen[self._replay] == crc:
                self._replay += 1
                return True
            del self._seen[self._replay:]
        if len(self._seen) < MAX_REMEMBERED_RECORDS:
            self._seen.append(crc)
            self._replay += 1
        return False

    def _step_over(self, stop: Frame, need: int, rest: bytes, size: int, *, at_end: bool) -> bool:
        """Get past what is no record, `rest` from here; say whether reading can go on in this poll.

        `need` is the length of the record, header and all, where it can be trusted.
        """
        if stop.kind == "partial":
            # A record cut off for good, with others written behind it, would be waited for until it fits.
            if len(rest) < HEADER_BYTES or (found := find_frame(rest, 1, whole=True)) is None:
                return False
            self.trouble("torn", f"a record of {need} bytes was cut off after {found}")
            self.offset += found
            return True
        if stop.kind == "oversized":
            self.trouble("oversized", f"a record of {need} bytes is skipped, at most {MAX_RECORD_BYTES} are read")
            end = self.offset + need
            if end > size:
                self._leap = end
                return False
            self.offset = end
            return True
        found = find_frame(rest, 1)
        if not self._gap and stop.kind != "whole":
            after = f"{found} bytes are skipped" if found else f"no record in the {len(rest)} bytes from there"
            self.trouble(stop.kind, f"{_WHAT[stop.kind]}, {after}")
            self._gap = 1
        if found is not None:
            self.offset, self._gap = self.offset + found, 0
            return True
        if at_end and len(rest) <= MAX_RETRIED_BYTES:
            return False
        # The last bytes may be the beginning of a header.
        self.offset += max(1, len(rest) - HEADER_BYTES + 1)
        return not at_end


_WHAT: Mapping[Damage, str] = {
    "header_crc": "the checksum of a record's length does not fit",
    "absurd_length": "a record's length is absurd",
    "payload_crc": "the checksum of a record does not fit",
}
