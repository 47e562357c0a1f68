"""Where are the parts of a course, and how high? Rows of a table, measured on the pieces that the robots walk on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from vbotd.domain.reference import Range, TerrainRow
from vbotd.train.terrain.pieces import Ball, Box, Disc, HeightField, Piece

Extent = tuple[Range, Range, Range]  # along x and y, and of the upper side's height
SHAPES = {Box: ("box", "boxes"), HeightField: ("height map", "height maps"), Ball: ("ball", "balls"),
          Disc: ("disc", "discs")}  # fmt: skip


def parts(pieces: Sequence[Piece]) -> tuple[TerrainRow, ...]:
    """Return one row for each part of a course, in the order of its pieces."""
    return tuple(_row(name, list(members)) for name, members in groupby(pieces, key=lambda piece: piece.part))


def _row(name: str, pieces: Sequence[Piece]) -> TerrainRow:
    x, y, top = (_hull(ranges) for ranges in zip(*map(extent, pieces), strict=True))
    one, many = SHAPES[type(pieces[0])]
    shape = one if len(pieces) == 1 else f"{len(pieces)} {many}"
    return TerrainRow(name=name, shape=shape, x=x, y=y, top=top, summary=_details(pieces))


def extent(piece: Piece) -> Extent:
    """Return where the upper side of a piece is, and between which heights; of a ball its highest point alone.

    Raises: TypeError for a piece that is none of ours.
    """
    if isinstance(piece, Box):
        pitch = math.radians(piece.pitch_deg)
        sin, cos = math.sin(pitch), math.cos(pitch)
        x, y, z = piece.centre
        middle_y, middle_z = y - piece.half[2] * sin, z + piece.half[2] * cos
        run, rise = piece.half[1] * cos, piece.half[1] * abs(sin)
        return _around(x, piece.half[0]), _around(middle_y, run), _around(middle_z, rise)
    if isinstance(piece, HeightField):
        x, y = piece.centre
        half_z = piece.range_m / 2.0
        return _around(x, piece.half[0]), _around(y, piece.half[1]), _around(piece.base_m + half_z, half_z)
    if isinstance(piece, Ball | Disc):
        x, y, z = piece.centre
        highest = z + (piece.radius_m if isinstance(piece, Ball) else piece.half_m)
        return _around(x, piece.radius_m), _around(y, piece.radius_m), _around(highest, 0.0)
    raise TypeError(f"a {type(piece).__name__} is no piece of ground — allowed: Box, HeightField, Ball, Disc")


def _details(pieces: Sequence[Piece]) -> str:
    """Return what the three ranges do not say: slopes, steps, radii, ways below."""
    said = []
    boxes = [piece for piece in pieces if isinstance(piece, Box)]
    slopes = sorted({round(abs(box.pitch_deg), 1) for box in boxes if box.pitch_deg})
    if slopes:
        said.append("slope " + ", ".join(f"{slope:g}" for slope in slopes) + " degrees")
    tops = [extent(box)[2][1] for box in boxes]
    rises = {round(abs(b - a), 3) for a, b in pairwise(tops)}
    if len(rises) == 1 and not slopes and 0.0 not in rises:
        said.append(f"steps of {2.0 * boxes[0].half[1]:g} by {rises.pop():g} m")
    radii = {piece.radius_m for piece in pieces if isinstance(piece, Ball | Disc)}
    if radii:
        said.append("radius " + ", ".join(f"{radius:g}" for radius in sorted(radii)) + " m")
    if len(pieces) <= 5 and len(pieces) > 1 and not boxes:
        said.append("at " + ", ".join(f"({piece.centre[0]:g}, {piece.centre[1]:g})"  # type: ignore[attr-defined]
                                      for piece in pieces))  # fmt: skip
    if any(piece.deck for piece in pieces):
        said.append("robots may walk below it")
    return "; ".join(said)


def _around(middle: float, half: float) -> Range:
    return round(middle - half, 3), round(middle + half, 3)


def _hull(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)
