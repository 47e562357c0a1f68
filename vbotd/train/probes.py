"""What does a task pay for simple behaviours? Each probe does one thing for a whole episode, all in one batch.

Action 0 holds the default pose, so the zero action and the held pose are one probe, `stand`. The probes that move
are the reference walker under a velocity command; they ask the task only where its goal is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vbotd.core.probe_sums import ProbeSums
from vbotd.train.ledger import Ledger, sums_of
from vbotd.train.reference_walker import ACTION_SCALE_RAD, CONTROL_DT_S, ReferenceWalker
from vbotd.train.tasks.environment import ACTION_LIMIT, Environment
from vbotd.train.tasks.robot import NUM_FEET, NUM_JOINTS, rotation_matrix

FOLD_RAD = np.tile([0.0, 1.4, -0.8], NUM_FEET)  # added to the default pose: thighs back, trunk on the floor
CROUCH_RAD = np.tile([0.0, 0.2, -0.4], NUM_FEET)
TWITCH_S, TWITCH_EVERY_S, TWITCH_RAD = 0.08, 0.44, 0.25  # of the hips: no half second at rest, hardly any motion
TURN_RADPS, BRAKE_PER_S = 1.2, 2.0
INSIDE_RATE = 0.5  # of the reach radius: where those who stop at the goal come to a halt
STOPPED_MPS = 0.12  # below such a command the walker stands instead
STAY_M = 0.2
HOVER_M = 0.1
LINGER_M = 0.5
SPRINT_S = 3.0  # of the sprint that ends in a fall, where the goal is not reached before


@dataclass(slots=True, kw_only=True)
class Scene:
    """What a probe may know, about its own rows."""

    time_s: float
    distance_m: np.ndarray  # [n] to the goal; infinite without one
    bearing_rad: np.ndarray  # [n] of the goal, left is positive; 0 without one
    reach_m: float
    arrived: np.ndarray  # [n] bool, the goal was reached in this episode
    velocity: np.ndarray  # [n, 3] what the task commands; zeros where it commands none
    posed: np.ndarray  # [n] bool, it stood (or lay) a control step ago
    noise: np.ndarray  # [n, A] standard normal


@dataclass(slots=True)
class Motion:
    """What a probe does: follow a velocity, or, in the rows of `posed`, go to joint offsets from the default pose."""

    velocity: np.ndarray  # [n, 3]
    offset_rad: np.ndarray  # [n, A]
    posed: np.ndarray  # [n] bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A behaviour. `needs` is "goal" or "velocity" where it makes no sense without, "" otherwise."""

    name: str
    summary: str
    act: Callable[[Scene], Motion]
    needs: str = ""


def pose(scene: Scene, offset_rad: np.ndarray | float = 0.0) -> Motion:
    """Return the motion that takes a pose."""
    n = len(scene.distance_m)
    return Motion(np.zeros((n, 3)), np.broadcast_to(offset_rad, (n, NUM_JOINTS)).astype(float),
                  np.ones(n, dtype=bool))  # fmt: skip


def go(scene: Scene, speed_mps: float, stop_m: float | None) -> Motion:
    """Return the motion towards the goal, turning first where it lies behind; None: it does not stop."""
    speed = np.full(len(scene.distance_m), speed_mps)
    if stop_m is not None:
        speed = np.clip(BRAKE_PER_S * (scene.distance_m - stop_m), 0.0, speed_mps)
    bearing = np.where(scene.distance_m > 0.3, scene.bearing_rad, 0.0)
    forward = speed * np.clip(np.cos(bearing), 0.0, 1.0) ** 2
    turn = np.clip(2.0 * bearing, -TURN_RADPS, TURN_RADPS)
    motion = pose(scene)
    motion.velocity = np.stack([forward, np.zeros_like(forward), turn], axis=1)
    # Whoever has stopped stays, though it may have rolled back a little: no chatter between standing and walking.
    stays = scene.posed & (scene.distance_m < (stop_m or 0.0) + STAY_M)
    motion.posed = (speed <= STOPPED_MPS) | stays
    return motion


def fall_where(scene: Scene, motion: Motion, where: np.ndarray) -> Motion:
    """Return the motion with the rows of `where` [n] bool collapsing instead."""
    motion.posed = motion.posed | where
    motion.offset_rad = np.where(where[:, None], FOLD_RAD, motion.offset_rad)
    return motion


def _walk(speed_mps: float) -> Callable[[Scene], Motion]:
    return lambda scene: go(scene, speed_mps, INSIDE_RATE * scene.reach_m)


def _constant(forward_mps: float, turn_radps: float) -> Callable[[Scene], Motion]:
    def act(scene: Scene) -> Motion:
        motion = pose(scene)
        motion.velocity[:] = (forward_mps, 0.0, turn_radps)
        motion.posed[:] = False
        return motion

    return act


