"""What did a robot do in a clip of its telemetry, in numbers? Nothing here knows the task, the reward or a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from vbotd.core.gait import SHORT_S, spans

NUM_FEET = 4
DOWN_TILT_DEG, DOWN_HEIGHT = 60.0, 0.5  # a robot is down beyond this tilt, or below this share of its nominal height
LOW_HEIGHT = 0.6  # of the nominal height; a trot keeps above 0.9
MOVING_MPS, TURNING_RADPS = 0.1, 0.25  # slower is standing
MOTION_S = 1.0  # the window of both: what sways goes nowhere in it
SLIDING = 0.5  # a foot on the ground that does this share of the robot's speed slides
STILL_MPS = 0.12  # a foot that rolls on its sphere, or turns, is no slower than this
LONG_SWING_S = 1.0  # a foot that is up for longer is carried, not swung
PAIRINGS = (((0, 1), (2, 3)), ((0, 3), (1, 2)), ((0, 2), (1, 3)))  # ends, diagonals, sides of FR, FL, RR, RL
GAIT_BAND_HZ = 8.0  # joints that move faster shake


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The telemetry of one episode, a row a control step of `dt_s` (T rows).

    `asked` says where it was asked to move (None: nobody says, so everywhere). `ending` is how the episode ended:
    "fall", "diverged", "success", "time-out", or "" where it would have gone on.
    """

    dt_s: float
    nominal_height_m: float  # of the base above the feet, in the home pose
    height_m: np.ndarray  # [T] of the base above its lowest foot
    tilt_deg: np.ndarray  # [T] between the base's up and the world's
    place_w_m: np.ndarray  # [T, 2] of the base
    yaw_radps: np.ndarray  # [T]
    foot_contact: np.ndarray  # [T, 4] bool
    foot_speed_mps: np.ndarray  # [T, 4] horizontal
    other_contact: np.ndarray  # [T] bool: the trunk or a shin touches the ground
    joint_vel_radps: np.ndarray  # [T, 12]
    asked: np.ndarray | None = None  # [T] bool
    ending: str = ""

    def __post_init__(self) -> None:
        if not len(self.height_m):
            raise ValueError("a clip needs at least one control step")

    @property
    def slip_mps(self) -> np.ndarray:
        """How fast the fastest foot is [T] that is in the middle of its stance; 0 where none is."""
        down = self.foot_contact
        middle = down.copy()
        middle[1:] &= down[:-1]  # a foot that lands or leaves is fast, and does not slip
        middle[:-1] &= down[1:]
        middle[[0, -1]] = False
        fastest: np.ndarray = np.where(middle, self.foot_speed_mps, 0.0).max(axis=1)
        return fastest


