"""What does a policy look like? A rollout of a checkpoint as a video, off-screen, or in a window."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT = 640, 480
FRAMES_PER_S = 25
CAMERAS = ("track", "side", "top")
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


def render_policy(
    checkpoint: Path,
    out: Path,
    *,
    seconds: float,
    seed: int,
    camera: str = "track",
    command: tuple[float, float, float] | None = None,  # None: the episode's own commands
) -> Path:
    """Render a rollout of the mean action; return the file written.

    Writes: `out` as mp4 where PyAV is installed, else beside it with the ending `.gif`; `.png` gives the last frame.
    """
    frames = list(policy_frames(checkpoint, seconds=seconds, seed=seed, camera=camera, command=command))
    out.parent.mkdir(parents=True, exist_ok=True)
    return write_frames(frames, out)


def policy_frames(
    checkpoint: Path,
    *,
    seconds: float,
    seed: int,
    camera: str = "track",
    command: tuple[float, float, float] | None = None,  # None: the episode's own commands
) -> Iterator[np.ndarray]:
    """Yield frames [480, 640, 3] uint8 of a rollout, `FRAMES_PER_S` a second."""
    choose_gl()
    if camera not in CAMERAS:
        raise RenderError(f"camera '{camera}' is not in the MJCF — there are {', '.join(CAMERAS)}")
    model, data = _scene()
    import mujoco

    with _renderer(model) as renderer:
        due_s = 0.0
        for qpos, now_s in rollout(checkpoint, seconds=seconds, seed=seed, command=command):
            if now_s + 1e-9 < due_s:
                continue
            due_s += 1.0 / FRAMES_PER_S
            data.qpos[:] = qpos
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, camera)
            yield renderer.render()


def view_policy(
    checkpoint: Path,
    *,
    seconds: float,
    seed: int,
    command: tuple[float, float, float] | None = None,  # None: the episode's own commands
) -> None:
    """Show a rollout in MuJoCo's window, in real time, until it ends or the window is closed."""
    import mujoco
    import mujoco.viewer

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RenderError("no display to open a window on — render to a file instead")
    model, data = _scene()
    with mujoco.viewer.launch_passive(model, data) as window:
        began_s = time.perf_counter()
        for qpos, now_s in rollout(checkpoint, seconds=seconds, seed=seed, command=command):
            if not window.is_running():
                return
            data.qpos[:] = qpos
            mujoco.mj_forward(model, data)
            window.sync()
            time.sleep(max(began_s + now_s - time.perf_counter(), 0.0))


def rollout(
    checkpoint: Path,
    *,
    seconds: float,
    seed: int,
    command: tuple[float, float, float] | None,  # None: the episode's own commands
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the robot's qpos [19] and the time of every control step; episodes follow one another."""
    import torch

    from vbotd.train import worker
    from vbotd.train.checkpoint import load
    from vbotd.train.evaluate import instance_draws
    from vbotd.train.tasks import registry
    from vbotd.train.tasks.settings import resolve

    saved = load(checkpoint)
    card = registry.find(saved["task"])
    settings = resolve(card, _params(saved, command))
    env = worker.build(card, settings, 1, seed=seed, threads=1)
    policy, normaliser = worker.load_policy(saved, settings, env, warm=False)
    obs = env.start(instance_draws(seed, 1, env.num_draws))
    for k in range(round(seconds / env.options.control_dt_s)):
        with torch.inference_mode():
            action = policy.mean(normaliser(torch.from_numpy(obs))).numpy()
        obs = env.step(action).obs
        yield env.sim.qpos[0].copy(), k * env.options.control_dt_s


def write_frames(frames: list[np.ndarray], out: Path) -> Path:
    """Write frames as the ending of `out` says; without PyAV a video becomes a GIF."""
    if not frames:
        raise RenderError("no frame to write — ask for at least one control step")
    writers: dict[str, Callable[[list[np.ndarray], Path], None]] = {".png": _write_png, ".gif": _write_gif}
    if out.suffix in writers:
        writers[out.suffix](frames, out)
        return out
    try:
        _write_mp4(frames, out)
    except ImportError:
        out = out.with_suffix(".gif")
        _write_gif(frames, out)
    return out


def contact_sheet(frames: list[np.ndarray], columns: int = 4) -> np.ndarray:
    """Return frames side by side, row by row, as one picture."""
    rows = -(-len(frames) // columns)
    height, width, _ = frames[0].shape
    sheet = np.zeros((rows * height, columns * width, 3), dtype=np.uint8)
    for i, frame in enumerate(frames):
        top, left = (i // columns) * height, (i % columns) * width
        sheet[top : top + height, left : left + width] = frame
    return sheet


def _params(saved: Mapping[str, Any], command: tuple[float, float, float] | None) -> dict[str, Any]:
    params = dict(saved["params"])
    if command is not None:
        keys = ("env.speed_x_mps", "env.speed_y_mps", "env.yaw_rate_radps")
        params |= {key: [value, value] for key, value in zip(keys, command, strict=True)}
    return params


def _scene() -> tuple[Any, Any]:
    """Return model and data to draw: every bundled task has this robot on flat ground."""
    import mujoco

    from vbotd.train.tasks.robot import PHYSICS_DT_S, load_model

    model = load_model(PHYSICS_DT_S)
    return model, mujoco.MjData(model)


def _renderer(model: Any) -> Any:
    import mujoco

    try:
        return mujoco.Renderer(model, HEIGHT, WIDTH)
    except Exception as err:  # the GL platforms raise whatever they like, AttributeError included
        raise RenderError(f"{NO_GL} ({type(err).__name__}: {str(err).strip()[:120]})") from err


def _write_mp4(frames: list[np.ndarray], out: Path) -> None:
    import av

    with av.open(str(out), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_S)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _write_gif(frames: list[np.ndarray], out: Path) -> None:
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames[::2]]
    images[0].save(out, save_all=True, append_images=images[1:], duration=2000 // FRAMES_PER_S, loop=0)


def _write_png(frames: list[np.ndarray], out: Path) -> None:
    from PIL import Image

    Image.fromarray(frames[-1]).save(out)
