"""What is the ground made of? Boxes, height fields, balls and discs: each goes into the MJCF and knows its top."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import mujoco
import numpy as np

NOTHING_M = -1e3  # the height where there is no ground
SEAM_M = 1e-6  # rounding must not open a gap between two boxes that touch
GROUND = {"contype": 1, "conaffinity": 0, "condim": 3, "friction": [0.8, 0.02, 0.001]}
Colour = tuple[float, float, float, float]
STONE: Colour = (0.46, 0.47, 0.44, 1.0)
EARTH: Colour = (0.52, 0.44, 0.34, 1.0)
WOOD: Colour = (0.58, 0.42, 0.26, 1.0)
GOLD: Colour = (0.85, 0.66, 0.20, 1.0)


class Piece(Protocol):
    """A part of the ground, in the coordinates of its course; metres."""

    @property
    def deck(self) -> bool:
        """Say whether robots may walk below it."""

    @property
    def part(self) -> str:
        """The part of the course that it belongs to."""

    def add(self, spec: mujoco.MjSpec, name: str, offset_x: float) -> None:
        """Add its geom to the world, moved along x."""

    def top(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the height of its upper side at points [...]; `NOTHING_M` beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box of half sizes `half`, turned about the x axis: `pitch_deg` > 0 raises its far (+y) end."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    pitch_deg: float = 0.0
    colour: Colour = STONE
    deck: bool = False
    part: str = ""

    def add(self, spec: mujoco.MjSpec, name: str, offset_x: float) -> None:
        """Add the box."""
        half_angle = math.radians(self.pitch_deg) / 2.0
        spec.worldbody.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[self.centre[0] + offset_x, *self.centre[1:]],
            size=self.half,
            quat=[math.cos(half_angle), math.sin(half_angle), 0.0, 0.0],
            rgba=self.colour,
            **GROUND,
        )

    def top(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the height of the upper face."""
        sin, cos = math.sin(math.radians(self.pitch_deg)), math.cos(math.radians(self.pitch_deg))
        along = (y - self.centre[1] + self.half[2] * sin) / cos
        inside = (np.abs(x - self.centre[0]) <= self.half[0] + SEAM_M) & (np.abs(along) <= self.half[1] + SEAM_M)
        return np.where(inside, self.centre[2] + along * sin + self.half[2] * cos, NOTHING_M)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeightField:
    """Heights [rows, columns] over a rectangle, above `base_m`."""

    centre: tuple[float, float]
    half: tuple[float, float]
    base_m: float
    range_m: float  # as it was asked for; a flat border may hide the highest point
    heights: np.ndarray = field(repr=False)
    colour: Colour = EARTH
    deck: bool = False
    part: str = ""

    def add(self, spec: mujoco.MjSpec, name: str, offset_x: float) -> None:
        """Add the height field. MuJoCo wants shares 0-1 of the highest point."""
        highest = max(float(self.heights.max()), 1e-6)
        spec.add_hfield(
            name=name,
            nrow=self.heights.shape[0],
            ncol=self.heights.shape[1],
            size=[*self.half, highest, 0.05],
            userdata=(self.heights / highest).ravel(),
        )
        spec.worldbody.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_HFIELD,
            hfieldname=name,
            pos=[self.centre[0] + offset_x, self.centre[1], self.base_m],
            rgba=self.colour,
            **GROUND,
        )

    def top(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the height, bilinear between the samples (MuJoCo's triangles differ by millimetres)."""
        rows, columns = self.heights.shape
        u = (x - self.centre[0] + self.half[0]) / (2.0 * self.half[0]) * (columns - 1)
        v = (y - self.centre[1] + self.half[1]) / (2.0 * self.half[1]) * (rows - 1)
        inside = (u >= 0) & (u <= columns - 1) & (v >= 0) & (v <= rows - 1)
        i, j = np.clip(v.astype(int), 0, rows - 2), np.clip(u.astype(int), 0, columns - 2)
        dv, du = np.clip(v - i, 0.0, 1.0), np.clip(u - j, 0.0, 1.0)
        h = self.heights
        near = (1 - du) * h[i, j] + du * h[i, j + 1]
        far = (1 - du) * h[i + 1, j] + du * h[i + 1, j + 1]
        return np.where(inside, self.base_m + (1 - dv) * near + dv * far, NOTHING_M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """A fixed ball, of which a cap may stick out."""

    centre: tuple[float, float, float]
    radius_m: float
    colour: Colour = GOLD
    deck: bool = False
    part: str = ""

    def add(self, spec: mujoco.MjSpec, name: str, offset_x: float) -> None:
        """Add the ball."""
        spec.worldbody.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            pos=[self.centre[0] + offset_x, *self.centre[1:]],
            size=[self.radius_m, 0.0, 0.0],
            rgba=self.colour,
            **GROUND,
        )

    def top(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the height of the upper half."""
        squared = self.radius_m**2 - (x - self.centre[0]) ** 2 - (y - self.centre[1]) ** 2
        return np.where(squared >= 0.0, self.centre[2] + np.sqrt(np.maximum(squared, 0.0)), NOTHING_M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    """An upright cylinder: a stepping stone."""

    centre: tuple[float, float, float]
    radius_m: float
    half_m: float
    colour: Colour = STONE
    deck: bool = False
    part: str = ""

    def add(self, spec: mujoco.MjSpec, name: str, offset_x: float) -> None:
        """Add the cylinder."""
        spec.worldbody.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            pos=[self.centre[0] + offset_x, *self.centre[1:]],
            size=[self.radius_m, self.half_m, 0.0],
            rgba=self.colour,
            **GROUND,
        )

    def top(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the height of the upper face."""
        inside = (x - self.centre[0]) ** 2 + (y - self.centre[1]) ** 2 <= self.radius_m**2
        return np.where(inside, self.centre[2] + self.half_m, NOTHING_M)


def stairs(
    *,
    first_y: float,
    run_m: float,
    rise_m: float,
    steps: int,
    base_m: float,
    x: tuple[float, float],
    up: bool,
    part: str = "",
) -> list[Box]:
    """Return the steps of a staircase along +y, as columns down to `base_m`; the highest is steps x rise above it."""
    boxes = []
    for i in range(steps):
        height = rise_m * ((i + 1) if up else (steps - i))
        boxes.append(
            Box(
                centre=((x[0] + x[1]) / 2.0, first_y + (i + 0.5) * run_m, base_m + height / 2.0),
                half=((x[1] - x[0]) / 2.0, run_m / 2.0, height / 2.0),
                part=part,
            )
        )
    return boxes
