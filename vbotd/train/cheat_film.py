"""What does a cheat look like? One episode of a probe as a film, for people who believe a picture before a number.

Writes: the given file, or a GIF beside it without PyAV. MUJOCO_GL must have been chosen before mujoco was loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np

from vbotd.train.film import at_film_rate, write_frames
from vbotd.train.gl import RenderError
from vbotd.train.probes import Pilot, Probe
from vbotd.train.rollout import Step, drive
from vbotd.train.tasks.environment import Environment

LONGEST_S = 10.0  # in software a second of film takes a second to draw
CAMERA = "track"


def film(env: Environment, probe: Probe, seed: int, out: Path) -> tuple[str, str]:
    """Film an episode of a probe in an environment of one robot; return the file's name, and why there is none.

    Args:
        env: of one robot, on the ground that the film is to show.
        seed: of the instance.
        out: where to, as an `.mp4`.
    """
    steps = lived(env, probe, seed)
    try:
        return write_frames(_frames(env, steps, probe.summary), out).name, ""
    except RenderError as err:
        return "", str(err)


def lived(env: Environment, probe: Probe, seed: int) -> list[Step]:
    """Return the control steps of one episode of a probe, to its end or as long as a film may be."""
    rng = np.random.default_rng(seed)
    pilot = Pilot(env, [probe], {probe.name: slice(0, 1)}, np.random.default_rng(seed + 1))
    numbers = count()

    def act(_: np.ndarray) -> np.ndarray:
        distance_m, reach_m = pilot.distances()
        pilot.arrived |= distance_m < reach_m
        return pilot.actions(next(numbers))

    steps: list[Step] = []
    for step, in islice(drive(env, act, rng.random((1, env.num_draws))), round(LONGEST_S / env.options.control_dt_s)):
        steps.append(step)
        if step.ending:
            break
    return steps


def _frames(env: Environment, steps: list[Step], title: str) -> Iterator[np.ndarray]:
    from vbotd.train.overlay import with_telemetry
    from vbotd.train.scene import Stage

    dt_s = env.options.control_dt_s
    with Stage(env.sim.model, shadows=False) as stage:
        for step in at_film_rate(steps, dt_s):
            yield with_telemetry(stage.picture(step.qpos, CAMERA, step.place_w_m, step.reach_m), step, dt_s, title[:90])
