"""In which order are a model's pictures asked about, and how often was it wrong where the answer is known?

Known-answer pictures are mixed into every batch, in an order that the seed decides, so that a model cannot tell
them from the others and its error rate is that of this very night.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from math import ceil

from vbotd.core.interval import Measured, of_rate

PER_BATCH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture in a batch. `truth` is its answer where that is known, "" where it is asked for."""

    name: str
    truth: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a model said of a picture."""

    shown: Shown
    said: str
    confidence: float
    words: str


def batches(asked: Sequence[str], known: Sequence[Shown], seed: str, size: int = PER_BATCH) -> list[list[Shown]]:
    """Return all pictures in batches of at most `size`, at least one known answer in each.

    Known ones are shown again where there are too few of them. Raises: ValueError without a known answer, or for
    batches that have no room for two pictures.
    """
    if not known or size < 2:
        raise ValueError("a batch needs a known answer and room for another picture")
    count = max(ceil((len(asked) + len(known)) / size), ceil(len(asked) / (size - 1)))
    truths = list(islice(cycle(_shuffled(known, f"{seed}/known")), max(count, len(known))))
    # Dealt like cards, the known ones first: every batch gets one, and none is longer than another by two.
    deck = [*truths, *_shuffled([Shown(name=name) for name in asked], f"{seed}/asked")]
    return [_shuffled(deck[number::count], f"{seed}/{number}") for number in range(count)]


def error_rate(seen: Sequence[Seen]) -> Measured | None:
    """Return how often the model was wrong where the answer is known; None where none of those was answered."""
    known = [one for one in seen if one.shown.truth]
    return of_rate(sum(one.said != one.shown.truth for one in known), len(known)) if known else None


def _shuffled(items: Sequence[Shown], seed: str) -> list[Shown]:
    return sorted(items, key=lambda shown: hashlib.sha256(f"{seed}\n{shown.name}".encode()).digest())
