"""What does a task pay for simple behaviours? Each probe does one thing for a whole episode, all in one batch.

Action 0 holds the default pose, so the zero action and the held pose are one probe, `stand`. The probes that move
are the reference walker under a velocity command; they ask the task only where its goal is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbotd.core.reward_budget import ProbeSums
from vbotd.train.reference_walker import ACTION_SCALE_RAD, CONTROL_DT_S, ReferenceWalker
from vbotd.train.tasks.environment import ACTION_LIMIT, Environment, StepResult
from vbotd.train.tasks.robot import NUM_FEET, NUM_JOINTS, rotation_matrix

FOLD_RAD = np.tile([0.0, 1.4, -0.8], NUM_FEET)  # added to the default pose: thighs back, trunk on the floor
CROUCH_RAD = np.tile([0.0, 0.2, -0.4], NUM_FEET)
TWITCH_S, TWITCH_EVERY_S, TWITCH_RAD = 0.08, 0.44, 0.25  # of the hips: no half second at rest, hardly any motion
TURN_RADPS, BRAKE_PER_S = 1.2, 2.0
INSIDE_RATE = 0.5  # of the reach radius: where those who stop at the goal come to a halt
STOPPED_MPS = 0.12  # below such a command the walker stands instead
STAY_M = 0.2
NEAR_M = 2.0  # the zone around the goal that the predecessor's speed penalty once covered
EDGE_M = 0.15  # beyond the reach radius: the edge of the goal
HOVER_M = 0.1
LINGER_M = 0.5
WAIT_S = 2.0  # of standing that are compared with walking
SPRINT_S = 1.5  # of the sprint that ends in a fall


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
    late = np.full(len(scene.distance_m), scene.time_s > SPRINT_S)
    return fall_where(scene, go(scene, 2.0, None), late)


PROBES = (
    Probe(name="stand", summary="stands (the zero action holds the pose)", act=pose),
    Probe(name="tremble", summary="stands with small random actions", act=lambda s: pose(s, 0.05 * s.noise)),
    Probe(name="crouch", summary="stands low", act=lambda s: pose(s, CROUCH_RAD * min(s.time_s / 0.5, 1.0))),
    Probe(name="fold", summary="lies down at once", act=lambda s: pose(s, FOLD_RAD * min(s.time_s / 0.3, 1.0))),
    Probe(name="spin", summary="turns on the spot", act=_constant(0.0, TURN_RADPS)),
    Probe(name="circle", summary="walks in circles of 1 m", act=_constant(0.6, TURN_RADPS)),
    Probe(name="sprint", summary="runs at 2 m/s and never stops", act=lambda s: go(s, 2.0, None)),
    Probe(name="sprint-fall", summary="runs at 2 m/s for 1.5 s and falls", act=_sprint_fall),
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


@dataclass(slots=True)
class Ledger:
    """What every environment was paid until its first episode ended, by term, by time and by place."""

    num_envs: int
    gamma: float
    half_steps: int
    wait_steps: int  # so long waiting is looked at, once a probe stands
    total: np.ndarray = field(init=False)  # [N]
    discounted: np.ndarray = field(init=False)  # [N]
    first_half: np.ndarray = field(init=False)  # [N]
    at_goal: np.ndarray = field(init=False)  # [N] discounted since the edge of the goal
    goal_discount: np.ndarray = field(init=False)  # [N] 0 before that
    came: np.ndarray = field(init=False)  # [N] bool, it was at the edge of the goal
    steps: np.ndarray = field(init=False)  # [N]
    waited: np.ndarray = field(init=False)  # [N] control steps that the probe has stood
    alive: np.ndarray = field(init=False)  # [N] bool, still in the first episode
    success: np.ndarray = field(init=False)  # [N] bool
    fall: np.ndarray = field(init=False)  # [N] bool
    goal_step: np.ndarray = field(init=False)  # [N] first at the goal; -1 never
    terms: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    terms_discounted: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    discount: float = 1.0  # of the control step that is being paid
    zone_paid: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each, without events
    zone_steps: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    events: np.ndarray = field(init=False)  # [N] what events paid in this control step

    def __post_init__(self) -> None:
        for name in ("total", "discounted", "first_half", "at_goal", "goal_discount", "events"):
            setattr(self, name, np.zeros(self.num_envs))
        self.steps, self.waited = np.zeros((2, self.num_envs), dtype=np.int64)
        self.goal_step = np.full(self.num_envs, -1)
        self.alive = np.ones(self.num_envs, dtype=bool)
        self.success, self.fall, self.came = ~self.alive, ~self.alive, ~self.alive

    def on_paid(self, name: str, paid: np.ndarray) -> None:
        """Take what a term pays in this control step."""
        paid = np.where(self.alive, paid, 0.0)
        for sums, share in ((self.terms, 1.0), (self.terms_discounted, self.discount)):
            sums[name] = sums.get(name, 0.0) + share * paid
        if name.endswith("_event"):
            self.events = self.events + paid

    def close(self, step: int, result: StepResult, distance_m: np.ndarray, reach_m: float, posed: np.ndarray) -> None:
        """Take the whole reward of a control step and the endings; `distance_m` and `posed` [N] are before a reset."""
        paid = np.where(self.alive, result.rewards.astype(float), 0.0)
        self.total += paid
        self.discounted += self.discount * paid
        self.discount *= self.gamma
        self.goal_discount *= self.gamma
        comes = self.alive & ~self.came & (distance_m < reach_m + EDGE_M)
        self.came |= comes
        self.goal_discount[comes] = 1.0
        self.at_goal += self.goal_discount * paid
        if step < self.half_steps:
            self.first_half += paid
        self.goal_step[(self.goal_step < 0) & self.alive & (distance_m < reach_m)] = step
        zones = {
            "far": distance_m >= NEAR_M,
            "near": (distance_m < NEAR_M) & (distance_m >= reach_m),
            "wait": posed & (self.waited < self.wait_steps),
        }
        self.waited += posed
        for zone, inside in zones.items():
            counted = inside & self.alive
            self.zone_paid.setdefault(zone, np.zeros(self.num_envs))[counted] += (paid - self.events)[counted]
            self.zone_steps.setdefault(zone, np.zeros(self.num_envs))[counted] += 1
        self.events = np.zeros(self.num_envs)
        self.steps += self.alive
        if result.finished is not None:
            ids = result.finished.env_ids[self.alive[result.finished.env_ids]]
            row = np.isin(result.finished.env_ids, ids)
            self.success[ids] = result.finished.success[row]
        self.fall |= self.alive & result.terminated & ~self.success
        self.alive &= ~(result.terminated | result.timed_out)

    def extend(self, steps_left: int, recent: np.ndarray) -> None:
        """Go on for those still alive at the reward per control step [N] that they had lately."""
        self.total += np.where(self.alive, recent * steps_left, 0.0)
        self.steps += np.where(self.alive, steps_left, 0)


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
    ledger = Ledger(env.num_envs, gamma, env.options.episode_steps // 2, round(WAIT_S / env.options.control_dt_s))
    late_step = math.ceil(0.8 * steps)
    pilot = Pilot(env, probes, blocks, np.random.default_rng(seed + 1))
    late = np.zeros(env.num_envs)
    env.task.rewards.on_paid = ledger.on_paid
    try:
        for step in range(steps):
            distance_m, reach_m = pilot.distances()
            pilot.arrived |= distance_m < reach_m
            before = ledger.total.copy()
            result = env.step(pilot.actions(step))
            ledger.close(step, result, distance_m, reach_m, pilot.posed)
            if step >= late_step:
                late += ledger.total - before
            if not ledger.alive.any():
                break
            alive((step + 1) / steps)
    finally:
        env.task.rewards.on_paid = None
    left = env.options.episode_steps - steps
    if left:
        ledger.extend(left, late / (steps - late_step))
    sums = {name: _sums(name, ledger, rows, env.options.control_dt_s) for name, rows in blocks.items()}
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


def _sums(name: str, ledger: Ledger, rows: slice, control_dt_s: float) -> ProbeSums:
    """Return the means of one probe's rows."""
    came = ledger.came[rows]
    goal = ledger.goal_step[rows]
    return ProbeSums(
        name=name, length_s=float(ledger.steps[rows].mean()) * control_dt_s, total=float(ledger.total[rows].mean()),
        discounted=float(ledger.discounted[rows].mean()), first_half=float(ledger.first_half[rows].mean()),
        terms={term: float(paid[rows].mean()) for term, paid in ledger.terms.items()},
        terms_discounted={term: float(paid[rows].mean()) for term, paid in ledger.terms_discounted.items()},
        at_goal=float(ledger.at_goal[rows][came].mean()) if came.mean() > 0.5 else None,
        flow=_flow(ledger, rows, control_dt_s), success_rate=float(ledger.success[rows].mean()),
        fall_rate=float(ledger.fall[rows].mean()),
        goal_s=float((goal[goal >= 0] + 1).mean()) * control_dt_s if (goal >= 0).mean() > 0.5 else None)  # fmt: skip


def _flow(ledger: Ledger, rows: slice, control_dt_s: float) -> dict[str, float]:
    """Return reward per second without events in each zone where a probe spent at least half a second an episode."""
    flow: dict[str, Any] = {}
    for zone, steps in ledger.zone_steps.items():
        seconds = float(steps[rows].sum()) * control_dt_s
        if seconds > 0.5 * (rows.stop - rows.start):
            flow[zone] = float(ledger.zone_paid[zone][rows].sum()) / seconds
    return flow
