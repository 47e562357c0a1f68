"""What robots do on purpose for the kinematic gate: each scene's label follows from what is done to the robot.

The packaged reference walker drives them all; a scene changes its command, its joint targets, its motors, or pushes.
`size` (0-1) says how strongly. A scene that did not come about (a push that was survived, a limp that ended in a fall)
is told by `came_about` from where the trunk ended, by other numbers than the gate's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vbotd.train.tasks.robot import NUM_FEET, NUM_JOINTS

FOLD_RAD = np.tile([0.0, 1.4, -0.8], NUM_FEET)  # added to the default pose: thighs back, trunk on the floor
LEG = {name: slice(3 * i, 3 * i + 3) for i, name in enumerate(("FR", "FL", "RR", "RL"))}
SPARED = ("FL", "RR")  # the walker leans on the other diagonal, and cannot do without either of its legs
LOW_BASE_M = 0.2  # a trunk that ends below has fallen, one above stands


@dataclass(slots=True, kw_only=True)
class Now:
    """What a scene may look at, and what it may change, in one control step of its robot."""

    time_s: float
    target_rad: np.ndarray  # [12] joint targets of the walker: change it
    joint_rad: np.ndarray  # [12]
    hold_rad: np.ndarray  # [12] the targets that hold the home pose
    qpos: np.ndarray  # [19] of the simulation
    qvel: np.ndarray  # [18] of the simulation: change it to push
    command: np.ndarray  # [3] for the next control step: change it to steer
    rng: np.random.Generator


@dataclass(slots=True, kw_only=True)
class Scene:
    """One robot and what happens to it."""

    label: str
    name: str
    command: tuple[float, float, float] = (0.0, 0.0, 0.0)
    act: Callable[[Now], None] = lambda now: None
    start: Callable[[np.ndarray], None] = lambda qpos: None  # changes [19]
    motors_until_s: float = np.inf  # then they are off
    until_fall: bool = False  # the episode ends when it has fallen, as a task would end it
    friction: float = 1.0
    payload_kg: float = 0.0
    seed: int = 0


Make = Callable[[float, int], Scene]  # size, seed


def between(low: float, high: float, size: float) -> float:
    """Return the number at a share of the way."""
    return low + (high - low) * size


def came_about(label: str, base_m: np.ndarray, place_w_m: np.ndarray, up: np.ndarray) -> bool:
    """Say whether a robot did what its scene is for, from its base height [T], its way [T, 2] and how upright [T].

    A crash ends low or tilted, a walk and a limp end standing, having gone somewhere; what drags went somewhere, too.
    """
    stands = base_m[-1] > LOW_BASE_M and up[-1] > 0.7
    went_m = float(np.linalg.norm(np.diff(place_w_m[::25], axis=0), axis=1).sum())
    return {"falls": not stands, "walks": stands, "limps": stands and went_m > 0.8,
            "drags": went_m > 0.8, "stands": stands, "lies": not stands}[label]  # fmt: skip


def _walk(size: float, seed: int) -> Scene:
    return Scene(label="walks", name="straight", command=(between(0.25, 1.5, size), 0.0, 0.0), seed=seed)


def _arc(size: float, seed: int) -> Scene:
    side = 1.0 if seed % 2 else -1.0
    return Scene(label="walks", name="arc", command=(0.6, 0.0, side * between(0.2, 1.0, size)), seed=seed)


def _sideways(size: float, seed: int) -> Scene:
    side = 1.0 if seed % 2 else -1.0
    return Scene(label="walks", name="sideways", command=(0.35, side * between(0.1, 0.35, size), 0.0), seed=seed)


def _jostled(size: float, seed: int) -> Scene:
    def push(now: Now) -> None:
        if now.time_s % 1.7 < 0.02 and now.time_s > 1.0:
            now.qvel[:2] += now.rng.uniform(-1, 1, 2) * between(0.2, 0.7, size)

    return Scene(label="walks", name="jostled", command=(0.8, 0.0, 0.0), act=push, seed=seed)


def _laden(size: float, seed: int) -> Scene:
    return Scene(label="walks", name="laden", command=(0.7, 0.0, 0.0), payload_kg=between(0.5, 3.0, size),
                 friction=between(1.2, 0.7, size), seed=seed)  # fmt: skip


def _spin(size: float, seed: int) -> Scene:
    side = 1.0 if seed % 2 else -1.0
    return Scene(label="walks", name="on the spot", command=(0.0, 0.0, side * between(0.6, 1.2, size)), seed=seed)


def _statue(size: float, seed: int) -> Scene:
    def pose(now: Now) -> None:
        now.target_rad[:] = now.hold_rad + np.tile([0.0, 0.2, -0.4], NUM_FEET) * between(0.0, 0.8, size)

    return Scene(label="stands", name="statue", act=pose, seed=seed)


def _trembling(size: float, seed: int) -> Scene:
    def tremble(now: Now) -> None:
        now.target_rad[:] = now.hold_rad + now.rng.normal(0.0, between(0.02, 0.12, size), NUM_JOINTS)

    return Scene(label="stands", name="trembling", act=tremble, seed=seed)


def _swaying(size: float, seed: int) -> Scene:
    def sway(now: Now) -> None:
        angle = between(0.05, 0.25, size) * np.sin(2 * np.pi * between(0.5, 1.5, size) * now.time_s)
        now.target_rad[:] = now.hold_rad + np.tile([angle, 0.0, 0.0] if seed % 2 else [0.0, angle, -angle], NUM_FEET)

    return Scene(label="stands", name="swaying", act=sway, seed=seed)


def _pushed_statue(size: float, seed: int) -> Scene:
    def push(now: Now) -> None:
        now.target_rad[:] = now.hold_rad
        if now.time_s % 1.5 < 0.02 and now.time_s > 0.5:
            now.qvel[:2] += now.rng.choice([-1.0, 1.0], 2) * between(0.2, 0.6, size)

    return Scene(label="stands", name="pushed statue", act=push, seed=seed)


def _treading(size: float, seed: int) -> Scene:
    return Scene(label="stands", name="treading", command=(between(-0.04, 0.04, size), 0.0, 0.0), seed=seed)


def _stumble(size: float, seed: int) -> Scene:
    return Scene(label="falls", name="motors off", command=(between(0.5, 1.4, size), 0.0, 0.0),
                 motors_until_s=between(2.0, 4.5, size), until_fall=bool(seed % 2), seed=seed)  # fmt: skip


def _shoved(size: float, seed: int) -> Scene:
    at_s = between(1.6, 4.0, size)

    def shove(now: Now) -> None:
        if at_s <= now.time_s < at_s + 0.06:
            now.qvel[1] += between(1.3, 1.8, size) * (1 if seed % 2 else -1)
            now.qvel[3] += between(2.5, 4.0, size) * (-1 if seed % 2 else 1)

    return Scene(label="falls", name="shoved", command=(0.8, 0.0, 0.0), act=shove, until_fall=bool(seed % 3), seed=seed)


def _sprint_fold(size: float, seed: int) -> Scene:
    at_s = between(1.2, 3.5, size)

    def fold(now: Now) -> None:
        if now.time_s > at_s:
            now.target_rad[:] = now.hold_rad + FOLD_RAD

    return Scene(label="falls", name="sprint and fold", command=(1.6, 0.0, 0.0), act=fold, until_fall=bool(seed % 2),
                 seed=seed)  # fmt: skip


def _collapse(size: float, seed: int) -> Scene:
    def hold(now: Now) -> None:
        now.target_rad[:] = now.hold_rad

    return Scene(label="falls", name="statue's motors off", act=hold, motors_until_s=between(1.5, 5.0, size), seed=seed)


def _blind_front(size: float, seed: int) -> Scene:
    at_s = between(1.5, 3.0, size)

    def tuck(now: Now) -> None:
        if now.time_s > at_s:
            for leg in ("FR", "FL"):
                now.target_rad[LEG[leg]] = (0.0, 2.0, -2.6)

    return Scene(label="falls", name="front legs tucked", command=(1.2, 0.0, 0.0), act=tuck, until_fall=True, seed=seed)


def _folded(size: float, seed: int) -> Scene:
    def fold(now: Now) -> None:
        now.target_rad[:] = now.hold_rad + FOLD_RAD * min(now.time_s / between(0.3, 1.5, size), 1.0)

    return Scene(label="lies", name="folded", act=fold, seed=seed)


def _limp_body(size: float, seed: int) -> Scene:
    return Scene(label="lies", name="motors never on", motors_until_s=0.0, seed=seed)


def _tipped(angle_deg: float) -> Callable[[np.ndarray], None]:
    half = np.radians(angle_deg) / 2

    def start(qpos: np.ndarray) -> None:
        qpos[2], qpos[3:7] = 0.25, (np.cos(half), np.sin(half), 0.0, 0.0)

    return start


def _on_side(size: float, seed: int) -> Scene:
    def hold(now: Now) -> None:
        now.target_rad[:] = now.hold_rad

    side = 1 if seed % 2 else -1
    start = _tipped(side * between(85.0, 110.0, size))
    return Scene(label="lies", name="on its side", act=hold, start=start, seed=seed)


def _on_back(size: float, seed: int) -> Scene:
    def kick(now: Now) -> None:
        now.target_rad[:] = now.hold_rad + now.rng.normal(0.0, between(0.0, 0.4, size), NUM_JOINTS)

    return Scene(label="lies", name="on its back", act=kick, start=_tipped(180.0), seed=seed)


def _lying_kicks(size: float, seed: int) -> Scene:
    def kick(now: Now) -> None:
        swing = between(0.05, 0.3, size) * np.sin(6.0 * now.time_s)
        now.target_rad[:] = now.hold_rad + FOLD_RAD + np.tile([0.0, 0.0, swing], NUM_FEET)

    return Scene(label="lies", name="folded, legs moving", act=kick, seed=seed)


def _lies_down(size: float, seed: int) -> Scene:
    begin_s, takes_s = between(1.0, 2.0, size), between(1.5, 2.5, size)

    def fold(now: Now) -> None:
        share = np.clip((now.time_s - begin_s) / takes_s, 0.0, 1.0)
        now.target_rad[:] = now.hold_rad + FOLD_RAD * share

    return Scene(label="lies", name="lies down slowly", act=fold, seed=seed)


def _harness(now: Now, pull_mps: float | None = None, *, pull: float = 0.5, stiffness: float = 6.0) -> None:
    """Keep the robot from tipping over, and pull it along; None: it goes by itself."""
    w, x, y, z = now.qpos[3:7]
    tilt = np.array([2 * (w * x + y * z), 2 * (w * y - z * x)])  # roll, pitch
    now.qvel[3:5] = 0.5 * now.qvel[3:5] - stiffness * tilt
    if pull_mps is not None:
        now.qvel[0] += pull * (pull_mps - now.qvel[0])


def _towed(size: float, seed: int) -> Scene:
    def tow(now: Now) -> None:
        now.target_rad[:] = now.hold_rad + FOLD_RAD
        if now.time_s > 0.6:
            _harness(now, between(0.4, 1.0, size))

    return Scene(label="drags", name="towed on its belly", act=tow, friction=between(0.8, 0.4, size), seed=seed)


def _towed_upright(size: float, seed: int) -> Scene:
    def tow(now: Now) -> None:
        now.target_rad[:] = now.hold_rad
        _harness(now, between(0.25, 0.9, size))

    return Scene(label="drags", name="towed on stiff legs", act=tow, friction=0.3, seed=seed)


def _lame_rear(size: float, seed: int) -> Scene:
    def fold(now: Now) -> None:
        for leg in ("RR", "RL"):
            now.target_rad[LEG[leg]] = (0.0, between(2.0, 2.5, size), -1.2)
        _harness(now, between(0.3, 0.6, size), stiffness=2.0)

    return Scene(label="drags", name="rear legs dragged", command=(0.6, 0.0, 0.0), act=fold, friction=0.4, seed=seed)


def _on_knees(size: float, seed: int) -> Scene:
    def kneel(now: Now) -> None:
        now.target_rad[:] = now.target_rad + np.tile([0.0, between(0.75, 0.95, size), -0.7], NUM_FEET)
        _harness(now, between(0.25, 0.6, size))

    return Scene(label="drags", name="on its knees", command=(0.6, 0.0, 0.0), act=kneel, friction=0.5, seed=seed)


def _lifted_leg(size: float, seed: int) -> Scene:
    leg = SPARED[seed % 2]

    def lift(now: Now) -> None:
        now.target_rad[LEG[leg]] = now.hold_rad[LEG[leg]] + np.array([0.0, 1.0, -2.0]) * between(0.25, 0.5, size)
        _harness(now, 0.4, pull=0.1)

    return Scene(label="limps", name="one leg in the air", command=(between(0.4, 0.7, size), 0.0, 0.0), act=lift,
                 seed=seed)  # fmt: skip


def _dead_leg(size: float, seed: int) -> Scene:
    leg = SPARED[seed % 2]

    def weaken(now: Now) -> None:
        of = LEG[leg]
        share = between(0.06, 0.0, size)
        now.target_rad[of] = now.joint_rad[of] + share * (now.target_rad[of] - now.joint_rad[of])
        _harness(now, 0.4, pull=0.1)

    return Scene(label="limps", name="one leg dead", command=(0.5, 0.0, 0.0), act=weaken, seed=seed)


def _lazy_leg(size: float, seed: int) -> Scene:
    leg = SPARED[seed % 2]

    def hold_back(now: Now) -> None:
        of = LEG[leg]
        short = now.hold_rad[of] + np.array([0.0, 0.15, -0.3])
        now.target_rad[of] = short + between(0.3, 0.1, size) * (now.target_rad[of] - now.hold_rad[of])
        _harness(now, 0.4, pull=0.1)

    return Scene(label="limps", name="one leg held back", command=(0.5, 0.0, 0.0), act=hold_back, seed=seed)


def _weaving(size: float, seed: int) -> Scene:
    def weave(now: Now) -> None:
        now.command[:] = (0.7, 0.0, between(0.4, 1.1, size) * np.sign(np.sin(np.pi * now.time_s / 1.5)))

    return Scene(label="walks", name="weaving", command=(0.7, 0.0, 0.0), act=weave, seed=seed)


def _stop_and_go(size: float, seed: int) -> Scene:
    def halt(now: Now) -> None:
        now.command[0] = 0.0 if now.time_s % 2.0 > 2.0 - between(0.2, 0.6, size) else 0.9

    return Scene(label="walks", name="stop and go", command=(0.9, 0.0, 0.0), act=halt, seed=seed)


def _marching(size: float, seed: int) -> Scene:
    def march(now: Now) -> None:
        now.target_rad[:] = now.hold_rad
        legs = ("FR", "RL") if now.time_s % 1.0 < 0.5 else ("FL", "RR")
        for leg in legs if now.time_s % 0.5 < 0.2 else ():
            now.target_rad[LEG[leg]] += np.array([0.0, 0.35, -0.7]) * between(0.4, 1.0, size)

    return Scene(label="stands", name="marching on the spot", act=march, seed=seed)


def _pitched_over(size: float, seed: int) -> Scene:
    at_s = between(1.5, 4.0, size)

    def pitch(now: Now) -> None:
        if at_s <= now.time_s < at_s + 0.06:
            now.qvel[4] += between(4.0, 6.0, size)

    return Scene(label="falls", name="pitched over", command=(0.9, 0.0, 0.0), act=pitch, until_fall=bool(seed % 2),
                 seed=seed)  # fmt: skip


def _sprawled(size: float, seed: int) -> Scene:
    def sprawl(now: Now) -> None:
        out = between(0.4, 0.7, size)
        now.target_rad[:] = now.hold_rad + FOLD_RAD + np.array([-out, 0, 0, out, 0, 0, -out, 0, 0, out, 0, 0])

    return Scene(label="lies", name="sprawled", act=sprawl, seed=seed)


def _towed_sideways(size: float, seed: int) -> Scene:
    def tow(now: Now) -> None:
        now.target_rad[:] = now.hold_rad
        _harness(now)
        now.qvel[1] += 0.5 * (between(0.25, 0.7, size) - now.qvel[1])

    return Scene(label="drags", name="towed sideways", act=tow, friction=0.3, seed=seed)


MAKES: tuple[Make, ...] = (
    _walk, _arc, _spin, _sideways, _jostled, _laden,
    _statue, _trembling, _swaying, _pushed_statue, _treading,
    _stumble, _shoved, _sprint_fold, _collapse, _blind_front,
    _folded, _limp_body, _on_side, _on_back, _lying_kicks, _lies_down,
    _towed, _towed_upright, _lame_rear, _on_knees,
    _lifted_leg, _dead_leg, _lazy_leg,
)  # fmt: skip
# Never looked at while the gate's bars were set.
HELD_OUT: tuple[Make, ...] = (_weaving, _stop_and_go, _marching, _pitched_over, _sprawled, _towed_sideways)
