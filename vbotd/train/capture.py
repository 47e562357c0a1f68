"""What do a policy's episodes look like, and does it walk? Pictures, diagrams, and the kinematic gate's word.

Writes, below the given folder: `capture.json` (which lists the files), `contact_sheet.png`, `film.mp4` (or `.gif`),
`gait_e<episode>.png`, `look_e<episode>.jpg` (pictures without telemetry, for a model to look at) and
`frames/e<episode>_<time>_<camera>.png`. Without OpenGL only the diagrams and the index, which says what is missing;
the gate needs no picture.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbotd.core.kinematic_gate import judge_clip
from vbotd.core.moments import Instant, moments
from vbotd.store.files import sha256_of, write_json_atomic
from vbotd.train.capture_account import Episode, account, findings_of, metrics_of
from vbotd.train.capture_request import Request, parse_request
from vbotd.train.film import at_film_rate, has_video, write_frames, write_picture
from vbotd.train.gl import RenderError, choose_gl
from vbotd.train.runio import RunFolder

if TYPE_CHECKING:
    import numpy as np

    from vbotd.train.rollout import Step
    from vbotd.train.scene import Stage

INDEX, SHEET = "capture.json", "contact_sheet.png"
LOOK_CAMERAS = ("side", "track")  # what a model is shown; the known answers are drawn by the same
NO_VIDEO = 'a GIF instead of a video: PyAV is not installed — pip install "vbotd[video]"'


@dataclass(slots=True)
class Album:
    """What has been written so far, for the index."""

    folder: Path
    files: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, file: Path, kind: str, shows: str, **facts: Any) -> None:
        """List a file."""
        self.files.append({"file": file.relative_to(self.folder).as_posix(), "kind": kind, "shows": shows, **facts})


Tick = Callable[[int], bool]  # gets the env steps so far; says whether to go on


def capture(folder: RunFolder) -> None:
    """Capture as `spec.json` says, into the run's `capture/`, and write `result.json`."""
    began_s = time.perf_counter()
    spec = folder.spec()
    asked = dict(spec.capture or {})
    if spec.checkpoint is not None:
        asked.setdefault("checkpoint", spec.checkpoint)
    request = parse_request(asked)

    def tick(env_steps: int) -> bool:
        folder.heartbeat(
            phase="capture", env_steps=env_steps, total_env_steps=0, env_steps_per_s=0.0, success_rate=None
        )
        return not folder.stop_requested()

    index = take(request, folder.path / "capture", params=spec.params, tick=tick)
    stopped = folder.stop_requested()
    folder.write_result({
        "outcome": "stopped" if stopped else "finished",
        "reason": "asked to stop" if stopped else "; ".join(index["missing"]),
        "env_steps": index["env_steps"], "wall_s": round(time.perf_counter() - began_s, 3),
        "simulated_s": index["env_steps"] * index["control_dt_s"], "checkpoint": index["checkpoint"],
        # What was cut short says nothing about a gait.
        "metrics": {} if stopped else index["metrics"], "findings": [] if stopped else index["findings"],
    })  # fmt: skip


def take(
    request: Request,
    out: Path,
    *,
    params: Mapping[str, Any] | None = None,  # None: the checkpoint's own settings
    tick: Tick = lambda _: True,
) -> dict[str, Any]:
    """Capture into a folder, and return the content of its `capture.json`. Raises: SpecError, RenderError.

    A machine that cannot render is no error: `missing` says what there is not, and how to get it. A camera that
    does not exist is one.
    """
    album = Album(out)
    try:
        choose_gl()
    except RenderError as err:
        album.missing.append(str(err))
    from vbotd.train.rollout import load_policy

    loaded = load_policy(Path(request.checkpoint), request.episodes, request.instances, params)
    dt_s = loaded.env.options.control_dt_s
    from vbotd.train.scene import check_camera

    for camera in request.cameras:
        check_camera(loaded.env.sim.model, camera)
    episodes = _roll(request, loaded, dt_s, tick)
    words = [episode.word for episode in episodes]
    out.mkdir(parents=True, exist_ok=True)
    _diagrams(album, episodes, dt_s)
    if not album.missing:
        try:
            _pictures(album, request, loaded.env.sim.model, episodes, dt_s, tick)
        except RenderError as err:
            album.missing.append(str(err))
    index = {
        "version": 1, "task": loaded.card.name, "at": round(time.time(), 3),
        "checkpoint": {"path": str(Path(request.checkpoint).resolve()), "sha256": sha256_of(request.checkpoint),
                       "env_steps": loaded.env_steps},
        "request": asdict(request) | {"cameras": list(request.cameras)}, "control_dt_s": dt_s,
        "env_steps": sum(len(episode.steps) for episode in episodes),
        "episodes": [account(episode, dt_s) for episode in episodes],
        "metrics": metrics_of(words, sum(file["kind"] == "frame" for file in album.files)),
        "findings": findings_of(words),
        "files": album.files, "missing": album.missing,
    }  # fmt: skip
    write_json_atomic(out / INDEX, index)
    return index


