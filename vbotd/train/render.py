"""What does a policy, or a task without one, look like? As a clip, off-screen, or in a window."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbotd.train.film import at_film_rate, write_frames
from vbotd.train.gl import RenderError, choose_gl, require_display

if TYPE_CHECKING:
    from vbotd.train.rollout import Actions, Step

__all__ = [
    "RenderError", "TaskView", "choose_gl", "render_policy", "render_task", "view_policy", "view_task", "write_frames",
]  # fmt: skip

DEFAULT_STD = 0.3  # of random actions, in units of the action scale: the legs twitch, and the robot keeps its feet


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """What to show of a task without a policy: each of `num_envs` environments for `seconds`, one after another."""

    task: str
    actions: Actions = "zero"
    std: float = DEFAULT_STD
    num_envs: int = 1
    seconds: float = 5.0
    seed: int = 1
    params: tuple[tuple[str, Any], ...] = ()


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
    choose_gl()
    return write_frames(frames(_policy_show(checkpoint, seconds, seed, command), camera), out)


def view_policy(
    checkpoint: Path,
    *,
    seconds: float,
    seed: int,
    camera: str = "free",
    command: tuple[float, float, float] | None = None,  # None: the episode's own commands
) -> None:
    """Show a rollout in MuJoCo's window, in real time, until it ends or the window is closed."""
    require_display()
    _open_window(_policy_show(checkpoint, seconds, seed, command), camera)


def render_task(view: TaskView, out: Path, camera: str = "track") -> Path:
    """Render a task without a policy; return the file written, as `render_policy` does."""
    choose_gl()
    return write_frames(frames(_task_show(view), camera), out)


def view_task(view: TaskView, camera: str = "free") -> None:
    """Show a task without a policy in MuJoCo's window, in real time."""
    require_display()
    _open_window(_task_show(view), camera)


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Control steps to be shown, `dt_s` apart, and the model that they are of."""

    model: Any
    dt_s: float
    steps: Iterable[Step]


def frames(show: Show, camera: str) -> Iterator[np.ndarray]:
    """Yield frames [480, 640, 3] uint8, 25 a second of simulated time. Raises: RenderError."""
    from vbotd.train.scene import Stage, check_camera

    check_camera(show.model, camera)
    with Stage(show.model, shadows=False) as stage:
        last_s = 0.0
        for step in at_film_rate(show.steps, show.dt_s):
            if step.time_s <= last_s:
                stage.begin_episode()
            last_s = step.time_s
            yield stage.picture(step.qpos, camera, step.place_w_m, step.reach_m)


def _policy_show(
    checkpoint: Path, seconds: float, seed: int, command: tuple[float, float, float] | None
) -> Show:
    from vbotd.train.evaluate import instance_draws
    from vbotd.train.rollout import drive, load_policy

    keys = ("env.speed_x_mps", "env.speed_y_mps", "env.yaw_rate_radps")
    params = {} if command is None else {key: [v, v] for key, v in zip(keys, command, strict=True)}
    loaded = load_policy(checkpoint, 1, seed, params)
    env, dt_s = loaded.env, loaded.env.options.control_dt_s
    rows = drive(env, loaded.act, instance_draws(seed, 1, env.num_draws))
    return Show(model=env.sim.model, dt_s=dt_s, steps=(row[0] for row in islice(rows, round(seconds / dt_s))))


def _task_show(view: TaskView) -> Show:
    from vbotd.train import worker
    from vbotd.train.evaluate import instance_draws
    from vbotd.train.rollout import drive, without_policy
    from vbotd.train.tasks import registry
    from vbotd.train.tasks.settings import resolve

    card = registry.find(view.task)
    env = worker.build(card, resolve(card, dict(view.params)), view.num_envs, view.seed, 1)
    act = without_policy(view.actions, view.std, view.num_envs, view.seed)
    driven, dt_s = drive(env, act, instance_draws(view.seed, view.num_envs, env.num_draws)), env.options.control_dt_s
    rows = list(islice(driven, round(view.seconds / dt_s)))  # all at once; then seen one after another
    return Show(model=env.sim.model, dt_s=dt_s, steps=(row[i] for i in range(view.num_envs) for row in rows))


def _open_window(show: Show, camera: str) -> None:
    import mujoco
    import mujoco.viewer

    from vbotd.train.scene import check_camera, overview

    check_camera(show.model, camera)
    data = mujoco.MjData(show.model)
    with mujoco.viewer.launch_passive(show.model, data) as window:
        began_s = time.perf_counter()
        for k, step in enumerate(show.steps):
            if not window.is_running():
                return
            data.qpos[:] = step.qpos
            mujoco.mj_forward(show.model, data)
            if k == 0 and camera == "overview":
                _aim(window.cam, overview(show.model, data, step.place_w_m))
            elif k == 0 and camera != "free":
                window.cam.type, window.cam.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, show.model.camera(camera).id
            window.sync()
            time.sleep(max(began_s + k * show.dt_s - time.perf_counter(), 0.0))


def _aim(mine: Any, wanted: Any) -> None:
    for name in ("type", "distance", "azimuth", "elevation"):
        setattr(mine, name, getattr(wanted, name))
    mine.lookat[:] = wanted.lookat
