"""Damaged images of the event store: each is read as it was, or refused with what to do; none starts empty.

Every third image has a single flipped bit in the text of an event, which mostly leaves an event that can be read.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.gauntlet.row import Row, Trial
from tests.stories import STORIES, story
from vbotd.domain.event import Stored
from vbotd.errors import StoreError
from vbotd.store.events import EventStore

IMAGES = 2000


def damaged_images(trial: Trial) -> Row:
    """Flip, cut, blank and shuffle parts of a real store, and open what comes of it as a daemon would."""
    store = trial.folder / "sound.db"
    events = build(store)
    sound = store.read_bytes()
    texts = places_of_events(store, sound)
    dice = random.Random(trial.seed)
    read = refused = unseen = 0
    wrong: list[str] = []
    count = trial.times(IMAGES, 20)
    for number in range(count):
        how, image = damage(sound, dice) if number % 3 else flip(sound, texts, dice)
        path = trial.folder / "damaged.db"
        path.write_bytes(image)
        found = looked_at(path)
        if isinstance(found, list):
            read += 1
            if found != events:
                wrong.append(f"image {number} ({how}): {len(found)} of {len(events)} events were read, "
                             f"{sum(a != b for a, b in zip(found, events, strict=False))} of them differ")
            elif how == "event":
                unseen += 1
        elif "--restore" in found or "vbotd doctor" in found or "newer vbotd" in found:
            refused += 1
        else:
            wrong.append(f"image {number} ({how}): {found}")
        path.unlink(missing_ok=True)
        path.with_name("damaged.db-journal").unlink(missing_ok=True)
    return Row(name="damaged stores", figure=f"{count:,} images: {read:,} read, {refused:,} refused with what to do, "
               f"{len(wrong)} wrong; of {-(-count // 3):,} with one flipped bit in an event {unseen} were not noticed",
               bar="none opened empty or read as something else, none refused without a way out", ok=not wrong,
               failures=tuple(wrong[:5]))


def build(path: Path) -> list[Stored]:
    """Make a store with every story in it; return its events."""
    with closing(EventStore(path)) as store:
        for name in STORIES:
            told = story(name)
            store.commit(tuple(event for _, event in told), told[-1][0])
        return list(store.events())


def places_of_events(path: Path, image: bytes) -> list[tuple[int, int]]:
    """Return where in the file the texts of events stand whole: (first byte, length)."""
    with closing(sqlite3.connect(path)) as db:
        texts = [text.encode() for text, in db.execute("SELECT data FROM event")]
    return [(image.find(text), len(text)) for text in texts if image.count(text) == 1]


def looked_at(path: Path) -> list[Stored] | str:
    """Open a store as a daemon does: its events, or the words of the refusal."""
    try:
        with closing(EventStore(path)) as store:
            return list(store.events())
    except StoreError as error:
        return str(error)
    except Exception as error:
        return f"an unexpected {type(error).__name__}: {error}"


def flip(sound: bytes, texts: Sequence[tuple[int, int]], dice: random.Random) -> tuple[str, bytes]:
    """Return an image with one flipped bit in the text of an event."""
    image = bytearray(sound)
    first, length = dice.choice(texts)
    image[first + dice.randrange(length)] ^= 1 << dice.randrange(8)
    return "event", bytes(image)


def damage(sound: bytes, dice: random.Random) -> tuple[str, bytes]:
    """Return how it was damaged, and the image."""
    image = bytearray(sound)
    how = dice.choice(("flips", "cut", "blank page", "swapped pages", "noise", "header", "grown"))
    place = dice.randrange(len(image))
    page = 4096 * dice.randrange(max(1, len(image) // 4096))
    match how:
        case "flips":
            for _ in range(dice.randint(1, 64)):
                image[dice.randrange(len(image))] ^= 1 << dice.randrange(8)
        case "cut":
            image = image[:place]
        case "blank page":
            image[page:page + 4096] = bytes(4096)
        case "swapped pages":
            other = 4096 * dice.randrange(max(1, len(image) // 4096))
            one, two = bytes(image[page:page + 4096]), bytes(image[other:other + 4096])
            image[page:page + 4096], image[other:other + 4096] = two, one
        case "noise":
            length = min(dice.randint(1, 20_000), len(image) - place)
            image[place:place + length] = dice.randbytes(length)
        case "header":
            image[dice.randrange(100)] = dice.randrange(256)
        case "grown":
            image += dice.randbytes(dice.randint(1, 10_000))
    return how, bytes(image)