def _follow(scene: Scene) -> Motion:
    motion = pose(scene)
    motion.velocity, motion.posed = scene.velocity, np.abs(scene.velocity).max(axis=1) < STOPPED_MPS
    return motion


def _face(scene: Scene) -> Motion:
    motion = go(scene, 0.0, None)
    motion.posed = np.abs(scene.bearing_rad) < 0.2
    return motion


def _loiter(scene: Scene) -> Motion:
    twitch = TWITCH_RAD * (scene.time_s % TWITCH_EVERY_S < TWITCH_S) * np.tile([1.0, 0.0, 0.0], NUM_FEET)
    motion = go(scene, 1.0, INSIDE_RATE * scene.reach_m)
    motion.offset_rad = np.where(scene.arrived[:, None], twitch, motion.offset_rad)
    motion.posed = motion.posed | (scene.arrived & (scene.distance_m < scene.reach_m - 0.1))
    return motion


def _sprint_fall(scene: Scene) -> Motion:
    return fall_where(scene, go(scene, 2.0, None), scene.arrived | (scene.time_s > SPRINT_S))


PROBES = (
    Probe(name="stand", summary="stands (the zero action holds the pose)", act=pose),
    Probe(name="tremble", summary="stands with small random actions", act=lambda s: pose(s, 0.05 * s.noise)),
    Probe(name="crouch", summary="stands low", act=lambda s: pose(s, CROUCH_RAD * min(s.time_s / 0.5, 1.0))),
    Probe(name="fold", summary="lies down at once", act=lambda s: pose(s, FOLD_RAD * min(s.time_s / 0.3, 1.0))),
    Probe(name="spin", summary="turns on the spot", act=_constant(0.0, TURN_RADPS)),
    Probe(name="circle", summary="walks in circles of 1 m", act=_constant(0.6, TURN_RADPS)),
    Probe(name="sprint", summary="runs at 2 m/s and never stops", act=lambda s: go(s, 2.0, None)),
    Probe(name="sprint-fall", summary="runs at 2 m/s to the goal, 3 s at most, and falls", act=_sprint_fall),
    Probe(name="walk", needs="goal", summary="walks to the goal at 0.5 m/s and stops there", act=_walk(0.5)),
    Probe(name="brisk", needs="goal", summary="walks to the goal at 1 m/s and stops there", act=_walk(1.0)),
    Probe(name="face", needs="goal", summary="turns to the goal and stands", act=_face),
    Probe(name="linger", needs="goal", summary="stops half a metre outside of the goal",
          act=lambda s: go(s, 1.0, s.reach_m + LINGER_M)),
    Probe(name="hover", needs="goal", summary="stops just outside of the goal",
          act=lambda s: go(s, 1.0, s.reach_m + HOVER_M - STOPPED_MPS / BRAKE_PER_S)),
    Probe(name="loiter", needs="goal", summary="reaches the goal and twitches there, never quite at rest", act=_loiter),
    Probe(name="touch-fall", needs="goal", summary="reaches the goal and falls",
          act=lambda s: fall_where(s, go(s, 1.0, 0.0), s.arrived)),
    Probe(name="follow", needs="velocity", summary="follows the commanded velocity", act=_follow),
)  # fmt: skip


