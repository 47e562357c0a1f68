"""Which sheets have an answer that is known? Scenes of every class, drawn for a vision model as a capture is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from play import Played

from vbotd.core.moments import Instant, Moment, moments
from vbotd.store.files import sha256_of, write_json_atomic

FOLDER = Path(__file__).parents[2] / "vbotd" / "agent" / "known"
WANTED = ("straight", "sideways", "statue", "motors off", "shoved", "on its side", "towed on its belly",
          "one leg in the air")  # fmt: skip
REGULAR = 5  # as a capture's default


def draw_known(played: Sequence[Played]) -> None:
    """Write the sheets and `known.json`, the list of their answers."""
    from vbotd.train.capture import LOOK_CAMERAS
    from vbotd.train.contact_sheet import plain_sheet, spread
    from vbotd.train.film import write_picture
    from vbotd.train.scene import Stage
    from vbotd.train.tasks.robot import PHYSICS_DT_S, load_model

    FOLDER.mkdir(exist_ok=True)
    answers = []
    with Stage(load_model(PHYSICS_DT_S)) as stage:
        for number, one in enumerate(_chosen(played), start=1):
            stage.begin_episode()
            columns = [
                (moment.time_s, _went_m(one, moment), [stage.picture(one.qpos[moment.index], camera)
                                                       for camera in LOOK_CAMERAS])
                for moment in spread(_moments(one))
            ]  # fmt: skip
            path = FOLDER / f"{number}.jpg"
            write_picture(plain_sheet(columns), path)
            answers.append({"file": path.name, "class": one.scene.label, "scene": one.scene.name,
                            "sha256": sha256_of(path)})  # fmt: skip
    write_json_atomic(FOLDER / "known.json", {"version": 1, "clips": answers})


def _chosen(played: Sequence[Played]) -> list[Played]:
    return [next(one for one in played if one.came_about and one.scene.name == name) for name in WANTED]


def _went_m(one: Played, moment: Moment) -> float:
    return math.dist(one.clip.place_w_m[moment.index], one.clip.place_w_m[0])


def _moments(one: Played) -> tuple[Moment, ...]:
    clip, slips = one.clip, one.clip.slip_mps
    instants = [
        Instant(time_s=(k + 1) * clip.dt_s, tilt_deg=float(clip.tilt_deg[k]), slip_mps=float(slips[k]),
                touching="ground" if clip.other_contact[k] else "")
        for k in range(len(clip.height_m))
    ]  # fmt: skip
    return moments(instants, clip.ending, REGULAR)
