"""Pictures of a policy: what is chosen and drawn in this process, a whole capture as a run in one of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vbotd.core.moments import Moment
from vbotd.train import capture, worker
from vbotd.train.capture_request import Request, parse_request
from vbotd.train.checkpoint import read_index
from vbotd.train.contact_sheet import (
    CAPTION_PX,
    CELL,
    GAP_PX,
    HEAD_PX,
    PLAIN_CAPTION_PX,
    PLAIN_CELL,
    Block,
    Column,
    contact_sheet,
    plain_sheet,
    spread,
)
from vbotd.train.gait_diagram import gait_diagram
from vbotd.train.gl import NO_GL, RenderError
from vbotd.train.overlay import asked_text, telemetry_lines, with_telemetry
from vbotd.train.rollout import Step
from vbotd.train.runio import SpecError

ENTRY = "vbotd.train.capture:capture"


def step(k: int = 0, **changes) -> Step:
    trotting = (True, False, False, True) if k // 10 % 2 else (False, True, True, False)
    facts = {
        "time_s": 0.02 * (k + 1), "qpos": np.zeros(19), "foot_contact": trotting, "touching": "", "tilt_deg": 3.0,
        "velocity": (0.6, 0.0, -0.1), "height_m": 0.28, "reward": 0.02, "total_reward": 0.02 * (k + 1),
        "asked_velocity": (0.7, 0.0, 0.0), "place_w_m": None, "reach_m": 0.0, "distance_m": None,
    }  # fmt: skip
    return Step(**facts | changes)


@pytest.fixture
def checkpoint(run_folder, tmp_path, monkeypatch) -> Path:
    """The last checkpoint of a tiny training."""
    monkeypatch.chdir(tmp_path)
    folder = run_folder("trained")
    worker.train(folder)
    return folder.path / read_index(folder.path)[-1].path


def test_the_overlay_says_what_the_robot_does():
    lines = telemetry_lines(step(49), 0.02)
    assert lines[0].split() == ["1.00", "s", "forward", "+0.60", "left", "+0.00", "m/s", "yaw", "-0.10", "rad/s"]
    assert lines[1].startswith("asked +0.70 +0.00 +0.00   tilt 3 deg   reward +1.00/s")
    assert asked_text(step(distance_m=2.5)) == "2.50 m to go"
    assert asked_text(step(asked_velocity=None)) == ""
    grey = np.full((480, 640, 3), 128, dtype=np.uint8)
    drawn = with_telemetry(grey, step(touching="shin", ending="fall"), 0.02, "fall, track")
    assert drawn.shape == grey.shape
    changed = (drawn != grey).any(axis=2)
    assert changed[:20].all() and changed[-20:].all() and not changed[100:400].any()


def test_the_contact_sheet_breaks_into_even_bands():
    def block(count: int) -> Block:
        pictures = (np.full((480, 640, 3), 200, dtype=np.uint8),) * 2
        columns = (Column(pictures=pictures, step=step(k), label="") for k in range(count))
        return Block(title="episode", columns=tuple(columns))

    band = CAPTION_PX + 2 * (CELL[1] + GAP_PX)
    assert contact_sheet([block(4)], ("track", "side"), 0.02).size == (4 * (CELL[0] + GAP_PX) - GAP_PX, HEAD_PX + band)
    eight = contact_sheet([block(8), block(1)], ("track", "side"), 0.02)
    assert eight.size == (4 * (CELL[0] + GAP_PX) - GAP_PX, 2 * HEAD_PX + 3 * band)


def test_a_sheet_for_a_model_has_pictures_and_what_none_shows():
    picture = np.full((480, 640, 3), 200, dtype=np.uint8)
    sheet = plain_sheet([(0.5 * k, 0.1 * k, [picture, picture]) for k in range(4)])
    width, height = PLAIN_CELL
    assert sheet.size == (4 * (width + GAP_PX) - GAP_PX, PLAIN_CAPTION_PX + 2 * (height + GAP_PX) - GAP_PX)
    assert (np.asarray(sheet)[PLAIN_CAPTION_PX:PLAIN_CAPTION_PX + height, :width] == 200).all()


def test_events_come_before_regular_moments_where_there_is_no_room_for_all():
    found = [Moment(index=k, time_s=k, reasons=("slip",) if k == 7 else ()) for k in range(10)]
    assert [moment.index for moment in spread(found)] == [0, 1, 2, 3, 7, 9]
    assert [moment.index for moment in spread(found, 3)] == [0, 7, 9]


def test_the_gait_diagram_has_a_bar_for_each_stance():
    steps = [step(k) for k in range(100)]
    picture = np.asarray(gait_diagram(steps, 0.02, "title", [Moment(index=50, time_s=1.0, reasons=("fall",))]))
    row = picture[50]  # through the bars of the front right foot
    is_bar = (row == (0, 114, 178)).all(axis=1)
    assert (np.diff(is_bar.astype(int)) == 1).sum() == 5
    with pytest.raises(ValueError, match="at least one"):
        gait_diagram([], 0.02, "title")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "capture.checkpoint is missing"),
        ({"checkpoint": "x.pt", "camera": "top"}, "no setting 'capture.camera' — there are checkpoint, episodes"),
        ({"checkpoint": "x.pt", "episodes": 0}, "capture.episodes is 0 — allowed: 1 to 16"),
        ({"checkpoint": "x.pt", "seconds": "long"}, "capture.seconds is 'long' — allowed: 0.1 to 300"),
        ({"checkpoint": "x.pt", "frames": True}, "capture.frames is True"),
        ({"checkpoint": "x.pt", "cameras": "top"}, "capture.cameras is 'top' — give a list"),
        ({"checkpoint": "x.pt", "film": 1}, "capture.film is 1 — allowed: true, false"),
    ],
)
def test_a_wrong_request_is_refused(asked, message):
    with pytest.raises(SpecError, match=message):
        parse_request(asked)


def test_without_opengl_the_numbers_and_the_diagram_are_there_and_the_rest_is_named(checkpoint, tmp_path, monkeypatch):
    def refuse() -> None:
        raise RenderError(NO_GL)

    monkeypatch.setattr(capture, "choose_gl", refuse)
    request = Request(checkpoint=str(checkpoint), episodes=2, first=3, seconds=0.5)
    index = capture.take(request, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "capture.json").read_text())["missing"] == [NO_GL] == index["missing"]
    assert [file["file"] for file in index["files"]] == ["gait_e1.png", "gait_e2.png"]
    first, second = index["episodes"]
    assert (first["instance"], second["instance"]) == (3, 4)
    assert first["ending"] in ("cut off", "fall")
    assert 0.0 < first["length_s"] <= 0.5
    assert first["kinematics"]["class"] in ("unclear", "falls")
    assert index["metrics"]["gait/passes"]["n"] == 2 and index["metrics"]["capture/stills"]["value"] == 0.0
    again = capture.take(Request(checkpoint=str(checkpoint), first=4, seconds=0.5), tmp_path / "again")
    assert again["episodes"][0]["total_reward"] == pytest.approx(second["total_reward"], rel=1e-3)


def test_an_unknown_camera_is_an_error_before_anything_is_written(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    request = Request(checkpoint=str(checkpoint), cameras=("track", "drone"))
    with pytest.raises(RenderError, match="camera 'drone' is not in the MJCF"):
        capture.take(request, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def run(folder) -> dict:
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MUJOCO_GL")}
    done = subprocess.run(
        [sys.executable, "-m", "vbotd.train", str(folder.path)],
        capture_output=True, text=True, check=False, timeout=240, cwd=Path(__file__).parents[2], env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder.path / "result.json").read_text())


@pytest.mark.slow
def test_a_capture_is_a_run_that_leaves_pictures_and_says_what_they_show(run_folder, checkpoint):
    asked = {"seconds": 0.3, "frames": 2, "cameras": ["side", "overview"]}
    folder = run_folder("pictures", kind="capture", entry=ENTRY, capture=asked, checkpoint=str(checkpoint), train={})
    result = run(folder)
    assert result["outcome"] == "finished"
    assert result["metrics"]["gait/unclear"]["value"] == 1.0  # 0.3 s prove no gait
    (finding,) = result["findings"]
    assert (finding["rule"], finding["level"], finding["value"]) == ("kinematic-gate", "warning", 0.0)
    assert "unclear in 1 of 1 episodes (only 0.30 s long)" in finding["message"]
    assert result["checkpoint"]["path"] == str(checkpoint)
    out = folder.path / "capture"
    index = json.loads((out / "capture.json").read_text())
    if any("OpenGL" in text for text in index["missing"]):
        pytest.skip(index["missing"][0])
    assert {path.relative_to(out).as_posix() for path in out.rglob("*.*")} == {
        "capture.json", *(file["file"] for file in index["files"])}  # fmt: skip
    assert {file["kind"] for file in index["files"]} == {"gait", "frame", "contact sheet", "film", "look sheet"}
    assert result["metrics"]["capture/stills"]["value"] == sum(file["kind"] == "frame" for file in index["files"])
    moments = index["episodes"][0]["moments"]
    frames = [file for file in index["files"] if file["kind"] == "frame"]
    assert [(file["time_s"], file["camera"]) for file in frames] == [
        (moment["time_s"], camera) for moment in moments for camera in ("side", "overview")]  # fmt: skip
    for file in frames:
        with Image.open(out / file["file"]) as picture:
            assert picture.size == (640, 480)
    assert json.loads((folder.path / "heartbeat.json").read_text())["phase"] in ("start", "capture")


def test_a_capture_that_is_asked_to_stop_ends_with_what_it_has(run_folder, checkpoint, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    asked = {"checkpoint": str(checkpoint), "seconds": 5.0, "film": False}
    folder = run_folder("pictures", kind="capture", entry=ENTRY, capture=asked, train={})
    folder.request_stop()
    capture.capture(folder)
    result = json.loads((folder.path / "result.json").read_text())
    assert (result["outcome"], result["reason"], result["env_steps"]) == ("stopped", "asked to stop", 1)
    assert (result["metrics"], result["findings"]) == ({}, [])
