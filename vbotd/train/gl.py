"""What can draw here? The choice of OpenGL, and the error when there is none. Loads no mujoco."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library

NO_GL = (
    "no OpenGL to render with: neither EGL nor OSMesa could be loaded — install libegl1 libgl1 libopengl0 "
    "libgl1-mesa-dri (EGL), or libosmesa6 — on Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
)


class RenderError(RuntimeError):
    """There is nothing to render with, or no such camera; the message says what to do."""


def choose_gl() -> None:
    """Set MUJOCO_GL where nobody has and there is no display: EGL, else OSMesa.

    Must come before the first import of mujoco, which reads the variable once. Raises: RenderError.
    """
    if os.environ.get("MUJOCO_GL") or os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        return
    platform = next((gl for gl, library in (("egl", "EGL"), ("osmesa", "OSMesa")) if find_library(library)), None)
    if platform is None:
        raise RenderError(NO_GL)
    os.environ["MUJOCO_GL"] = platform


def require_display() -> None:
    """Refuse to open a window where none can be. Raises: RenderError."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RenderError("no display to open a window on — render to a file instead")
