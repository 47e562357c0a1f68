"""How does a scene become a clip? All scenes side by side in one batch, a robot each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from scenes import LOW_BASE_M, Now, Scene, came_about

from vbotd.core.clip import Clip
from vbotd.train.clip import clip_from
from vbotd.train.reference_walker import ACTION_SCALE_RAD, CONTROL_DT_S, ReferenceWalker
from vbotd.train.sim import BatchSimulator
from vbotd.train.tasks.robot import HOME_KEY, NUM_FEET, PHYSICS_DT_S, hold_targets_rad, load_model, rotation_matrix

SECONDS = 6.0
DEAD_MOTORS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scene, its clip, its positions [T, 19] (to draw it), and whether it came about."""

    scene: Scene
    clip: Clip
    qpos: np.ndarray
    came_about: bool


def play(scenes: Sequence[Scene], seconds: float = SECONDS) -> list[Played]:
    """Simulate scenes on the flat and return them with their clips."""
    model, walker, num = load_model(PHYSICS_DT_S), ReferenceWalker.load(), len(scenes)
    sim, ids, hold_rad = BatchSimulator(model, num, 1), np.arange(num), hold_targets_rad(model)
    qpos = np.tile(model.key(HOME_KEY).qpos, (num, 1))
    rngs = [np.random.default_rng([scene.seed, 77]) for scene in scenes]
    for row, scene, rng in zip(qpos, scenes, rngs, strict=True):
        row[7:] += rng.uniform(-0.05, 0.05, 12)
        scene.start(row)
    sim.reset(ids, qpos, np.zeros((num, 18)))
    sim.vary(ids, friction=np.array([s.friction for s in scenes]), payload_kg=np.array([s.payload_kg for s in scenes]))
    command, action = np.array([scene.command for scene in scenes]), np.zeros((num, 12))
    steps = round(seconds / CONTROL_DT_S)
    places, contacts, yaw = np.empty((steps, num, 19)), np.empty((steps, num, 9), dtype=bool), np.empty((steps, num))
    for k in range(steps):
        time_s = k * CONTROL_DT_S
        action = walker.act(sim, command, action)
        targets = hold_rad + ACTION_SCALE_RAD * action
        for i, (scene, rng) in enumerate(zip(scenes, rngs, strict=True)):
            scene.act(Now(time_s=time_s, target_rad=targets[i], joint_rad=sim.qpos[i, 7:], hold_rad=hold_rad,
                          qpos=sim.qpos[i], qvel=sim.qvel[i], command=command[i],
                          rng=rng))  # fmt: skip
        off = np.array([i for i, scene in enumerate(scenes) if 0 <= time_s - scene.motors_until_s < CONTROL_DT_S])
        if len(off):
            sim.vary(off, motor_strength=np.full(len(off), DEAD_MOTORS))
        action = (targets - hold_rad) / ACTION_SCALE_RAD
        sim.step(targets, round(CONTROL_DT_S / PHYSICS_DT_S))
        places[k], contacts[k], yaw[k] = sim.qpos, sim.sensordata > 0.5, sim.qvel[:, 5]
    return [_played(scene, model, places[:, i], contacts[:, i], yaw[:, i]) for i, scene in enumerate(scenes)]


def _played(scene: Scene, model: mujoco.MjModel, qpos: np.ndarray, contact: np.ndarray, yaw: np.ndarray) -> Played:
    up = rotation_matrix(qpos[:, 3:7])[:, 2, 2]
    happened = came_about(scene.label, qpos[:, 2], qpos[:, :2], up)
    fallen = np.flatnonzero(contact[:, NUM_FEET] | (qpos[:, 2] < LOW_BASE_M / 2))
    ending, end = "", len(qpos)
    if scene.until_fall and len(fallen):
        ending, end = "fall", int(fallen[0]) + 1
    clip = clip_from(qpos[:end], model, CONTROL_DT_S, yaw_radps=yaw[:end], foot_contact=contact[:end, :NUM_FEET],
                     other_contact=contact[:end, NUM_FEET:].any(axis=1), ending=ending)  # fmt: skip
    return Played(scene=scene, clip=clip, qpos=qpos[:end], came_about=happened)
