"""How high is the ground below and ahead of every robot? One raster for each variant of a course."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbotd.train.terrain.pieces import NOTHING_M, Piece

CELL_M = 0.05  # a foot is 0.04 m wide
LANE_M = 12.0  # variants of a course lie side by side along x


class Ground:
    """Heights of V variants of a course, looked up for all robots at once.

    Two layers: the surface seen from above, and the one below every deck, for robots that walk under a bridge.
    """

    def __init__(self, variants: Sequence[Sequence[Piece]], x: tuple[float, float], y: tuple[float, float]) -> None:
        self.num_variants = len(variants)
        self._low = np.array([x[0], y[0]])
        columns, rows = (round((high - low) / CELL_M) + 1 for low, high in (x, y))
        xs, ys = np.meshgrid(x[0] + CELL_M * np.arange(columns), y[0] + CELL_M * np.arange(rows))
        surface, below = [], []
        for pieces in variants:
            solid = _highest([p for p in pieces if not p.deck], xs, ys)
            below.append(solid)
            surface.append(np.maximum(solid, _highest([p for p in pieces if p.deck], xs, ys)))
        self._surface = np.stack(surface).astype(np.float32)  # [V, rows, columns]
        self._below = np.stack(below).astype(np.float32) if any(p.deck for p in variants[0]) else self._surface

    def height(
        self, variant: np.ndarray, x: np.ndarray, y: np.ndarray, from_z: np.ndarray | float = np.inf
    ) -> np.ndarray:
        """Return the ground's height [N, ...] at points of the course, of the layer that lies below `from_z`.

        `variant` [N] broadcasts over the trailing axes of `x` and `y`; beyond the raster its edge counts.
        """
        rows, columns = self._surface.shape[1:]
        j = _within(np.rint((x - self._low[0]) / CELL_M), columns)
        i = _within(np.rint((y - self._low[1]) / CELL_M), rows)
        v = variant.reshape(variant.shape + (1,) * (x.ndim - variant.ndim))
        # One flat index, and bounds without `clip`: this is looked up at 36 points a robot, and took twice as long.
        at = ((v * rows + i) * columns + j).astype(np.intp)
        surface: np.ndarray = self._surface.take(at)
        if self._below is self._surface:
            return surface
        return np.where(surface > from_z, self._below.take(at), surface)


def _within(cells: np.ndarray, count: int) -> np.ndarray:
    """Return cells beyond the raster as those at its edge."""
    bounded: np.ndarray = np.minimum(np.fmax(cells, 0.0), count - 1.0)  # what is no number is at the edge, too
    return bounded


def _highest(pieces: Sequence[Piece], xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    height = np.full(xs.shape, NOTHING_M)
    for piece in pieces:
        np.maximum(height, piece.top(xs, ys), out=height)
    return height
