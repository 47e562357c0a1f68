"""Pictures of a policy: encoders in this process, the renderer in one of its own, where there is OpenGL."""

import os
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
from PIL import Image

from vbotd.train import film, render, scene, worker
from vbotd.train.checkpoint import read_index
from vbotd.train.tasks.robot import XML, load_model

FRAMES = [np.full((48, 64, 3), 20 * n, dtype=np.uint8) for n in range(6)]
CODE = """
import sys
from pathlib import Path
from vbotd.train.render import RenderError, TaskView, render_policy, render_task
try:
    if sys.argv[1].endswith(".pt"):
        render_policy(Path(sys.argv[1]), Path(sys.argv[2]), seconds=0.1, seed=1, camera="track", command=(0.5, 0, 0))
    else:
        view = TaskView(task=sys.argv[1], actions="random", num_envs=2, seconds=0.1)
        render_task(view, Path(sys.argv[2]), camera="overview")
except RenderError as err:
    sys.exit(f"no GL: {err}")
"""


def rendered(what: str, out: Path) -> np.ndarray:
    """Render in a process of its own, since mujoco looks for OpenGL once, when it is imported."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MUJOCO_GL")}
    done = subprocess.run(
        [sys.executable, "-c", CODE, what, str(out)],
        capture_output=True, text=True, check=False, timeout=120, cwd=Path(__file__).parents[2], env=environment,
    )  # fmt: skip
    if done.returncode and "no GL" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        return np.asarray(picture)


def test_a_video_is_written_or_a_gif_in_its_place(tmp_path):
    written = render.write_frames(FRAMES, tmp_path / "clip.mp4")
    assert written.suffix in (".mp4", ".gif")
    assert written.stat().st_size > 100


def test_without_pyav_the_video_becomes_a_gif(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    written = render.write_frames(FRAMES, tmp_path / "clip.mp4")
    assert written == tmp_path / "clip.gif"
    with Image.open(written) as picture:
        assert picture.format == "GIF"


def test_a_film_is_taken_frame_by_frame(tmp_path):
    taken = []

    def frames():
        for frame in FRAMES:
            taken.append(1)
            yield frame

    film.write_frames(frames(), tmp_path / "clip.gif")
    assert len(taken) == len(FRAMES)
    with pytest.raises(render.RenderError, match="no frame to write"):
        film.write_frames([], tmp_path / "clip.gif")


def test_a_film_shows_25_of_50_control_steps_a_second():
    assert list(film.at_film_rate(range(8), 0.02)) == [0, 2, 4, 6]
    assert list(film.at_film_rate(range(3), 0.1)) == [0, 1, 2]


def test_an_unknown_camera_names_those_that_exist():
    with pytest.raises(render.RenderError, match="camera 'drone' is not in the MJCF — there are track, side"):
        scene.check_camera(load_model(0.01), "drone")


def course(*lanes: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Return the robot at the origin, with a slab of 4 x 10 x 0.2 m and a step at each of some places in x."""
    spec = mujoco.MjSpec.from_file(str(XML))
    for x in lanes:
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=[x, 3.0, -0.1], size=[2.0, 5.0, 0.1])
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=[x, 8.5, 0.5], size=[2.0, 0.5, 0.5])
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def test_the_overview_is_of_the_course_that_the_robot_is_on():
    low, high = scene.course_bounds(*course(0.0, 30.0, 60.0))
    assert low == pytest.approx([-2.0, -2.0, -0.2])
    assert high == pytest.approx([2.0, 9.0, 1.0])
    camera = scene.overview(*course(0.0, 30.0), place_w_m=(0.0, 20.0))
    assert camera.lookat == pytest.approx([0.0, 9.0, 0.4])
    assert camera.distance > 15.0


def test_the_ground_is_found_below_the_robot_too():
    model, data = course(0.0)
    assert scene.ground_height_m(model, data, (0.0, 0.0)) == pytest.approx(0.0)
    assert scene.ground_height_m(model, data, (0.0, 8.5)) == pytest.approx(1.0)


def test_a_checkpoint_is_rendered_off_screen(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = run_folder()
    worker.train(folder)
    picture = rendered(str(folder.path / read_index(folder.path)[-1].path), tmp_path / "last.png")
    assert picture.shape == (480, 640, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50  # a scene, and not one colour


def test_a_task_is_rendered_without_a_policy_and_its_target_is_seen(tmp_path):
    picture = rendered("vbot_navigation_section001", tmp_path / "task.png").astype(int)
    green = (picture[..., 1] > picture[..., 0] + 60) & (picture[..., 1] > picture[..., 2] + 30)
    assert green.sum() > 30
