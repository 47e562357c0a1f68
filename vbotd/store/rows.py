"""How does an event become a row of the store, and a row an event again? With the sum that tells a flipped bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vbotd.core.codec import decode, encode, touched
from vbotd.domain.event import Stored
from vbotd.errors import StoreDamaged
from vbotd.store.checksum import checksum_of, is_whole
from vbotd.store.schema import REMEDY


def row_of(stored: Stored) -> tuple[Any, ...]:
    """Return the row of an event, in the order of `checksum.COLUMNS`."""
    kind, version, data = encode(stored.event)
    row = (stored.seq, float(stored.at), kind, version, *touched(stored.event), data)
    return (*row, checksum_of(*row))


def stored_of(row: Sequence[Any], path: Path) -> Stored:
    """Return the event of a row (its `checksum.COLUMNS`) of the store at a path.

    Raises: StoreDamaged when it is not what was written; StoreError when a newer vbotd wrote it.
    """
    if not is_whole(row):
        raise StoreDamaged(f"{path}: event {row[0]} ({row[2]}) is not what was written, its checksum does not fit — "
                           f"{REMEDY}")
    return Stored(seq=row[0], at=row[1], event=decode(row[2], row[3], row[7]))
