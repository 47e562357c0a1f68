"""What do the three sections of the obstacle course look like? Their pieces, with the published dimensions.

x to the right, y ahead along the course, z up; metres. Where the publication names no figure, the choice is ours and
is noted at the piece: the river bed's facets (their lengths, so that the bed falls 1.0 m), the height of the stepping
stones (0.1 m above the bed), the planks' thickness. The eight cones are left out: their places are not published.

Every builder takes the scale of the height maps and that of the steps; 1 is the competition's. Lower steps have lower
landings: all heights of sections 012 and 013 then lie nearer to the pads (`lowered`), in the same places.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from vbotd.train.terrain.heightmap import height_map
from vbotd.train.terrain.pieces import EARTH, STONE, WOOD, Ball, Box, Colour, Disc, HeightField, Piece, stairs

PLATFORM_M = 1.294  # the level of all pads between the obstacles
MIN_CORRELATION_M, MAX_CORRELATION_M = 0.4, 0.6
BORDER_M = 0.4
BUMP_RANGE_M = 0.277
WAVE_RANGE_M = 0.1
RANDOM_RANGE_M = 0.149
ROUGH_RANGE_M, ROUGH_HALF_M = 0.1, 25.0
STEP_RUN_M = 0.2
BED_SLOPES_DEG = (23.0, 18.0, 11.0, 4.5)
BED_LENGTHS_M = (1.1, 1.0, 0.8, 0.6)
STONES = ((0.36, 15.84), (3.5, 15.84), (2.0, 17.83), (0.36, 19.72), (3.5, 19.72))
BALLS_X = (-3.0, 0.0, 3.0)
BALL_Y = 31.23
BALL_RADIUS_M = 0.75
BRIDGE_X, BRIDGE_HALF_WIDTH_M = -3.0, 1.32
BRIDGE_Y = (15.2, 20.4)
HEAD_M, BANK_M = 2.794, 2.294  # the landings of the left stairs, at the bridge, and of the right ones, at the bed
BRIDGE_TOP_M, BRIDGE_SAG_M = 2.80, 0.205
PLANKS = 23


def start_and_bumps(rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
    """Return section 011: the START pad, the bumpy field, a 15 degree ramp, and the platform at its top. No steps."""
    return [
        _slab("start pad", x=(-5.0, 5.0), y=(-3.5, -1.5), top=0.0),
        _slab("below the bumps", x=(-5.0, 5.0), y=(-1.5, 2.0), top=0.0, colour=EARTH),
        _field("bumps", rng, centre_y=0.0, half_y=1.5, base_m=0.0, range_m=BUMP_RANGE_M * roughness),
        Box(centre=(0.0, 4.4795, 0.4056), half=(5.0, 2.5, 0.25), pitch_deg=15.0, part="ramp"),
        Box(centre=(0.0, 7.8296, 1.0441), half=(5.0, 1.0, 0.25), part="platform"),
    ]


def stairs_bridge_and_bed(rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
    """Return section 012: the wave field, both stairs, the suspension bridge, the river bed and the mirrored stairs."""
    return [
        _slab("entry pad", x=(-5.0, 5.0), y=(8.0, 12.33), top=PLATFORM_M),
        _field("waves", rng, centre_y=10.33, half_y=1.5, base_m=PLATFORM_M, range_m=WAVE_RANGE_M * roughness),
        *_both_stairs("up", steps, first_y=12.33, up=True),
        *_bed(steps),
        _slab("bridge head", x=(-5.0, -1.0), y=(14.33, BRIDGE_Y[0]), top=lowered(HEAD_M, steps)),
        _slab("far bridge head", x=(-5.0, -1.0), y=(BRIDGE_Y[1], 21.33), top=lowered(HEAD_M, steps)),
        *_bridge(steps),
        *(
            Disc(centre=(x, y, _bed_height(y, steps) + 0.05), radius_m=0.75, half_m=0.05, part="stepping stones")
            for x, y in STONES
        ),
        *_both_stairs("down", steps, first_y=21.33, up=False),
        _exit_pad(),
    ]


def step_and_balls(rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
    """Return section 013: the low step, random terrain, three fixed balls sunk in the final slab, and that slab.

    The step is a short ramp with an edge down to the random terrain, from which another edge leads up to the slab.
    """
    final_m, cap_m = lowered(1.494, steps), lowered(1.594, steps)
    return [
        _slab("pad", x=(-5.0, 5.0), y=(25.33, 27.33), top=PLATFORM_M),
        Box(centre=(0.0, 27.58, 0.544), half=(5.0, 0.25, 0.75), part="below the step"),
        _facet("step", (27.33, PLATFORM_M), (27.83, final_m), half_z=0.1, colour=STONE),
        _slab("below the random terrain", x=(-5.0, 5.0), y=(27.83, 30.83), top=PLATFORM_M),
        _field(
            "random terrain", rng, centre_y=29.33, half_y=1.5, base_m=lowered(1.343, steps),
            range_m=RANDOM_RANGE_M * roughness,
        ),
        _slab("final platform", x=(-5.0, 5.0), y=(30.83, 33.83), top=final_m),
        *(Ball(centre=(x, BALL_Y, cap_m - BALL_RADIUS_M), radius_m=BALL_RADIUS_M, part="balls") for x in BALLS_X),
        Box(centre=(0.0, 34.33, 1.5), half=(5.0, 0.1, 0.6), part="end wall"),
    ]  # fmt: skip


def end_of_course(rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
    """Return section 013 and the exit pad before it: alone, a robot would begin its run 0.2 m before an abyss."""
    return [_exit_pad(), *step_and_balls(rng, roughness, steps)]


def whole_course(rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
    """Return all three sections, 34 m."""
    parts = (start_and_bumps, stairs_bridge_and_bed, step_and_balls)
    return [piece for part in parts for piece in part(rng, roughness, steps)]


def rough_field(rng: np.random.Generator, roughness: float, steps: float = 1.0) -> list[Piece]:
    """Return a square of 50 m with bumps of 0.1 m, for walking at a commanded velocity in any direction. No steps."""
    side_m, range_m = 2.0 * ROUGH_HALF_M, ROUGH_RANGE_M * roughness
    heights = height_map(rng, (side_m, side_m), range_m, _correlation(rng), BORDER_M)
    half = (ROUGH_HALF_M, ROUGH_HALF_M)
    return [HeightField(centre=(0.0, 0.0), half=half, base_m=0.0, range_m=range_m, heights=heights, part="rough field")]


def lowered(height_m: float, steps: float) -> float:
    """Return where a height of section 012 or 013 lies when steps are scaled by `steps`: nearer to the pads' level."""
    return PLATFORM_M + (height_m - PLATFORM_M) * steps