def probes_for(env: Environment) -> list[Probe]:
    """Return the probes that make sense for a task; they are the batch's blocks of equal size, in this order."""
    asked = env.task.asked()
    has = {"": True, "goal": asked.place_w_m is not None, "velocity": asked.velocity is not None}
    return [probe for probe in PROBES if has[probe.needs]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """The probes' sums, how many episodes each had, and what was simulated; `extended_s` of each were not."""

    probes: Mapping[str, ProbeSums]
    episodes: int
    env_steps: int
    extended_s: float


def roll(env: Environment, probes: list[Probe], gamma: float, max_steps: int, seed: int,
         alive: Callable[[float], None] = lambda share: None) -> Rolled:
    """Run every probe for a full episode, all on the same instances, and return what each was paid.

    Args:
        env: `len(probes)` times as many environments as each probe has episodes.
        gamma: discount of a control step.
        max_steps: control steps that are simulated at most; beyond, the reward of the last fifth goes on.
        alive: called with the share that is done.
    """  # fmt: skip
    each = env.num_envs // len(probes)
    blocks = {probe.name: slice(i * each, (i + 1) * each) for i, probe in enumerate(probes)}
    env.start(np.tile(np.random.default_rng(seed).random((each, env.num_draws)), (len(probes), 1)))
    steps = min(env.options.episode_steps, max_steps)
    ledger = Ledger(env.num_envs, gamma, env.options.episode_steps, env.options.control_dt_s)
    late_step = math.ceil(0.8 * steps)
    pilot = Pilot(env, probes, blocks, np.random.default_rng(seed + 1))
    env.task.rewards.on_paid = ledger.on_paid
    try:
        for step in range(steps):
            distance_m, reach_m = pilot.distances()
            pilot.arrived |= distance_m < reach_m
            if step == late_step:
                ledger.mark_late()
            result = env.step(pilot.actions(step))
            ledger.close(step, result, distance_m, reach_m, pilot.posed)
            if not ledger.alive.any():
                break
            alive((step + 1) / steps)
    finally:
        env.task.rewards.on_paid = None
    left = env.options.episode_steps - steps
    if left:
        ledger.extend(left, steps - late_step)
    sums = {name: sums_of(name, ledger, rows) for name, rows in blocks.items()}
    return Rolled(probes=sums, episodes=each, env_steps=(step + 1) * env.num_envs,
                  extended_s=left * env.options.control_dt_s)  # fmt: skip


class Pilot:
    """Drives all probes: where is the goal, what does each probe want, which actions does that take."""

    def __init__(self, env: Environment, probes: list[Probe], blocks: Mapping[str, slice],
                 rng: np.random.Generator) -> None:  # fmt: skip
        self._env, self._probes, self._blocks, self._rng = env, probes, blocks, rng
        self._walker = ReferenceWalker.load()
        self._walker_action = np.zeros((env.num_envs, NUM_JOINTS))
        self._period = max(round(CONTROL_DT_S / env.options.control_dt_s), 1)
        self._wanted_rad = np.zeros((env.num_envs, NUM_JOINTS))
        self.posed = np.zeros(env.num_envs, dtype=bool)
        self.arrived = np.zeros(env.num_envs, dtype=bool)

    def distances(self) -> tuple[np.ndarray, float]:
        """Return how far each robot is from its goal now [N], and the reach radius; infinite without a goal."""
        asked = self._env.task.asked()
        if asked.place_w_m is None:
            return np.full(self._env.num_envs, np.inf), 0.0
        return np.linalg.norm(asked.place_w_m - self._env.sim.qpos[:, :2], axis=1), asked.reach_m

    def actions(self, step: int) -> np.ndarray:
        """Return the actions [N, A] of a control step, in the units of the task."""
        if step % self._period == 0:
            self._wanted_rad = self._wanted(step)
        options = self._env.options
        action, keep = self._wanted_rad / options.action_scale_rad, options.action_smoothing
        # What the environment will smooth is undone first, as far as the limits allow.
        action = (action - keep * self._env.memory.action) / (1.0 - keep)
        return np.clip(action, -ACTION_LIMIT, ACTION_LIMIT)

    def _wanted(self, step: int) -> np.ndarray:
        """Return joint offsets [N, J] from the pose that action 0 holds."""
        scenes = self._scenes(step)
        motions = [probe.act(scenes[probe.name]) for probe in self._probes]
        velocity = np.concatenate([m.velocity for m in motions])
        posed = np.concatenate([m.posed for m in motions])
        offset_rad = np.concatenate([m.offset_rad for m in motions])
        fresh = self._env.clock.lived == 0
        self._walker_action[fresh] = 0.0
        walked = self._walker.act(self._env.sim, velocity, self._walker_action)
        wanted_rad = np.where(posed[:, None], offset_rad, ACTION_SCALE_RAD * walked)
        self._walker_action = wanted_rad / ACTION_SCALE_RAD
        self.posed = posed
        return wanted_rad

    def _scenes(self, step: int) -> dict[str, Scene]:
        asked, n = self._env.task.asked(), self._env.num_envs
        distance_m, reach_m = self.distances()
        bearing_rad = np.zeros(n)
        if asked.place_w_m is not None:
            to_w = asked.place_w_m - self._env.sim.qpos[:, :2]
            ahead_w = rotation_matrix(self._env.sim.qpos[:, 3:7])[:, :2, 0]
            cross = ahead_w[:, 0] * to_w[:, 1] - ahead_w[:, 1] * to_w[:, 0]
            bearing_rad = np.arctan2(cross, (ahead_w * to_w).sum(axis=1))
        velocity = np.zeros((n, 3)) if asked.velocity is None else asked.velocity
        noise = self._rng.standard_normal((n, NUM_JOINTS))
        return {
            name: Scene(time_s=step * self._env.options.control_dt_s, distance_m=distance_m[rows],
                        bearing_rad=bearing_rad[rows], reach_m=reach_m, arrived=self.arrived[rows],
                        velocity=velocity[rows], posed=self.posed[rows], noise=noise[rows])
            for name, rows in self._blocks.items()
        }  # fmt: skip
