"""Many episodes at once: actions in, observations, rewards and finished episodes out. Knows the robot, not the task.

Order of a control step, the same for every task:
smooth action -> latency -> pushes -> physics -> divergence -> view -> task state -> endings -> reward -> accounts
-> terminal observation -> reset of what ended -> observation. Noise comes last into an observation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from vbotd.domain.reference import Ending
from vbotd.train.sim import Simulator
from vbotd.train.tasks.curriculum import Curriculum
from vbotd.train.tasks.observation import ObservationTable
from vbotd.train.tasks.robot import NUM_JOINTS, RobotMemory, RobotView, look, look_at_start
from vbotd.train.tasks.robustness import Robustness, RobustnessOptions
from vbotd.train.tasks.terms import RewardTable

ACTION_LIMIT = 5.0  # actions are offsets in units of action_scale; beyond this the force limits are long reached
DIVERGED = Ending(name="diverged", kind="diverged", summary="the simulation has no numbers left; such a step pays 0")
CLOCK = Ending(name="clock", kind="time-out", summary="the episode is as long as env.episode_s")


@dataclass(slots=True, kw_only=True)
class Endings:
    """Which episodes the task ends now; [N] bool each."""

    success: np.ndarray  # the goal is reached: a termination
    fall: np.ndarray  # the robot is down or out: a termination
    stuck: np.ndarray | None = None  # going on is a waste of time: a time-out before its time; None: nobody is


@dataclass(slots=True, kw_only=True)
class Finished:
    """The accounts of M episodes that ended in one control step, one row an episode."""

    env_ids: np.ndarray
    success: np.ndarray
    fall: np.ndarray
    timed_out: np.ndarray
    diverged: np.ndarray
    length_s: np.ndarray
    total_reward: np.ndarray
    metrics: dict[str, np.ndarray]  # the task's own, NaN where an episode has none


@dataclass(slots=True, kw_only=True)
class StepResult:
    """What a control step returns; float32 where a network reads it."""

    obs: np.ndarray  # [N, O] after resets
    rewards: np.ndarray  # [N]
    terminated: np.ndarray  # [N] bool: success, fall or divergence
    timed_out: np.ndarray  # [N] bool: the clock; disjoint from terminated
    terminal_obs: np.ndarray  # [M, O] of the timed-out rows, in order, before their reset
    finished: Finished | None = None  # None where no whole episode ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of the robots now: a place to be, or else a velocity to have."""

    place_w_m: np.ndarray | None = None  # [N, 2]; None: no place
    reach_m: float = 0.0  # so near the place is there
    velocity: np.ndarray | None = None  # [N, 3] forward m/s, left m/s, yaw rad/s; None: no velocity


