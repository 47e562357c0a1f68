"""What could a robot do instead of its task? Two families of simple behaviours, each a row of numbers 0-1.

`walker` drives the reference walker by a schedule: so fast towards the goal, so far from it a halt, then another speed;
or it lets itself fall. `gait` swings the legs without looking: twelve numbers, no feedback at all. Neither is told what
velocity the task asks for: who follows it does the task.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vbotd.train.probes import FOLD_RAD, Motion, Probe, Scene, go, pose
from vbotd.train.tasks.robot import NUM_FEET

WHERE = ", stops {:.2f} m from its middle"
RAMP_S = 0.3  # a pose is taken in so long a time, or the robot would be thrown over


@dataclass(frozen=True, slots=True, kw_only=True)
class Gene:
    """One number of a behaviour: what it means at 0, at 1, and where a search begins (0-1)."""

    name: str
    low: float
    high: float
    start: float = 0.5
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of behaviour: its genes, how it acts, and how it is told."""

    name: str
    genes: tuple[Gene, ...]
    act: Callable[[dict[str, float], float], Callable[[Scene], Motion]]  # of values and the episode's length in s
    words: Callable[[dict[str, float], float], str]  # same; says "towards the goal" where it goes straight ahead

    def values(self, row: np.ndarray) -> dict[str, float]:
        """Return what a row [G] of numbers 0-1 means."""
        return {gene.name: gene.low + float(x) * (gene.high - gene.low)
                for gene, x in zip(self.genes, row, strict=True)}

    def probe(self, name: str, row: np.ndarray, episode_s: float, *, has_goal: bool = True) -> Probe:
        """Return a row as a probe, to be rolled like any other; without a goal it goes straight ahead."""
        values = self.values(row)
        words = self.words(values, episode_s)
        if not has_goal:
            words = words.replace(" towards the goal", " ahead").replace(WHERE.format(values.get("halt_m", 0.0)), "")
        return Probe(name=name, summary=words, act=self.act(values, episode_s))


def _walker(v: dict[str, float], episode_s: float) -> Callable[[Scene], Motion]:
    crouch_rad = np.tile([0.0, v["crouch_rad"], -2.0 * v["crouch_rad"]], NUM_FEET)

    def act(scene: Scene) -> Motion:
        late = scene.time_s > v["turn_point"] * episode_s
        motion = go(scene, max(v["then_mps"] if late else v["speed_mps"], 0.0), v["halt_m"])
        motion.velocity[:, 2] += v["turn_radps"]
        if abs(v["turn_radps"]) > 0.3:
            motion.posed = motion.posed & (scene.distance_m < v["halt_m"])
        shake = v["shake_rad"] * math.sin(2.0 * math.pi * 2.0 * scene.time_s) * np.tile([1.0, 0.0, 0.0], NUM_FEET)
        motion.offset_rad = np.broadcast_to(crouch_rad + shake, motion.offset_rad.shape)
        if scene.time_s > v["fall_point"] * episode_s:
            motion.posed = np.ones_like(motion.posed)
            motion.offset_rad = np.broadcast_to(FOLD_RAD, motion.offset_rad.shape)
        return motion

    return act


def _walker_words(v: dict[str, float], episode_s: float) -> str:
    falls = f", and falls on purpose after {v['fall_point'] * episode_s:.1f} s" if v["fall_point"] < 1.0 else ""
    turns = f", turning by {v['turn_radps']:.1f} rad/s" if abs(v["turn_radps"]) > 0.3 else ""
    stands = [f"shaking its hips by {v['shake_rad']:.2f} rad"] if v["shake_rad"] > 0.1 else []
    stands += ["low on bent legs"] if v["crouch_rad"] > 0.15 else []
    where = f" there, {' and '.join(stands)}" if stands else ""
    changes = f", from {v['turn_point'] * episode_s:.1f} s on at {max(v['then_mps'], 0.0):.1f} m/s"
    then = changes if v["turn_point"] < 0.95 else ""
    return (f"goes at {max(v['speed_mps'], 0.0):.1f} m/s towards the goal{then}{turns}"
            f"{WHERE.format(v['halt_m'])}{where}{falls}")  # fmt: skip


def _gait(v: dict[str, float], episode_s: float) -> Callable[[Scene], Motion]:
    del episode_s
    # Feet are FR, FL, RR, RL; the phases of the other three against the first one.
    turns = np.array([0.0, v["left"], v["rear"], v["left"] + v["rear"]])
    size = np.array([1.0 + v["front"], 1.0 + v["front"], 1.0 - v["front"], 1.0 - v["front"]])
    size = size * np.array([1.0 - v["side"], 1.0 + v["side"]] * 2)

    def act(scene: Scene) -> Motion:
        phase = 2.0 * math.pi * (v["rate_hz"] * scene.time_s + turns)
        ease = min(scene.time_s / RAMP_S, 1.0)
        hip = v["spread_rad"] * np.array([-1.0, 1.0] * 2) + v["hip_rad"] * np.sin(phase) * size
        thigh = v["thigh_at_rad"] + v["thigh_rad"] * np.sin(phase) * size
        calf = v["calf_at_rad"] + v["calf_rad"] * np.sin(phase + 2.0 * math.pi * v["calf_lag"]) * size
        return pose(scene, ease * np.stack([hip, thigh, calf], axis=1).reshape(-1))

    return act


def _gait_words(v: dict[str, float], episode_s: float) -> str:
    del episode_s
    return (f"swings its legs without looking, {v['rate_hz']:.1f} times a second, thighs by {v['thigh_rad']:.2f} rad "
            f"and calves by {v['calf_rad']:.2f} rad")  # fmt: skip


WALKER = Family(name="walker", act=_walker, words=_walker_words, genes=(
    Gene(name="speed_mps", low=-0.3, high=2.0, unit="m/s"), Gene(name="then_mps", low=-0.3, high=2.0, unit="m/s"),
    Gene(name="turn_point", low=0.0, high=1.2), Gene(name="halt_m", low=0.0, high=3.0, start=0.3, unit="m"),
    Gene(name="turn_radps", low=-1.2, high=1.2, unit="rad/s"), Gene(name="crouch_rad", low=-0.1, high=0.4, start=0.2),
    Gene(name="shake_rad", low=0.0, high=0.5, start=0.2), Gene(name="fall_point", low=0.0, high=2.0, start=0.8),
))  # fmt: skip
GAIT = Family(name="gait", act=_gait, words=_gait_words, genes=(
    Gene(name="rate_hz", low=0.3, high=6.0, start=0.3), Gene(name="hip_rad", low=-0.4, high=0.4),
    Gene(name="thigh_rad", low=0.0, high=0.8, start=0.4), Gene(name="calf_rad", low=0.0, high=0.8, start=0.4),
    Gene(name="thigh_at_rad", low=-0.4, high=0.4), Gene(name="calf_at_rad", low=-0.4, high=0.4),
    Gene(name="left", low=0.0, high=1.0), Gene(name="rear", low=0.0, high=1.0),
    Gene(name="calf_lag", low=0.0, high=1.0), Gene(name="front", low=-0.5, high=0.5),
    Gene(name="side", low=-0.5, high=0.5), Gene(name="spread_rad", low=-0.3, high=0.3),
))  # fmt: skip
FAMILIES = (WALKER, GAIT)
