"""Pictures of a policy: encoders in this process, the renderer in one of its own, where there is OpenGL."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vbotd.train import render, worker
from vbotd.train.checkpoint import read_index

FRAMES = [np.full((48, 64, 3), 20 * n, dtype=np.uint8) for n in range(6)]
CODE = """
import sys
from pathlib import Path
from vbotd.train.render import RenderError, render_policy
try:
    print(render_policy(Path(sys.argv[1]), Path(sys.argv[2]), seconds=0.1, seed=1, camera="track", command=(0.5, 0, 0)))
except RenderError as err:
    sys.exit(f"no GL: {err}")
"""


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


def test_a_contact_sheet_holds_the_frames_row_by_row():
    sheet = render.contact_sheet(FRAMES, columns=4)
    assert sheet.shape == (96, 256, 3)
    assert sheet[48, 64].tolist() == [100, 100, 100]


def test_an_unknown_camera_names_those_that_exist(tmp_path):
    with pytest.raises(render.RenderError, match="camera 'drone' is not in the MJCF — there are track, side, top"):
        list(render.policy_frames(tmp_path / "no.pt", seconds=1.0, seed=0, camera="drone"))


def test_a_checkpoint_is_rendered_off_screen(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = run_folder()
    worker.train(folder)
    path = folder.path / read_index(folder.path)[-1].path
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MUJOCO_GL")}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path), str(tmp_path / "last.png")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    if done.returncode and "no GL" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "last.png") as picture:
        assert picture.size == (640, 480)
        colours = np.unique(np.asarray(picture).reshape(-1, 3), axis=0)
        assert len(colours) > 50  # a scene, and not one colour
