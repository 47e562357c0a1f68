"""Which moments of an episode deserve a picture? Regular times, and what physics did to the robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SLIP_MPS = 0.3  # a foot that is slower in the middle of its stance is rolling on its sphere


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """What the choice looks at in one control step. `touching` names what besides a foot touches the ground ("").

    `slip_mps` is the speed of the fastest foot in the middle of its stance.
    """

    time_s: float
    tilt_deg: float
    touching: str = ""
    slip_mps: float = 0.0
    at_goal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A control step to take pictures of, by its number in the episode, and why."""

    index: int
    time_s: float
    reasons: tuple[str, ...]

    @property
    def label(self) -> str:
        """The reasons as a caption."""
        return " + ".join(self.reasons)


def moments(instants: Sequence[Instant], ending: str, regular: int) -> tuple[Moment, ...]:
    """Return the moments of an episode in their order, each control step once.

    `regular` of them are evenly spaced from the first control step to the last. The others are events: the first
    contact of anything but a foot, the largest tilt, the worst slip, the first moment at the goal, and the end, called
    `ending` ("" for an episode that was cut off).
    """
    if not instants:
        return ()
    last = len(instants) - 1
    reasons: dict[int, list[str]] = {}

    def mark(index: int | None, reason: str) -> None:
        if index is not None:
            reasons.setdefault(index, []).append(reason)

    for k in range(regular):
        mark(round(last * k / (regular - 1)) if regular > 1 else 0, "")
    touched = next((i for i, instant in enumerate(instants) if instant.touching), None)
    mark(touched, f"first {instants[touched].touching} contact" if touched is not None else "")
    mark(max(range(len(instants)), key=lambda i: instants[i].tilt_deg), "largest tilt")
    slipped = max(range(len(instants)), key=lambda i: instants[i].slip_mps)
    mark(slipped if instants[slipped].slip_mps > SLIP_MPS else None, "slip")
    mark(next((i for i, instant in enumerate(instants) if instant.at_goal), None), "at the goal")
    if ending:
        mark(last, ending)
    # A regular time needs no words unless something happened then.
    return tuple(
        Moment(index=i, time_s=instants[i].time_s, reasons=tuple(reason for reason in reasons[i] if reason))
        for i in sorted(reasons))
