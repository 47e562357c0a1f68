"""How is a simulation drawn? Its own compiled model, seen by a camera of the MJCF or from afar."""

from __future__ import annotations

import copy
import os
from types import TracebackType
from typing import Any

import mujoco
import numpy as np

from vbotd.train.gl import NO_GL, RenderError

WIDTH, HEIGHT = 640, 480
FREE_CAMERAS = ("overview", "free")
MIN_OVERVIEW_M = 2.0  # a robot on bare ground walks about
GAP_M = 1.0  # pieces of ground further apart than this do not belong to one course
NEAR_M, FAR_M = 0.01, 300.0
SHADOW_RADIUS_M = 3.0
PLACE_RGBA = (0.1, 0.75, 0.3, 0.45)
POLE_M = 1.0  # stands at the place, to be seen from far away
MAX_HITS = 12  # of a ray straight down: the robot's parts, then the ground


class Stage:
    """Draws positions of one simulation; a context manager, since it holds an OpenGL context.

    Speed: in software 140 ms a frame of 640 x 480 with shadows, 45 ms without.
    """

    def __init__(self, model: mujoco.MjModel, *, shadows: bool = True) -> None:
        self.model = copy.copy(model)  # how far one sees is changed below, and must not be for the simulation
        _set_sight(self.model)
        self.data = mujoco.MjData(self.model)
        self._overview: mujoco.MjvCamera | None = None
        self._place: tuple[float, float, float] | None = None  # the last place and the height of the ground there
        try:
            self._renderer = mujoco.Renderer(self.model, HEIGHT, WIDTH)
        except Exception as err:  # the GL platforms raise whatever they like, AttributeError included
            chosen = f"MUJOCO_GL is '{os.environ.get('MUJOCO_GL', '')}'"
            raise RenderError(f"{NO_GL} ({chosen}; {type(err).__name__}: {str(err).strip()[:120]})") from err
        self._shadows = shadows
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False

    def picture(
        self,
        qpos: np.ndarray,
        camera: str,
        place_w_m: tuple[float, float] | None = None,  # None: no place is asked
        reach_m: float = 0.0,
    ) -> np.ndarray:
        """Return a picture [H, W, 3] uint8 of the positions, with the place that the robot is asked to be at.

        Raises: RenderError for a camera that is not there.
        """
        self.pose(qpos)
        # Shadows are drawn within a few metres; from afar they would end in the middle of the picture.
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._shadows and camera not in FREE_CAMERAS
        self._renderer.update_scene(self.data, self._camera(camera, place_w_m))
        if place_w_m is not None:
            self._mark(place_w_m, reach_m)
        return self._renderer.render()

    def begin_episode(self) -> None:
        """Look for the overview anew: the robot may be somewhere else now."""
        self._overview = None

    def pose(self, qpos: np.ndarray) -> None:
        """Put the robot, and whatever else moves, where it is."""
        self.data.qpos[:] = qpos
        mujoco.mj_forward(self.model, self.data)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._renderer.close()

    def _camera(self, name: str, place_w_m: tuple[float, float] | None) -> Any:
        check_camera(self.model, name)
        if name == "free":
            return -1
        if name != "overview":
            return name
        if self._overview is None:  # once: a camera that follows would hide where the robot goes
            self._overview = overview(self.model, self.data, place_w_m)
        return self._overview

    def _mark(self, place_w_m: tuple[float, float], reach_m: float) -> None:
        if self._place is None or self._place[:2] != place_w_m:
            self._place = (*place_w_m, ground_height_m(self.model, self.data, place_w_m))
        scene, at = self._renderer.scene, np.array(self._place)
        disc, pole = (max(reach_m, 0.1), 0.01), (0.02, POLE_M / 2.0)
        for radius_m, half_m in (disc, pole):
            if scene.ngeom >= scene.maxgeom:
                return
            size, centre = np.array([radius_m, half_m, 0.0]), at + np.array([0.0, 0.0, half_m])
            mujoco.mjv_initGeom(scene.geoms[scene.ngeom], mujoco.mjtGeom.mjGEOM_CYLINDER, size, centre,
                                np.eye(3).ravel(), np.array(PLACE_RGBA, dtype=np.float32))  # fmt: skip
            scene.ngeom += 1


