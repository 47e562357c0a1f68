"""Where does one record of an event file end and the next begin, also after damage?

A record is: length (8 bytes, little-endian), masked CRC32C of those 8 bytes (4), payload, masked CRC32C
of the payload (4). Nothing marks a record's start, so after damage the reader looks for 12 bytes that
pass as a header by their own checksum: by chance one position in 4 billion does.
Source: tensorflow/core/lib/io/record_writer.h (the format), crc32c.h (the mask).
"""

from __future__ import annotations

import re
import struct
from typing import Literal, NamedTuple

import google_crc32c

HEADER_BYTES = 12
FRAME_BYTES = HEADER_BYTES + 4
# A record that long is an image or a histogram, never scalars; it is stepped over unread.
MAX_RECORD_BYTES = (1 << 24) - 1
# Above this a length is taken for damage even where its checksum fits: no summary is that large.
MAX_LENGTH_BYTES = 1 << 30

Damage = Literal["header_crc", "absurd_length", "payload_crc"]
FrameKind = Literal["whole", "partial", "oversized"] | Damage

_HEADER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
# The header of a record below 16 MiB has five zero bytes after a length that is not zero.
_FIVE_ZEROS = bytes(5)
_NOT_ZERO = re.compile(rb"[^\0]")
_value = google_crc32c.value


class Frame(NamedTuple):
    """What stands at a position: `end` is where the next record begins or (`partial`) how far the bytes must reach.

    `payload` and `crc` (of the payload, as stored) are filled for a whole record only.
    """

    kind: FrameKind
    end: int
    payload: bytes = b""
    crc: int = 0


def masked_crc(data: bytes) -> int:
    """Return the CRC32C of `data`, rotated and shifted the way the format stores it."""
    crc = _value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_frame(buffer: bytes, position: int) -> Frame:
    """Say what stands at `position` of `buffer`; positions are indices into the buffer."""
    start = position + HEADER_BYTES
    if start > len(buffer):
        return Frame("partial", start)
    length, length_crc = _HEADER.unpack_from(buffer, position)
    if masked_crc(buffer[position:position + 8]) != length_crc:
        return Frame("header_crc", position)
    if length > MAX_LENGTH_BYTES:
        return Frame("absurd_length", position)
    stop = start + length
    if length > MAX_RECORD_BYTES:
        return Frame("oversized", stop + 4)
    if stop + 4 > len(buffer):
        return Frame("partial", stop + 4)
    payload = buffer[start:stop]
    (crc,) = _CRC.unpack_from(buffer, stop)
    if masked_crc(payload) != crc:
        return Frame("payload_crc", position)
    return Frame("whole", stop + 4, payload, crc)


def find_frame(buffer: bytes, position: int, *, whole: bool = False) -> int | None:
    """Return the first position from `position` on where a record begins; None when there is none in sight.

    `whole` asks for a record that is complete in the buffer; otherwise one that runs over its end will do.
    """
    while (zeros := buffer.find(_FIVE_ZEROS, position + 3)) >= 0 and zeros + 9 <= len(buffer):
        candidate = zeros - 3
        if buffer[candidate:zeros] == b"\0\0\0":
            # Inside a stretch of zeros, common after a power cut: leap to where it ends.
            match = _NOT_ZERO.search(buffer, zeros)
            if match is None:
                return None
            position = max(candidate + 1, match.start() - 2)
            continue
        # The checksum first and by itself: in a foreign file nearly every position gets this far.
        if masked_crc(buffer[candidate:candidate + 8]) == _CRC.unpack_from(buffer, candidate + 8)[0]:
            kind = read_frame(buffer, candidate).kind
            if kind == "whole" or (kind == "partial" and not whole):
                return candidate
        position = candidate + 1
    return None
