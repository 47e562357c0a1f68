"""What lies ahead? The ground's height around every robot, from the raster, for all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vbotd.train.tasks.observation import Ids, ObservationTerm
from vbotd.train.tasks.robot import HOME_HEIGHT_M, RobotView
from vbotd.train.terrain.ground import Ground

AHEAD_M = (-0.3, -0.1, 0.1, 0.3, 0.5, 0.7, 0.9)
LEFT_M = (0.3, 0.15, 0.0, -0.15, -0.3)
POINTS_B = np.array([(x, y) for x in AHEAD_M for y in LEFT_M])  # [35, 2] in the yaw-aligned base frame
REACH_M = 0.5  # higher or deeper looks the same


def heading(rotation_wb: np.ndarray) -> np.ndarray:
    """Return the unit vectors [N, 2] along which the robots look, in the world's plane."""
    forward_w = rotation_wb[:, :2, 0]
    return forward_w / np.maximum(np.sqrt((forward_w**2).sum(axis=1, keepdims=True)), 1e-6)


def height_scan(robot: RobotView, ground: Ground, variant: np.ndarray, local_xy: np.ndarray) -> np.ndarray:
    """Return the ground's height [N, 35] at `POINTS_B`, m, above where a standing robot's feet would be.

    `local_xy` [N, 2] are the robots' places in the coordinates of their course.
    """
    ahead = heading(robot.rotation_wb)
    x = local_xy[:, :1] + ahead[:, :1] * POINTS_B[:, 0] - ahead[:, 1:] * POINTS_B[:, 1]
    y = local_xy[:, 1:] + ahead[:, 1:] * POINTS_B[:, 0] + ahead[:, :1] * POINTS_B[:, 1]
    base_z = robot.pos_w_m[:, 2:3]
    heights = ground.height(variant, x, y, from_z=base_z + HOME_HEIGHT_M)
    return np.minimum(np.maximum(heights - (base_z - HOME_HEIGHT_M), -REACH_M), REACH_M)


def scan_term(places: Callable[[RobotView, Any, Ids], np.ndarray]) -> ObservationTerm:
    """Return the scan as a term of a task with a `ground` and `variant`s; `places` gives the robots' `local_xy`."""
    return ObservationTerm(
        name="height_scan",
        size=len(POINTS_B),
        unit="m",
        noise=0.02,
        summary="ground around the base, 7 rows from 0.3 m behind to 0.9 m ahead, 5 columns 0.15 m apart",
        values=lambda robot, task, ids: height_scan(robot, task.ground, task.variant[ids], places(robot, task, ids)),
    )
