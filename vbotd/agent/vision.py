"""How does the robot move, in a vision model's opinion? A structured question in batches, with known answers mixed in.

The answer is an opinion: it is checked against a schema, cut to size, labelled with the model's name and with how
often it was wrong on the known answers, and decides nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vbotd.agent.ask import Endpoint, ModelError, ask, plain
from vbotd.core.interval import Measured
from vbotd.core.kinematic_gate import GaitClass
from vbotd.core.look_batches import Seen, Shown, batches, error_rate
from vbotd.store.files import sha256_of

KNOWN = Path(__file__).with_name("known")
MAX_WORDS = 160  # characters of what is said of a picture
RETRIES = 3
FAILURES_IN_A_ROW = 2  # then the rest is not asked any more
QUESTION = """Each of the {count} pictures is a contact sheet of one episode of a simulated quadruped: moments from
left to right, each seen by two cameras, one below the other, which go along with the robot and do not turn with it.
Above each moment stand its time and how far the robot is from where it began.
Say of every picture which one word fits best how the robot moves in this episode:
walks (goes along on four legs that step), limps (goes along, but one leg does not step as the others do),
drags (goes along with its trunk or shins on the ground, or without stepping), stands (on its feet, goes nowhere),
lies (on the ground for most of the time), falls (is on its feet and then falls), unclear (it cannot be seen).
Answer with JSON only, one entry a picture, in their order:
{{"pictures": [{{"number": 1, "gait": "walks", "confidence": 0.0 to 1.0, "seen": "what shows it, in 20 words"}}]}}"""


class Sight(BaseModel):
    """What a model says of one picture."""

    model_config = ConfigDict(extra="ignore")

    number: int
    gait: GaitClass
    confidence: float = Field(ge=0.0, le=1.0)
    seen: str = ""

    @field_validator("gait", mode="before")
    @classmethod
    def _in_lower_case(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value


class Answer(BaseModel):
    """What a model says of a batch of pictures."""

    model_config = ConfigDict(extra="ignore")

    pictures: list[Sight] = Field(min_length=1, max_length=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A model's opinions of the asked pictures, how often it was wrong where the answer is known, and what failed."""

    model: str
    opinions: Mapping[str, Seen]  # by the name of the picture; what failed is not there
    known: Sequence[Seen]
    failures: tuple[str, ...]
    seconds: float

    @property
    def error(self) -> Measured | None:
        """The error rate on the known answers; None where none was answered."""
        return error_rate(self.known)

    @property
    def label(self) -> str:
        """Whose words these are, and how far they may be trusted."""
        error = self.error
        wrong = "never measured" if error is None else (
            f"wrong in {round(error['value'] * error['n'])} of {error['n']} known clips, "
            f"95 % interval {error['low']:.0%} to {error['high']:.0%}")  # fmt: skip
        return f"opinion of the model '{self.model}', not a measurement ({wrong})"


def known_clips(folder: Path = KNOWN) -> dict[str, tuple[Path, str]]:
    """Return the sheets that came with the package: by name, the file and its answer.

    Raises: ModelError where one is not the file whose hash is recorded.
    """
    listed = json.loads((folder / "known.json").read_text(encoding="utf-8"))["clips"]
    for clip in listed:
        if sha256_of(folder / clip["file"]) != clip["sha256"]:
            raise ModelError(f"{clip['file']}: not the sheet whose answer is known — install vbotd anew")
    return {f"known/{clip['file']}": (folder / clip["file"], clip["class"]) for clip in listed}


def look(
    endpoint: Endpoint,
    sheets: Mapping[str, Path],
    *,
    seed: str,
    deadline_s: float = 600.0,
    retries: int = RETRIES,
    go_on: Callable[[], bool] = lambda: True,
) -> Look:
    """Ask about contact sheets, by name, and measure the model's error rate while at it. Never raises for an answer.

    A batch that fails (no connection, 429 after `retries` more tries, a time-out, garbage, too much) costs that batch;
    after two in a row, after `deadline_s`, or when `go_on` says no, the rest is not asked.
    """
    began_s = time.monotonic()
    known = known_clips()
    files = dict(sheets) | {name: path for name, (path, _) in known.items()}
    truths = [Shown(name=name, truth=truth) for name, (_, truth) in known.items()]
    seen: list[Seen] = []
    failures: list[str] = []
    in_a_row = 0
    for batch in batches(list(sheets), truths, seed):
        why_not = _why_not(in_a_row, time.monotonic() - began_s, deadline_s, go_on)
        if why_not:
            failures.append(why_not)
            break
        try:
            seen += _ask_batch(endpoint, batch, files, retries)
            in_a_row = 0
        except ModelError as err:
            failures.append(plain(str(err), 300))
            in_a_row += 1
    return Look(
        model=plain(endpoint.model, 80), opinions={one.shown.name: one for one in seen if not one.shown.truth},
        known=[one for one in seen if one.shown.truth], failures=tuple(dict.fromkeys(failures)),
        seconds=round(time.monotonic() - began_s, 3))  # fmt: skip


def answer_of(text: str, count: int) -> tuple[Sight, ...]:
    """Return what a model's text says of `count` pictures, in their order. Raises: ModelError for anything else."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        answer = Answer.model_validate_json(text[begin:end + 1] if 0 <= begin < end else text)
    except ValidationError as err:
        first = err.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ModelError(f"the model's answer does not fit the question ({place}: {first['msg']}) — "
                         f"it began: {text[:80]!r}") from err
    by_number = {sight.number: sight for sight in answer.pictures}
    if sorted(by_number) != list(range(1, count + 1)) or len(answer.pictures) != count:
        numbers = [sight.number for sight in answer.pictures]
        raise ModelError(f"the model answered about the pictures {numbers}, it was asked about 1 to {count}")
    return tuple(by_number[number] for number in range(1, count + 1))


def _ask_batch(
    endpoint: Endpoint, batch: Sequence[Shown], files: Mapping[str, Path], retries: int
) -> list[Seen]:
    opinion = ask(endpoint, QUESTION.format(count=len(batch)), [files[shown.name] for shown in batch], retries=retries)
    return [Seen(shown=shown, said=sight.gait, confidence=sight.confidence,
                 words=plain(sight.seen, MAX_WORDS).replace("\n", " "))
            for shown, sight in zip(batch, answer_of(opinion.text, len(batch)), strict=True)]  # fmt: skip


def _why_not(in_a_row: int, seconds: float, deadline_s: float, go_on: Callable[[], bool]) -> str:
    if in_a_row >= FAILURES_IN_A_ROW:
        return f"the rest was not asked after {in_a_row} failures in a row"
    if seconds > deadline_s:
        return f"the rest was not asked: {deadline_s:g} s are over"
    return "" if go_on() else "the rest was not asked: it was to stop"

