"""Does it walk? The last word on a clip: a class, and the numbers that decided. No reward and no picture is looked at.

The bars were set on scenes of other seeds and sizes than those that they are measured on (`bench/kinematic.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vbotd.core.clip import DOWN_HEIGHT, DOWN_TILT_DEG, LOW_HEIGHT, MOVING_MPS, Clip, Motion, measure, until_arrival
from vbotd.core.gait import FEET

GaitClass = Literal["walks", "limps", "drags", "stands", "lies", "falls", "unclear"]
CLASSES: tuple[GaitClass, ...] = ("walks", "limps", "drags", "stands", "lies", "falls", "unclear")
GETS_ALONG: frozenset[GaitClass] = frozenset({"walks", "limps"})  # on its feet, where it was asked to go

MIN_S = 1.0  # a shorter clip proves no gait, and so little time on the feet is no stance to fall from
TUMBLE_S = 0.1  # down for so long, and up again, was a fall too
GENTLE_S, GENTLE_TILT_DEG = 0.3, 45.0  # going down no faster, and no more tilted, is lying down
CRAWL_S = 1.5  # down and under way for so long is dragging itself, not sliding after a fall
MOVES, MOSTLY = 0.5, 0.5  # shares of the time
SCRAPES = 0.2  # share of the way with the trunk or a shin on the ground
SLIDES = 0.6  # share of the feet's time on the ground
STEPS_PER_S = 0.3  # fewer, of three feet, is no stepping
UNEQUAL_STEPS, ODD_DUTY, IDLE_LEG = 0.5, 0.3, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWord:
    """What the gate says of one episode. `why` names the numbers; `asked` is False where nothing asked it to move."""

    kind: GaitClass
    why: str
    motion: Motion
    asked: bool

    @property
    def passes(self) -> bool:
        """Whether the robot got along on its feet, or was asked for nothing else than to stand."""
        return self.kind in GETS_ALONG or (not self.asked and self.kind == "stands")


def judge_clip(clip: Clip) -> GateWord:
    """Return the class of a clip.

    What a robot does where it has arrived is the task's business, so that one that is to sit down there may: only a
    fall counts there, and not in an episode that the task calls a success.
    """
    if clip.ending == "success":
        return _word(until_arrival(clip))
    word = _word(clip)
    return _word(until_arrival(clip)) if word.kind == "lies" else word


def _word(clip: Clip) -> GateWord:
    motion = measure(clip)
    kind, why = _off_its_feet(motion, clip.ending) or _on_its_feet(motion)
    return GateWord(kind=kind, why=why, motion=motion, asked=motion.asked_share * motion.seconds >= MIN_S)


def summary(words: Sequence[GateWord]) -> str:
    """Return what the gate says of several episodes, in a line: each class with its count, and the first reason."""
    counted = [(kind, sum(word.kind == kind for word in words)) for kind in CLASSES]
    shown = ", ".join(f"{kind} in {count} of {len(words)}" for kind, count in counted if count)
    worst = next((word for word in words if not word.passes), words[0])
    return f"{shown} episodes ({worst.why})"


def _off_its_feet(motion: Motion, ending: str) -> tuple[GaitClass, str] | None:
    """Return the class of a robot that is or was down, None for one that kept its feet."""
    down_s = motion.down_share * motion.seconds
    if ending in ("fall", "diverged"):
        return "falls", f"the episode ended with '{ending}' after {motion.seconds:.2f} s"
    if down_s < TUMBLE_S:
        return None
    upright = motion.largest_tilt_deg < GENTLE_TILT_DEG
    crawls = motion.down_moving_share >= MOVES and down_s >= CRAWL_S
    if crawls and (motion.down_share >= MOSTLY or upright):
        return "drags", (f"under way for {motion.down_moving_share:.0%} of the {down_s:.1f} s in which it was down "
                         f"(lower than {DOWN_HEIGHT:.0%} of its stance, or tilted beyond {DOWN_TILT_DEG:.0f} degrees)")
    if motion.down_from_s is None:
        return ("lies" if motion.down_share >= MOSTLY else "falls"), (
            f"down for {down_s:.1f} s of {motion.seconds:.1f} s, tilted by up to {motion.largest_tilt_deg:.0f} degrees")
    if motion.down_from_s >= MIN_S and not (upright and motion.descent_s >= GENTLE_S):
        return "falls", (f"stood for {motion.down_from_s:.1f} s and was down within {motion.descent_s:.2f} s, "
                         f"tilted by up to {motion.largest_tilt_deg:.0f} degrees")
    return "lies", f"down from {motion.down_from_s:.1f} s on, at {motion.height:.0%} of its stance"


def _on_its_feet(motion: Motion) -> tuple[GaitClass, str]:
    """Return the class of a robot that kept its feet."""
    if motion.seconds < MIN_S:
        return "unclear", f"only {motion.seconds:.2f} s long"
    if motion.moving_share < MOVES:
        if motion.other_contact_share >= MOSTLY:
            return "lies", f"the trunk or a shin on the ground for {motion.other_contact_share:.0%} of the time"
        return "stands", (f"faster than {MOVING_MPS:g} m/s, or turning, for {motion.moving_share:.0%} of the time "
                          "in which it was to move")
    return _drags(motion) or _limps(motion) or ("walks", (
        f"{motion.speed_mps:.2f} m/s at {motion.height:.0%} of its stance, "
        f"{min(motion.steps_per_s):.1f} to {max(motion.steps_per_s):.1f} steps a second"))


def _drags(motion: Motion) -> tuple[GaitClass, str] | None:
    if motion.other_contact_share >= SCRAPES:
        return "drags", f"the trunk or a shin on the ground for {motion.other_contact_share:.0%} of the way"
    if motion.low_share >= MOSTLY:
        return "drags", f"lower than {LOW_HEIGHT:.0%} of its stance for {motion.low_share:.0%} of the way"
    if motion.slid_share >= SLIDES:
        return "drags", f"its feet slid for {motion.slid_share:.0%} of their time on the ground"
    if sorted(motion.steps_per_s)[2] < STEPS_PER_S:
        steps = _of_feet(motion.steps_per_s)
        return "drags", f"moved at {motion.speed_mps:.2f} m/s without stepping ({steps} a second)"
    return None


def _limps(motion: Motion) -> tuple[GaitClass, str] | None:
    if motion.slowest_foot < UNEQUAL_STEPS:
        return "limps", f"unequal steps ({_of_feet(motion.steps_per_s)} a second)"
    if motion.idlest_leg < IDLE_LEG:
        return "limps", f"one leg moved {motion.idlest_leg:.0%} as much as the others"
    if motion.odd_foot >= ODD_DUTY:
        return "limps", f"one foot is on the ground for another share of the time ({_of_feet(motion.duty)})"
    return None


def _of_feet(values: Sequence[float]) -> str:
    return ", ".join(f"{foot} {value:.2f}" for foot, value in zip(FEET, values, strict=True))