def _roll(request: Request, loaded: Any, dt_s: float, tick: Tick) -> list[Episode]:
    """Run the episodes side by side, each until its end or its time is over."""
    from vbotd.train.evaluate import instance_draws
    from vbotd.train.rollout import drive

    env = loaded.env
    draws = instance_draws(request.instances, request.first + request.episodes, env.num_draws)[request.first:]
    lived: list[list[Step]] = [[] for _ in range(request.episodes)]
    limit = max(round(request.seconds / dt_s), 1)
    for k, row in enumerate(islice(drive(env, loaded.act, draws), limit)):
        open_ = [(steps, step) for steps, step in zip(lived, row, strict=True) if not steps or not steps[-1].ending]
        for steps, step in open_:
            steps.append(step)
        if not open_ or not tick(k * request.episodes):
            break
    return [_episode(i + 1, request, steps, env.sim.model, dt_s) for i, steps in enumerate(lived)]


def _episode(number: int, request: Request, steps: list[Step], model: Any, dt_s: float) -> Episode:
    from vbotd.train.clip import clip_of

    clip = clip_of(steps, model, dt_s)
    instants = [
        Instant(time_s=step.time_s, tilt_deg=step.tilt_deg, touching=step.touching, at_goal=step.at_goal,
                slip_mps=float(slip))
        for step, slip in zip(steps, clip.slip_mps, strict=True)
    ]  # fmt: skip
    return Episode(number=number, instance=request.first + number - 1, steps=tuple(steps),
                   moments=moments(instants, steps[-1].ending, request.frames), word=judge_clip(clip))  # fmt: skip


def _diagrams(album: Album, episodes: list[Episode], dt_s: float) -> None:
    from vbotd.train.gait_diagram import gait_diagram

    for episode in episodes:
        path = album.folder / f"gait_e{episode.number}.png"
        events = [moment for moment in episode.moments if moment.reasons]
        write_picture(gait_diagram(episode.steps, dt_s, episode.title, events), path)
        album.add(path, "gait", "foot contacts, forward speed and tilt over time", episode=episode.number)


def _pictures(album: Album, request: Request, model: Any, episodes: list[Episode], dt_s: float, tick: Tick) -> None:
    """Take the frames, then the contact sheet from them, then the film. Raises: RenderError."""
    from vbotd.train.contact_sheet import Block, contact_sheet
    from vbotd.train.scene import Stage

    for old in (album.folder / "frames").glob("e*_*.png"):
        old.unlink()
    with Stage(model) as stage:
        for episode in episodes:
            _look_sheet(album, stage, episode, tick)
        blocks = [Block(title=episode.title, columns=tuple(_frames(album, request, stage, episode, dt_s, tick)))
                  for episode in episodes]  # fmt: skip
    path = album.folder / SHEET
    write_picture(contact_sheet(blocks, request.cameras, dt_s), path)
    album.add(path, "contact sheet", "moments from left to right, one row a camera: " + ", ".join(request.cameras))
    if request.film:
        if not has_video():
            album.missing.append(NO_VIDEO)
        with Stage(model, shadows=False) as stage:
            written = write_frames(_film(request, stage, episodes, dt_s, tick), album.folder / "film.mp4")
        album.add(written, "film", "all episodes one after another, in real time", camera=request.cameras[0])


def _look_sheet(album: Album, stage: Stage, episode: Episode, tick: Tick) -> None:
    """Write the pictures that a model is shown: no telemetry on them that it could read its answer from."""
    from vbotd.train.contact_sheet import plain_sheet, spread

    stage.begin_episode()
    columns = []
    for moment in spread(episode.moments):
        step = episode.steps[moment.index]
        went_m = math.dist(step.qpos[:2], episode.steps[0].qpos[:2])
        columns.append((step.time_s, went_m, [stage.picture(step.qpos, camera, step.place_w_m, step.reach_m)
                                      for camera in LOOK_CAMERAS]))  # fmt: skip
        tick(moment.index)
    path = album.folder / f"look_e{episode.number}.jpg"
    write_picture(plain_sheet(columns), path)
    album.add(path, "look sheet", "pictures without telemetry, for a model", episode=episode.number)


def _frames(
    album: Album, request: Request, stage: Stage, episode: Episode, dt_s: float, tick: Tick
) -> Iterator[Any]:
    from vbotd.train.contact_sheet import Column
    from vbotd.train.overlay import with_telemetry

    stage.begin_episode()
    for moment in episode.moments:
        step = episode.steps[moment.index]
        pictures = []
        for camera in request.cameras:
            plain = stage.picture(step.qpos, camera, step.place_w_m, step.reach_m)
            pictures.append(plain)
            path = album.folder / "frames" / f"e{episode.number}_{step.time_s:07.2f}s_{camera}.png"
            path.parent.mkdir(exist_ok=True)
            write_picture(with_telemetry(plain, step, dt_s, f"{moment.label or 'regular'}, {camera}"), path)
            album.add(path, "frame", moment.label or "a regular moment", episode=episode.number, camera=camera,
                      time_s=round(step.time_s, 3))  # fmt: skip
            tick(moment.index)
        yield Column(pictures=tuple(pictures), step=step, label=moment.label)


def _film(request: Request, stage: Stage, episodes: list[Episode], dt_s: float, tick: Tick) -> Iterator[np.ndarray]:
    from vbotd.train.overlay import with_telemetry

    for episode in episodes:
        stage.begin_episode()
        for k, step in enumerate(at_film_rate(episode.steps, dt_s)):
            if not tick(k) and k:
                return
            plain = stage.picture(step.qpos, request.cameras[0], step.place_w_m, step.reach_m)
            yield with_telemetry(plain, step, dt_s, f"episode {episode.number}, instance {episode.instance}")
