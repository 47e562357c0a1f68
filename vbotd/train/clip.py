"""How does a simulation become a clip of telemetry? Positions, a model and its contacts in; rows a control step out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from vbotd.core.clip import Clip
from vbotd.core.gait import FEET
from vbotd.store.files import write_atomic
from vbotd.train.rollout import Step
from vbotd.train.tasks.robot import HOME_KEY, rotation_matrix

ASKED_MPS, ASKED_RADPS = 0.1, 0.2  # a smaller command asks to stand
ARRAYS = ("height_m", "tilt_deg", "place_w_m", "yaw_radps", "foot_contact", "foot_speed_mps", "other_contact",
          "joint_vel_radps")  # fmt: skip
# What is kept of each, so that a file of clips is small; the gate's bars are far coarser.
ROUNDED = {"height_m": 3, "tilt_deg": 0, "place_w_m": 3, "yaw_radps": 2, "foot_speed_mps": 2, "joint_vel_radps": 1}


def clip_of(steps: Sequence[Step], model: mujoco.MjModel, dt_s: float) -> Clip:
    """Return the clip of an episode's control steps, one after another; `model` is that of its simulation."""
    velocity = np.array([step.velocity for step in steps])
    return clip_from(
        np.array([step.qpos for step in steps]), model, dt_s, yaw_radps=velocity[:, 2],
        foot_contact=np.array([step.foot_contact for step in steps]),
        other_contact=np.array([bool(step.touching) for step in steps]),
        asked=_asked(steps), ending=steps[-1].ending)  # fmt: skip


def clip_from(
    qpos: np.ndarray,
    model: mujoco.MjModel,
    dt_s: float,
    *,
    yaw_radps: np.ndarray,
    foot_contact: np.ndarray,
    other_contact: np.ndarray,
    asked: np.ndarray | None = None,  # None: nobody says
    ending: str = "",
) -> Clip:
    """Return a clip from positions [T, 19], yaw rates [T], and contacts [T, 4] and [T]."""
    feet_m = foot_places(model, qpos)
    home_m = foot_places(model, model.key(HOME_KEY).qpos[None])
    return Clip(
        dt_s=dt_s, nominal_height_m=float(model.key(HOME_KEY).qpos[2] - home_m[0, :, 2].min()),
        height_m=qpos[:, 2] - feet_m[:, :, 2].min(axis=1),
        tilt_deg=np.degrees(np.arccos(np.clip(rotation_matrix(qpos[:, 3:7])[:, 2, 2], -1.0, 1.0))),
        place_w_m=qpos[:, :2].copy(), yaw_radps=np.asarray(yaw_radps),
        foot_contact=np.asarray(foot_contact, dtype=bool),
        foot_speed_mps=np.linalg.norm(_rate(feet_m[:, :, :2], dt_s), axis=2),
        other_contact=np.asarray(other_contact, dtype=bool), joint_vel_radps=_rate(qpos[:, 7:19], dt_s),
        asked=asked, ending=ending)  # fmt: skip


def foot_places(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """Return the centres of the feet [T, 4, 3] in the world, for positions [T, 19]."""
    data, bodies = mujoco.MjData(model), [model.body(f"{foot}_foot").id for foot in FEET]
    places = np.empty((len(qpos), len(FEET), 3))
    for k, row in enumerate(qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        places[k] = data.xpos[bodies]
    return places


def write_clips(path: Path, clips: Sequence[tuple[str, Clip]]) -> None:
    """Write labelled clips of one robot and one control step into one small `.npz`."""
    packed: dict[str, Any] = {
        "labels": np.array([label for label, _ in clips]), "endings": np.array([clip.ending for _, clip in clips]),
        "lengths": np.array([len(clip.height_m) for _, clip in clips]), "dt_s": clips[0][1].dt_s,
        "nominal_height_m": clips[0][1].nominal_height_m,
    }  # fmt: skip
    for name in ARRAYS:
        values = np.concatenate([getattr(clip, name) for _, clip in clips])
        if name in ROUNDED:
            # Differences of rounded whole numbers are small, and small numbers compress.
            values = np.diff(np.round(values * 10 ** ROUNDED[name]).astype(np.int32), axis=0, prepend=0)
            values = values.astype(np.int16) if np.abs(values).max() < 2**15 else values
        packed[name] = values
    packed["asked"] = np.concatenate([_or_all(clip) for _, clip in clips])
    data = io.BytesIO()
    np.savez_compressed(data, **packed)
    write_atomic(path, data.getvalue())


def read_clips(path: Path) -> list[tuple[str, Clip]]:
    """Return the labelled clips of a file that `write_clips` wrote."""
    with np.load(path, allow_pickle=False) as file:
        whole = {name: file[name] for name in file.files}
    for name, digits in ROUNDED.items():
        whole[name] = np.cumsum(whole[name].astype(np.int64), axis=0) / 10**digits
    ends = np.cumsum(whole["lengths"])
    return [
        (str(label), Clip(dt_s=float(whole["dt_s"]), nominal_height_m=float(whole["nominal_height_m"]),
                          ending=str(ending), **{name: whole[name][end - length:end] for name in (*ARRAYS, "asked")}))
        for label, ending, length, end in zip(
            whole["labels"], whole["endings"], whole["lengths"], ends, strict=True)
    ]  # fmt: skip


def _asked(steps: Sequence[Step]) -> np.ndarray | None:
    """Return where [T] the robot was asked to move; None where its task asks for neither a place nor a velocity."""
    if all(step.distance_m is None and step.asked_velocity is None for step in steps):
        return None
    return np.array([_asks(step) for step in steps])


def _asks(step: Step) -> bool:
    if step.distance_m is not None:
        return step.distance_m > step.reach_m
    forward, left, yaw = step.asked_velocity or (0.0, 0.0, 0.0)
    return float(np.hypot(forward, left)) > ASKED_MPS or abs(yaw) > ASKED_RADPS


def _or_all(clip: Clip) -> np.ndarray:
    return np.ones(len(clip.height_m), dtype=bool) if clip.asked is None else np.asarray(clip.asked)


def _rate(values: np.ndarray, dt_s: float) -> np.ndarray:
    """Return the rate of change a second [T, ...] over each control step; the first has that of the second."""
    if len(values) < 2:
        return np.zeros_like(values)
    rate: np.ndarray = np.diff(values, axis=0) / dt_s
    return np.concatenate([rate[:1], rate])