def until_arrival(clip: Clip) -> Clip:
    """Return a clip up to where it was last asked to move; the clip itself where that is its end, or nowhere."""
    moves = np.flatnonzero(clip.asked) if clip.asked is not None else np.arange(0)
    if not len(moves) or moves[-1] == len(clip.height_m) - 1:
        return clip
    rows: dict[str, Any] = {item.name: value[:moves[-1] + 1] for item in fields(clip)
                            if isinstance(value := getattr(clip, item.name), np.ndarray)}  # fmt: skip
    return replace(clip, **rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A clip in numbers. Shares are 0-1; those of feet are FR, FL, RR, RL, and are taken while the robot moves."""

    seconds: float
    asked_share: float  # of the time in which it was asked to move
    moving_share: float  # of that time in which it did
    moving_s: float
    speed_mps: float  # mean while it moves
    idlest_leg: float  # the leg that moved its joints least, as a share of the median leg
    down_share: float  # tilted beyond DOWN_TILT_DEG, or lower than DOWN_HEIGHT
    down_moving_share: float  # of the time in which it was down; 0 where it never was
    down_from_s: float | None  # since when it is down to the end; None: it is not
    descent_s: float  # from the last moment that it stood to when it was down; 0 where it never was
    low_share: float
    height: float  # median, as a share of the nominal height
    largest_tilt_deg: float
    other_contact_share: float  # of the time that it moves; of the whole clip where it does not
    steps_per_s: tuple[float, ...]  # of each foot: whole swings of 0.04 to 1 s
    duty: tuple[float, ...]  # of each foot: share of the time on the ground
    sliding: tuple[float, ...]  # of each foot: share of the time on the ground while doing half of the robot's speed
    shaking: float  # share of the joints' motion that is faster than a gait

    @property
    def slowest_foot(self) -> float:
        """Steps a second of the foot that steps the least, as a share of those of the one that steps the most.

        1 where none steps.
        """
        most = max(self.steps_per_s)
        return min(self.steps_per_s) / most if most > 0 else 1.0

    @property
    def odd_foot(self) -> float:
        """How much one foot's share of the time on the ground differs from its partner's, however one pairs them.

        Every sound gait pairs the feet somehow: diagonals in a trot, sides in a pace, ends in a bound. One bad leg
        spoils all three pairings; so this is the smallest of the three pairings' largest differences.
        """
        return min(max(abs(self.duty[a] - self.duty[b]) for a, b in pairs) for pairs in PAIRINGS)

    @property
    def slid_share(self) -> float:
        """The share of all feet's time on the ground in which they slide along with the robot."""
        down = sum(self.duty)
        return sum(self.sliding) / down if down > 0 else 0.0


def measure(clip: Clip) -> Motion:
    """Return a clip in numbers."""
    steps, dt_s = len(clip.height_m), clip.dt_s
    asked = np.ones(steps, dtype=bool) if clip.asked is None else clip.asked.astype(bool)
    speed, moving = _moving(clip)
    ratio = clip.height_m / clip.nominal_height_m
    down = (clip.tilt_deg > DOWN_TILT_DEG) | (ratio < DOWN_HEIGHT)
    down_from = _down_from(down)
    of = moving if moving.any() else np.ones(steps, dtype=bool)
    sliding = clip.foot_contact & (clip.foot_speed_mps > np.maximum(SLIDING * speed, STILL_MPS)[:, None])
    return Motion(
        seconds=steps * dt_s, asked_share=float(asked.mean()),
        moving_share=float(moving[asked].mean()) if asked.any() else float(moving.mean()),
        moving_s=float(moving.sum()) * dt_s, speed_mps=float(speed[moving].mean()) if moving.any() else 0.0,
        idlest_leg=_idlest_leg(clip.joint_vel_radps), down_share=float(down.mean()),
        down_moving_share=float(moving[down].mean()) if down.any() else 0.0,
        down_from_s=None if down_from is None else down_from * dt_s,
        descent_s=_descent_s(clip, ratio, down_from), low_share=float((ratio[of] < LOW_HEIGHT).mean()),
        height=float(np.median(ratio)), largest_tilt_deg=float(clip.tilt_deg.max()),
        other_contact_share=float(clip.other_contact[of].mean()),
        steps_per_s=tuple(_steps_per_s(clip.foot_contact[:, i], of, dt_s) for i in range(NUM_FEET)),
        duty=tuple(clip.foot_contact[of].mean(axis=0).tolist()), sliding=tuple(sliding[of].mean(axis=0).tolist()),
        shaking=_shaking(clip.joint_vel_radps, dt_s))  # fmt: skip


def _moving(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Return the speed over the ground [T] m/s and whether the robot moves [T], both over a window of MOTION_S."""
    steps = len(clip.height_m)
    half = min(max(round(MOTION_S / clip.dt_s / 2), 1), max((steps - 1) // 2, 1))
    before, after = np.maximum(np.arange(steps) - half, 0), np.minimum(np.arange(steps) + half, steps - 1)
    seconds = np.maximum(after - before, 1) * clip.dt_s
    speed = np.linalg.norm(clip.place_w_m[after] - clip.place_w_m[before], axis=1) / seconds
    turned = np.concatenate([[0.0], np.cumsum(clip.yaw_radps) * clip.dt_s])
    turning = np.abs(turned[after] - turned[before]) / seconds
    return speed, (speed > MOVING_MPS) | (turning > TURNING_RADPS)


def _down_from(down: np.ndarray) -> int | None:
    """Return the control step from which a robot is down to the end, None where it is up at the end."""
    if not down[-1]:
        return None
    up = np.flatnonzero(~down)
    return int(up[-1]) + 1 if len(up) else 0


def _descent_s(clip: Clip, ratio: np.ndarray, down_from: int | None) -> float:
    """Return how long it took to go down: from the last control step with a stance to the first on the ground."""
    if down_from is None:
        return 0.0
    stood = np.flatnonzero((ratio[:down_from] > 0.8) & (clip.tilt_deg[:down_from] < DOWN_TILT_DEG / 2))
    return (down_from - int(stood[-1])) * clip.dt_s if len(stood) else math.inf


def _steps_per_s(contact: np.ndarray, of: np.ndarray, dt_s: float) -> float:
    """Return how many whole swings a second a foot [T] makes in the control steps `of` [T]."""
    stances = spans(contact.tolist(), dt_s, SHORT_S)
    swings = [(before[1], after[0]) for before, after in pairwise(stances)]
    counted = sum(end - begin <= LONG_SWING_S and bool(of[min(round((begin + end) / 2 / dt_s), len(of) - 1)])
                  for begin, end in swings)  # fmt: skip
    return counted / (float(of.sum()) * dt_s)


def _idlest_leg(joint_vel: np.ndarray) -> float:
    """Return the smallest of the legs' root mean square joint velocities [T, 12], as a share of their median."""
    legs = np.sqrt((joint_vel.reshape(len(joint_vel), NUM_FEET, -1) ** 2).mean(axis=(0, 2)))
    middle = float(np.median(legs))
    return float(legs.min()) / middle if middle > 0 else 1.0


def _shaking(joint_vel: np.ndarray, dt_s: float) -> float:
    """Return the share of the joints' power [T, 12] that is above GAIT_BAND_HZ; 0 where nothing moves."""
    power = (np.abs(np.fft.rfft(joint_vel - joint_vel.mean(axis=0), axis=0)) ** 2).sum(axis=1)
    total = float(power.sum())
    return float(power[np.fft.rfftfreq(len(joint_vel), dt_s) > GAIT_BAND_HZ].sum()) / total if total > 1e-9 else 0.0