def cameras(model: mujoco.MjModel) -> tuple[str, ...]:
    """Return the cameras that a scene can be seen by: those of its MJCF, then the free ones."""
    return (*(model.camera(i).name for i in range(model.ncam)), *FREE_CAMERAS)


def check_camera(model: mujoco.MjModel, name: str) -> None:
    """Refuse a camera that is not there. Raises: RenderError with those that are."""
    if name not in (known := cameras(model)):
        raise RenderError(f"camera '{name}' is not in the MJCF — there are {', '.join(known)}")


def overview(
    model: mujoco.MjModel, data: mujoco.MjData, place_w_m: tuple[float, float] | None
) -> mujoco.MjvCamera:
    """Return a camera that sees, from afar, the robot, the place it is asked to be at and the course it is on."""
    low, high = course_bounds(model, data)
    if place_w_m is not None:
        low[:2], high[:2] = np.minimum(low[:2], place_w_m), np.maximum(high[:2], place_w_m)
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = (low + high) / 2.0
    # The sphere around it fills the view: its radius over the sine of half the field of view.
    radius_m = max(float(np.linalg.norm(high - low)) / 2.0, MIN_OVERVIEW_M)
    camera.distance = 0.85 * radius_m / np.sin(np.radians(model.vis.global_.fovy / 2.0))
    camera.azimuth, camera.elevation = 60.0, -35.0
    return camera


def course_bounds(model: mujoco.MjModel, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest corner [3], [3] of the robot and of the pieces of ground that it is connected to.

    A scene may hold many courses side by side; only the one on which the robot is counts. Planes have no end and
    do not count.
    """
    middle, half = model.geom_aabb[:, :3], model.geom_aabb[:, 3:]
    rotation_w = data.geom_xmat.reshape(-1, 3, 3)
    centre = data.geom_xpos + np.einsum("gij,gj->gi", rotation_w, middle)
    reach = np.einsum("gij,gj->gi", np.abs(rotation_w), half)
    lows, highs = centre - reach, centre + reach
    robot = model.body_rootid[model.geom_bodyid] == model.body_rootid[model.jnt_bodyid[0]]
    low, high = lows[robot].min(axis=0), highs[robot].max(axis=0)
    left = np.flatnonzero(~robot & (model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE))
    while len(left):
        near = ((lows[left] <= high + GAP_M) & (highs[left] >= low - GAP_M)).all(axis=1)
        if not near.any():
            break
        low = np.minimum(low, lows[left[near]].min(axis=0))
        high = np.maximum(high, highs[left[near]].max(axis=0))
        left = left[~near]
    return low, high


def ground_height_m(model: mujoco.MjModel, data: mujoco.MjData, place_w_m: tuple[float, float]) -> float:
    """Return the height of the ground at a place: the first thing that stands still, on a ray from above."""
    z_m, hit, down = 50.0, np.zeros(1, dtype=np.int32), np.array([0.0, 0.0, -1.0])
    for _ in range(MAX_HITS):
        distance_m = mujoco.mj_ray(model, data, np.array([*place_w_m, z_m]), down, None, 1, -1, hit)
        if distance_m < 0:
            break
        z_m -= distance_m
        if model.body_weldid[model.geom_bodyid[hit[0]]] == 0:
            return z_m
        z_m -= 1e-4
    return 0.0


def _set_sight(model: mujoco.MjModel) -> None:
    # MuJoCo counts these in extents of the scene: on a course of 100 m the robot would be cut off as too near.
    extent_m = float(model.stat.extent)
    model.vis.map.znear = NEAR_M / extent_m
    model.vis.map.zfar = (FAR_M + 2.0 * extent_m) / extent_m
    model.vis.map.shadowclip = SHADOW_RADIUS_M / extent_m
