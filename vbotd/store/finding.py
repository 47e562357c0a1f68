"""What does a person mean by an id? The thing itself, the one that begins so, or nothing that we know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from vbotd.errors import NotFound
from vbotd.store.read import Reader

Thing = Literal["campaign", "trial", "run", "event"]

_EVENT = re.compile(r"(?:event[ :]*|#)?([0-9]{1,15})")
NEAR = 0.7  # share of equal letters at which two beginnings look alike
_NEWEST = 20  # campaigns that are searched for an id without its campaign


def resolve_id(reader: Reader, text: str) -> tuple[Thing, str]:
    """Return what an id names, and the whole id.

    A whole id is itself. `123`, `#123` and `event 123` are an event. Otherwise a unique beginning will do, and
    `t003` or `t003/train-s1-a1` without its campaign where one of the newest campaigns, and only one, has it.

    Raises: NotFound with the nearest ids, or with all that begin so.
    """
    text = text.strip().strip("/")
    exact = _exact(reader, text)
    if exact is not None:
        return exact
    event = _EVENT.fullmatch(text)
    if event:
        if not 0 < int(event[1]) <= reader.last_seq():
            raise NotFound(f"there is no event {event[1]} — the newest is {reader.last_seq()} — see 'vbotd log'")
        return "event", event[1]
    campaigns = [record.id for record in reader.records()]
    known = _ids_like(reader, text, campaigns)
    begun = [item for item in known if _begins(item[1], text)] or [
        item for item in known if item[1].endswith(f"/{text}")]
    # A campaign's id begins the ids of all its trials: the shallowest match is the one that is meant.
    depth = min((item[1].count("/") for item in begun), default=0)
    meant = [item for item in begun if item[1].count("/") == depth]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise NotFound(f"'{text}' may be any of {len(meant)}: {', '.join(i for _, i in meant[:8])}"
                       f"{' …' if len(meant) > 8 else ''} — write more of it")
    raise NotFound(f"no campaign, trial, run or event '{text}' — {_hint(text, known)} — see 'vbotd status'")


def _hint(text: str, known: Iterable[tuple[Thing, str]]) -> str:
    """Return what could have been meant: ids whose beginning is near, else the newest campaigns."""
    from difflib import SequenceMatcher
    ids = [id_ for _, id_ in known]
    alike = [id_ for id_ in ids if id_.count("/") == text.count("/")]
    scored = sorted((-SequenceMatcher(None, text, id_[: len(text)]).ratio(), id_) for id_ in alike)
    near = [id_ for score, id_ in scored if -score >= NEAR][:3]
    if near:
        return f"did you mean {' or '.join(repr(id_) for id_ in near)}?"
    campaigns = [id_ for id_ in ids if "/" not in id_]
    return f"known: {', '.join(campaigns[-8:])}" if campaigns else "there is none yet"


def _begins(id_: str, text: str) -> bool:
    """Say whether every part of a text begins that part of an id: `flat/t003` begins `flat-night-1123/t003`."""
    parts, wanted = id_.split("/"), text.split("/")
    return len(wanted) <= len(parts) and all(part.startswith(want) for part, want in zip(parts, wanted, strict=False))


def _exact(reader: Reader, text: str) -> tuple[Thing, str] | None:
    if reader.record(text):
        return "campaign", text
    if reader.trial(text):
        return "trial", text
    return ("run", text) if reader.run(text) else None


def _ids_like(reader: Reader, text: str, campaigns: Iterable[str]) -> list[tuple[Thing, str]]:
    """Return the ids among which a text is looked for: all campaigns, and the inside of those that it may be in."""
    campaigns = list(campaigns)
    found: list[tuple[Thing, str]] = [("campaign", campaign) for campaign in campaigns]
    head = text.partition("/")[0]
    inside = [campaign for campaign in campaigns if "/" in text and campaign.startswith(head)]
    for campaign in inside or campaigns[-_NEWEST:]:
        found += [("trial", trial.id) for trial in reader.trials(campaign)]
        found += [("run", run.id) for run in reader.runs(campaign)]
    return found