class Task(Protocol):
    """What a task adds to the robot: its own state, its goal and its terms."""

    num_draws: int  # uniform numbers that fix an episode, beyond the robot's own
    observation: ObservationTable

    def begin(self, ids: np.ndarray, draws: np.ndarray, qpos: np.ndarray) -> np.ndarray | None:
        """Set up the episodes of `ids` from draws [M, K] in 0-1; may move the robots' start rows [M, 19].

        Returns [M] bool: which of them begin where an episode begins and so count in the accounts; None: all.
        """

    def advance(self, robot: RobotView, elapsed: np.ndarray) -> Endings:
        """Update the task's state after a control step; `elapsed` [N] counts control steps of the episode."""

    def reward(self, robot: RobotView) -> np.ndarray:
        """Return the reward [N] of this control step."""

    def renew(self, elapsed: np.ndarray) -> None:
        """Change what is asked of the robots where it is due, after the reward for what was asked before."""

    def observe(self, robot: RobotView, ids: np.ndarray | slice) -> np.ndarray:
        """Return the observations [M, O], float32, of the environments `ids`, whose view [M, ...] is given."""

    def asked(self) -> Asked:
        """Return what is asked of the robots now."""

    def accounts(self, ids: np.ndarray, elapsed: np.ndarray, timed_out: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the metrics of the ending episodes [M]; `success` overrides the default where present."""

    def adapt(self, finished: Finished) -> None:
        """Note what later episodes are to be harder or easier for; nothing changes before `curriculum.learn`."""

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays of the task's state, themselves and not copies."""

    @property
    def rewards(self) -> RewardTable:
        """The table of the task's reward terms."""

    @property
    def curriculum(self) -> Curriculum | None:
        """What makes episodes harder or easier as a training goes on; None: nothing does."""

    @property
    def level(self) -> float:
        """How hard the episodes are, 0-1 of the task as declared; 1 without a curriculum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvOptions:
    """The options that every task has."""

    physics_dt_s: float
    control_dt_s: float
    episode_s: float
    action_scale_rad: float
    action_smoothing: float
    reset_joint_noise_rad: float
    reset_speed_mps: float
    robustness: RobustnessOptions

    @classmethod
    def of(cls, env: Mapping[str, Any]) -> EnvOptions:
        """Pick the common options out of a run's env settings."""
        numbers = {name: float(env[name]) for name in cls.__slots__ if name != "robustness"}
        return cls(**numbers, robustness=RobustnessOptions.of(env))

    @property
    def physics_steps(self) -> int:
        """Physics steps of one control step."""
        return max(round(self.control_dt_s / self.physics_dt_s), 1)

    @property
    def episode_steps(self) -> int:
        """Control steps of a full episode."""
        return math.ceil(self.episode_s / self.control_dt_s - 1e-9)


@dataclass(slots=True)
class Clock:
    """Per-environment counters; part of a checkpoint."""

    elapsed: np.ndarray  # [N] control steps of this episode, counted by the episode clock
    lived: np.ndarray  # [N] control steps that this episode has really had
    total_reward: np.ndarray  # [N]
    whole: np.ndarray  # [N] bool: the episode began at its beginning (only such count in the accounts)

    @classmethod
    def zero(cls, num_envs: int) -> Clock:
        """Return the counters of fresh episodes."""
        return cls(
            np.zeros(num_envs, dtype=np.int64),
            np.zeros(num_envs, dtype=np.int64),
            np.zeros(num_envs),
            np.ones(num_envs, dtype=bool),
        )


NUM_ROBOT_DRAWS = NUM_JOINTS + 6  # joint noise, base linear and angular velocity


@dataclass(slots=True)
class Environment:
    """N episodes of one task on one simulator. Everything random comes in as draws, K uniform numbers an episode."""

    task: Task
    sim: Simulator
    options: EnvOptions
    home_qpos: np.ndarray  # [19]
    hold_targets_rad: np.ndarray  # [J], what action 0 means
    seed: int
    simulation_s: float = 0.0  # wall time inside the engine since the start
    clock: Clock = field(init=False)
    memory: RobotMemory = field(init=False)
    robustness: Robustness = field(init=False)
    rng: np.random.Generator = field(init=False)
    last_obs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.clock = Clock.zero(self.num_envs)
        self.memory = RobotMemory.empty(self.num_envs)
        self.robustness = Robustness(
            self.options.robustness, self.num_envs, self.options.control_dt_s, self.task.observation.noise
        )
        self.last_obs = np.zeros((self.num_envs, self.task.observation.size), dtype=np.float32)

    @property
    def num_envs(self) -> int:
        """How many episodes run at once."""
        return self.sim.num_sims

    @property
    def num_draws(self) -> int:
        """How many uniform numbers fix an episode."""
        return NUM_ROBOT_DRAWS + self.task.num_draws

    def start(self, draws: np.ndarray | None = None, *, stagger: bool = False) -> np.ndarray:
        """Begin all episodes and return observations [N, O].

        `draws` [N, K] fixes them (evaluation); without, they come from the environment's own generator.
        With `stagger` the episode clocks start at random ages, so that time-outs do not all come at once: the
        predecessor's curves swung between 3 % and 98 % for that reason alone. Those first episodes are not counted.
        """
        everyone = np.arange(self.num_envs)
        self._reset(everyone, self.rng.random((self.num_envs, self.num_draws)) if draws is None else draws)
        if stagger:
            self.clock.elapsed[:] = self.rng.integers(0, self.options.episode_steps, self.num_envs)
            self.clock.whole &= self.clock.elapsed == 0
        self.task.renew(self.clock.elapsed)
        self.last_obs = self._observe_fresh(everyone)
        return self.last_obs

    def step(self, actions: np.ndarray) -> StepResult:
        """Advance every environment by one control step; actions [N, A] in units of the action scale."""
        diverged, robot = self._simulate(actions)
        self.clock.elapsed += 1
        self.clock.lived += 1
        endings = self.task.advance(robot, self.clock.elapsed)
        fall = endings.fall & ~diverged
        success = endings.success & ~fall & ~diverged
        terminated = success | fall | diverged
        late = self.clock.elapsed >= self.options.episode_steps
        timed_out = ~terminated & (late if endings.stuck is None else late | endings.stuck)
        rewards = np.where(diverged, 0.0, self.task.reward(robot))
        self.clock.total_reward += rewards
        finished = self._account(terminated | timed_out, success, fall, timed_out, diverged)
        if finished is not None:
            self.task.adapt(finished)
        self.task.renew(self.clock.elapsed)
        obs = self.robustness.blur(self.task.observe(robot, slice(None)), slice(None), self.clock.lived)
        terminal_obs = obs[timed_out]
        ended = np.flatnonzero(terminated | timed_out)
        if len(ended):
            self._reset(ended, self.rng.random((len(ended), self.num_draws)))
            obs[ended] = self._observe_fresh(ended)
        self.last_obs = obs
        return StepResult(
            obs=obs,
            rewards=rewards.astype(np.float32),
            terminated=terminated,
            timed_out=timed_out,
            terminal_obs=terminal_obs,
            finished=finished,
        )

    def save(self) -> dict[str, np.ndarray]:
        """Return copies of everything that the next control step depends on."""
        return {name: array.copy() for name, array in self._arrays().items()} | {"sim": self.sim.save()}

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on exactly where `save` was called."""
        self.sim.restore(saved["sim"])
        for name, array in self._arrays().items():
            if array.shape != saved[name].shape:
                raise ValueError(f"saved '{name}' is {saved[name].shape} — this run needs {array.shape}")
            array[...] = saved[name]
        self.robustness.resume(self.sim)

    def _arrays(self) -> dict[str, np.ndarray]:
        robot = {f"robot/{name}": getattr(self.memory, name) for name in RobotMemory.__slots__}
        clock = {f"clock/{name}": getattr(self.clock, name) for name in Clock.__slots__}
        task = {f"task/{name}": array for name, array in self.task.state().items()}
        robustness = {f"robustness/{name}": array for name, array in self.robustness.state().items()}
        return robot | clock | task | robustness | {"last_obs": self.last_obs}

    def _simulate(self, actions: np.ndarray) -> tuple[np.ndarray, RobotView]:
        keep = self.options.action_smoothing
        action = np.clip(actions.astype(np.float64), -ACTION_LIMIT, ACTION_LIMIT)
        action = (1.0 - keep) * action + keep * self.memory.action
        targets_rad = self.hold_targets_rad + self.options.action_scale_rad * self.robustness.late(action)
        self.robustness.push(self.sim, self.clock.lived)
        before_s = time.perf_counter()
        self.sim.step(targets_rad, self.options.physics_steps)
        self.simulation_s += time.perf_counter() - before_s
        diverged = self.sim.diverged()
        if diverged.any():
            # Back on its feet before anyone looks: one NaN in a view would spread into every mean.
            ids = np.flatnonzero(diverged)
            self.sim.reset(ids, np.tile(self.home_qpos, (len(ids), 1)), np.zeros((len(ids), 18)))
        view = look(self.sim, self.memory, action, self.options.control_dt_s)
        if diverged.any():
            view.torque_nm = np.where(diverged[:, None], 0.0, view.torque_nm)
        return diverged, view

    def _account(
        self, ended: np.ndarray, success: np.ndarray, fall: np.ndarray, timed_out: np.ndarray, diverged: np.ndarray
    ) -> Finished | None:
        ids = np.flatnonzero(ended & self.clock.whole)
        if len(ids) == 0:
            return None
        metrics = dict(self.task.accounts(ids, self.clock.lived[ids], timed_out[ids]))
        return Finished(
            env_ids=ids,
            success=metrics.pop("success", success[ids]).astype(bool),
            fall=fall[ids],
            timed_out=timed_out[ids],
            diverged=diverged[ids],
            length_s=self.clock.lived[ids] * self.options.control_dt_s,
            total_reward=self.clock.total_reward[ids].copy(),
            metrics=metrics,
        )

    def _reset(self, ids: np.ndarray, draws: np.ndarray) -> None:
        """Begin new episodes. Every per-episode array is cleared here or in the task's `begin`, and nowhere else."""
        noise = 2.0 * draws[:, :NUM_ROBOT_DRAWS] - 1.0
        qpos = np.tile(self.home_qpos, (len(ids), 1))
        qpos[:, 7:] += self.options.reset_joint_noise_rad * noise[:, :NUM_JOINTS]
        qpos[:, 2] += 0.01  # above the floor whatever the noise does to the feet
        qvel = np.zeros((len(ids), 18))
        qvel[:, :6] = self.options.reset_speed_mps * noise[:, NUM_JOINTS:]
        whole = self.task.begin(ids, draws[:, NUM_ROBOT_DRAWS:], qpos)
        self.sim.reset(ids, qpos, qvel)
        self.robustness.begin(ids, draws, self.sim)
        self.memory.forget(ids)
        self.clock.elapsed[ids] = 0
        self.clock.lived[ids] = 0
        self.clock.total_reward[ids] = 0.0
        self.clock.whole[ids] = True if whole is None else whole

    def _observe_fresh(self, ids: np.ndarray) -> np.ndarray:
        """Return the first observations [M, O] of new episodes."""
        return self.robustness.blur(self.task.observe(look_at_start(self.sim, ids), ids), ids, self.clock.lived[ids])