def bridge_height(y: float) -> float:
    """Return the height of the deck: a bridge hangs, so its middle is lower by `BRIDGE_SAG_M` (a parabola)."""
    share = (y - BRIDGE_Y[0]) / (BRIDGE_Y[1] - BRIDGE_Y[0])
    return BRIDGE_TOP_M - BRIDGE_SAG_M * 4.0 * share * (1.0 - share)


def _slab(part: str, *, x: tuple[float, float], y: tuple[float, float], top: float, colour: Colour = STONE) -> Box:
    half_z = 0.5
    return Box(
        centre=((x[0] + x[1]) / 2.0, (y[0] + y[1]) / 2.0, top - half_z),
        half=((x[1] - x[0]) / 2.0, (y[1] - y[0]) / 2.0, half_z),
        colour=colour,
        part=part,
    )


def _exit_pad() -> Box:
    return _slab("exit pad", x=(-5.0, 5.0), y=(23.33, 25.33), top=PLATFORM_M)


def _correlation(rng: np.random.Generator) -> float:
    return float(rng.uniform(MIN_CORRELATION_M, MAX_CORRELATION_M))


def _field(
    part: str, rng: np.random.Generator, *, centre_y: float, half_y: float, base_m: float, range_m: float
) -> HeightField:
    heights = height_map(rng, (10.0, 2.0 * half_y), range_m, _correlation(rng), BORDER_M)
    half = (5.0, half_y)
    return HeightField(centre=(0.0, centre_y), half=half, base_m=base_m, range_m=range_m, heights=heights, part=part)


def _both_stairs(way: str, steps: float, *, first_y: float, up: bool) -> list[Piece]:
    """Return the low stairs on the right, 10 x 0.10 m, and the high ones on the left, 10 x 0.15 m."""
    low, high = (
        stairs(
            part=f"{side} stairs {way}", first_y=first_y, run_m=STEP_RUN_M, rise_m=rise_m * steps, steps=10,
            base_m=PLATFORM_M, x=x, up=up,
        )
        for side, rise_m, x in (("right", 0.10, (-1.0, 5.0)), ("left", 0.15, (-5.0, -1.0)))
    )  # fmt: skip
    return [*low, *high]


def _bed_profile(steps: float) -> list[tuple[float, float]]:
    """Return (y, height) at the facets' ends, from one bank down to the middle and up to the other."""
    points = [(14.33, lowered(BANK_M, steps))]
    for slope_deg, length_m in zip(BED_SLOPES_DEG, BED_LENGTHS_M, strict=True):
        y, z = points[-1]
        points.append((y + length_m, z - length_m * math.tan(math.radians(slope_deg)) * steps))
    return points + [(2.0 * points[-1][0] - y, z) for y, z in reversed(points[:-1])]


def _bed_height(y: float, steps: float) -> float:
    ys, zs = zip(*_bed_profile(steps), strict=True)
    return float(np.interp(y, ys, zs))


def _bed(steps: float) -> list[Piece]:
    ends = itertools.pairwise(_bed_profile(steps))
    return [_facet("river bed", near, far, half_z=0.2, colour=EARTH) for near, far in ends]


def _facet(part: str, near: tuple[float, float], far: tuple[float, float], *, half_z: float, colour: Colour) -> Box:
    """Return a slab as wide as the course whose upper side leads from one (y, height) to the next."""
    (y0, z0), (y1, z1) = near, far
    pitch = math.atan2(z1 - z0, y1 - y0)
    centre = (0.0, (y0 + y1) / 2.0 + half_z * math.sin(pitch), (z0 + z1) / 2.0 - half_z * math.cos(pitch))
    half = (5.0, math.hypot(y1 - y0, z1 - z0) / 2.0, half_z)
    return Box(centre=centre, half=half, pitch_deg=math.degrees(pitch), colour=colour, part=part)


def _bridge(steps: float) -> list[Piece]:
    half_y, half_z = (BRIDGE_Y[1] - BRIDGE_Y[0]) / PLANKS / 2.0, 0.025
    ys = [BRIDGE_Y[0] + (2 * i + 1) * half_y for i in range(PLANKS)]
    return [
        Box(
            centre=(BRIDGE_X, y, lowered(bridge_height(y), steps) - half_z),
            half=(BRIDGE_HALF_WIDTH_M, half_y, half_z),
            colour=WOOD,
            deck=True,
            part="suspension bridge",
        )
        for y in ys
    ]
