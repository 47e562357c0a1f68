"""What do a policy's episodes look like? Pictures, a contact sheet, a film and a gait diagram, listed in one file.

Writes, below the given folder: `capture.json`, `contact_sheet.png`, `film.mp4` (or `.gif`), `gait_e<episode>.png` and
`frames/e<episode>_<time>_<camera>.png`. Without OpenGL only the diagrams and the index, which says what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from vbotd.core.gait import gait
from vbotd.core.moments import Instant, Moment, moments
from vbotd.store.files import sha256_of, write_json_atomic
from vbotd.train.film import at_film_rate, has_video, write_frames, write_picture
from vbotd.train.gl import RenderError, choose_gl
from vbotd.train.runio import RunFolder, SpecError

if TYPE_CHECKING:
    import numpy as np

    from vbotd.train.rollout import Step
    from vbotd.train.scene import Stage

INDEX, SHEET = "capture.json", "contact_sheet.png"
DEFAULT_CAMERAS = ("track", "side", "top")
DEFAULT_INSTANCES = 100_001
MAX_EPISODES, MAX_MOMENTS, MAX_SECONDS = 16, 24, 300.0
NO_VIDEO = 'a GIF instead of a video: PyAV is not installed — pip install "vbotd[video]"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to capture: `capture` in a run's spec.

    The episodes are the instances `first`, `first + 1`, ... of the seed `instances`, as an evaluation numbers them.
    `frames` regular moments of each are photographed, besides the events, by every one of the `cameras`; the first
    camera films them, unless `film` is false. An episode is followed for at most `seconds`.
    """

    checkpoint: str
    episodes: int = 1
    first: int = 0
    instances: int = DEFAULT_INSTANCES
    seconds: float = 10.0
    frames: int = 5
    cameras: tuple[str, ...] = DEFAULT_CAMERAS
    film: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One captured episode and the moments of it that are worth a picture."""

    number: int
    instance: int
    steps: tuple[Step, ...]
    moments: tuple[Moment, ...]

    @property
    def ending(self) -> str:
        """How it ended; "cut off" where it would have gone on."""
        return self.steps[-1].ending or "cut off"

    @property
    def title(self) -> str:
        """The episode in a line."""
        last = self.steps[-1]
        away = "" if last.distance_m is None else f", {last.distance_m:.2f} m from the goal"
        return (f"episode {self.number} (instance {self.instance}): {self.ending} after {last.time_s:.2f} s{away}, "
                f"reward {last.total_reward:+.2f}")  # fmt: skip


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
    request = parse_request(spec.capture or {})

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
        "simulated_s": index["env_steps"] * index["control_dt_s"], "checkpoint": index["checkpoint"], "metrics": {},
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
    episodes = _roll(request, loaded, tick)
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
        "files": album.files, "missing": album.missing,
    }  # fmt: skip
    write_json_atomic(out / INDEX, index)
    return index


def parse_request(asked: Mapping[str, Any]) -> Request:
    """Return the request in a spec's `capture`; SpecError for what cannot be."""
    known = {name: Request.__dataclass_fields__[name] for name in Request.__dataclass_fields__}
    for key in asked:
        if key not in known:
            raise SpecError(f"no setting 'capture.{key}' — there are {', '.join(known)}")
    if not isinstance(asked.get("checkpoint"), str):
        raise SpecError("capture.checkpoint is missing — give the path of a ckpt_*.pt file")
    for key, low, high in (("episodes", 1, MAX_EPISODES), ("first", 0, 2**31), ("instances", 0, 2**62),
                           ("frames", 1, MAX_MOMENTS), ("seconds", 0.1, MAX_SECONDS)):  # fmt: skip
        value = asked.get(key, low)
        kinds = int | float if key == "seconds" else int
        if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
            raise SpecError(f"capture.{key} is {value!r} — allowed: {low} to {high}")
    cameras = asked.get("cameras", DEFAULT_CAMERAS)
    if not isinstance(cameras, list | tuple) or not cameras or not all(isinstance(name, str) for name in cameras):
        raise SpecError(f"capture.cameras is {cameras!r} — give a list of names, such as {list(DEFAULT_CAMERAS)}")
    if not isinstance(asked.get("film", True), bool):
        raise SpecError(f"capture.film is {asked['film']!r} — allowed: true, false")
    return Request(**dict(asked) | {"cameras": tuple(cameras)})


def account(episode: Episode, dt_s: float) -> dict[str, Any]:
    """Return an episode in numbers, for the index."""
    steps, last = episode.steps, episode.steps[-1]
    asked = [step.asked_velocity[0] for step in steps if step.asked_velocity is not None]
    return {
        "episode": episode.number, "instance": episode.instance, "ending": episode.ending,
        "length_s": round(last.time_s, 3),
        "total_reward": round(last.total_reward, 4), "mean_forward_mps": round(fmean(s.velocity[0] for s in steps), 4),
        "mean_asked_forward_mps": round(fmean(asked), 4) if asked else None,
        "largest_tilt_deg": round(max(step.tilt_deg for step in steps), 2),
        "distance_m": None if last.distance_m is None else round(last.distance_m, 3),
        "gait": asdict(gait([step.foot_contact for step in steps], dt_s)),
        "moments": [{"time_s": round(moment.time_s, 3), "reasons": list(moment.reasons)} for moment in episode.moments],
    }  # fmt: skip


def _roll(request: Request, loaded: Any, tick: Tick) -> list[Episode]:
    """Run the episodes side by side, each until its end or its time is over."""
    from vbotd.train.evaluate import instance_draws
    from vbotd.train.rollout import drive

    env = loaded.env
    draws = instance_draws(request.instances, request.first + request.episodes, env.num_draws)[request.first:]
    lived: list[list[Step]] = [[] for _ in range(request.episodes)]
    limit = max(round(request.seconds / env.options.control_dt_s), 1)
    for k, row in enumerate(islice(drive(env, loaded.act, draws), limit)):
        open_ = [(steps, step) for steps, step in zip(lived, row, strict=True) if not steps or not steps[-1].ending]
        for steps, step in open_:
            steps.append(step)
        if not open_ or not tick(k * request.episodes):
            break
    return [
        Episode(number=i + 1, instance=request.first + i, steps=tuple(steps), moments=_moments(steps, request.frames))
        for i, steps in enumerate(lived)
    ]


def _moments(steps: list[Step], regular: int) -> tuple[Moment, ...]:
    instants = [
        Instant(time_s=step.time_s, tilt_deg=step.tilt_deg, touching=step.touching, at_goal=step.at_goal)
        for step in steps
    ]
    return moments(instants, steps[-1].ending, regular)


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
