"""Of which of the things that a sentence names is a part of it said? Of the one before it, where there are several.

"t003 succeeds in 98 %, t001 in 71 %" says one number of each: who swaps them has said something else. Where a
sentence puts the numbers first ("98 % for t003"), it is the one behind. Things that are named in one breath ("t001 and
t003 finished") share what is said of them, and so do a campaign and what belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What is compared ("better than t001 with its rate of ...") may be meant or not, so it is one breath too.
_JOINED = re.compile(r"(?i)[\s,;/&]*(?:\b(?:and|or|vs\.?|versus|both)\b)?[\s,]*|[^,.;]{0,60}\bthan\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Where a sentence without its ids names a thing."""

    place: int
    id: str


def without_ids(sentence: str, ids: Mapping[str, str]) -> tuple[str, tuple[Mention, ...]]:
    """Return a sentence with a space in the place of each id, and where those were. `ids` are words, with whose."""
    if not ids:
        return sentence, ()
    words = re.compile("|".join(re.escape(word) for word in sorted(ids, key=len, reverse=True)))
    rest, mentions, end = "", [], 0
    for match in words.finditer(sentence):
        rest += sentence[end:match.start()]
        mentions.append(Mention(place=len(rest), id=ids[match[0]]))
        rest, end = rest + " ", match.end()
    return rest + sentence[end:], tuple(mentions)


def owners(rest: str, mentions: Sequence[Mention], place: int, first: int) -> frozenset[str]:
    """Return the ids of which is said what stands at a place. `first` is where the first such thing stands."""
    if not mentions:
        return frozenset()
    before = [index for index, mention in enumerate(mentions) if mention.place < place]
    behind = [index for index, mention in enumerate(mentions) if mention.place >= place]
    numbers_first = first < mentions[0].place
    index = behind[0] if (numbers_first and behind) or not before else before[-1]
    found = {mentions[index].id}
    for step in (-1, 1):
        at = index
        while 0 <= at + step < len(mentions) and _are_joined(rest, mentions[at], mentions[at + step]):
            at += step
            found.add(mentions[at].id)
    return frozenset(found | {mention.id for mention in mentions if any(_are_kin(mention.id, id_) for id_ in found)})


def _are_joined(rest: str, one: Mention, other: Mention) -> bool:
    low, high = sorted((one.place, other.place))
    return _JOINED.fullmatch(rest[low:high]) is not None


def _are_kin(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")
