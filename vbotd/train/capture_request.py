"""What may be asked of a capture, and what is wrong with what was asked?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vbotd.train.runio import SpecError

DEFAULT_CAMERAS = ("track", "side", "top")
DEFAULT_INSTANCES = 100_001
MAX_EPISODES, MAX_MOMENTS, MAX_SECONDS = 16, 24, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to capture: `capture` in a run's spec.

    The episodes are the instances `first`, `first + 1`, ... of the seed `instances`, as an evaluation numbers them.
    `frames` regular moments of each are photographed, besides the events, by every one of the `cameras`; the first
    camera films them, unless `film` is false. An episode is followed for at most `seconds`.
    """

    checkpoint: str
    episodes: int = 1
    first: int = 0
    instances: int = DEFAULT_INSTANCES
    seconds: float = 10.0
    frames: int = 5
    cameras: tuple[str, ...] = DEFAULT_CAMERAS
    film: bool = True


def parse_request(asked: Mapping[str, Any]) -> Request:
    """Return the request in a spec's `capture`; SpecError for what cannot be."""
    known = {name: Request.__dataclass_fields__[name] for name in Request.__dataclass_fields__}
    for key in asked:
        if key not in known:
            raise SpecError(f"no setting 'capture.{key}' — there are {', '.join(known)}")
    if not isinstance(asked.get("checkpoint"), str):
        raise SpecError("capture.checkpoint is missing — give the path of a ckpt_*.pt file")
    for key, low, high in (("episodes", 1, MAX_EPISODES), ("first", 0, 2**31), ("instances", 0, 2**62),
                           ("frames", 1, MAX_MOMENTS), ("seconds", 0.1, MAX_SECONDS)):  # fmt: skip
        value = asked.get(key, low)
        kinds = int | float if key == "seconds" else int
        if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
            raise SpecError(f"capture.{key} is {value!r} — allowed: {low} to {high}")
    cameras = asked.get("cameras", DEFAULT_CAMERAS)
    if not isinstance(cameras, list | tuple) or not cameras or not all(isinstance(name, str) for name in cameras):
        raise SpecError(f"capture.cameras is {cameras!r} — give a list of names, such as {list(DEFAULT_CAMERAS)}")
    if not isinstance(asked.get("film", True), bool):
        raise SpecError(f"capture.film is {asked['film']!r} — allowed: true, false")
    return Request(**dict(asked) | {"cameras": tuple(cameras)})
