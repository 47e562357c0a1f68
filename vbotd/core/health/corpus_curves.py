"""Made-up curves of a task's metric, healthy and collapsing, to set the collapse guard with and to measure it with.

Two families that share no formula: `tuning_*` set the thresholds, `measuring_*` say what they are worth. All chance
comes from the dice that are passed in, so a seed names a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, pi, sin, sqrt
from typing import Protocol

WINDOW = 500  # episodes behind a point of a rate
# Peak and end of the predecessor's seven runs of 100 M env steps (mzqef/MotrixLab).
PREDECESSOR = ((2.23, 0.14), (2.03, 0.64), (1.92, 0.36), (5.64, 0.89), (5.35, 0.42), (4.98, 0.21), (4.77, 0.54))
# Where they peaked is known only on average: 66 % of the env steps came after it.
PREDECESSOR_PEAKS = (0.34, 0.22, 0.46, 0.30, 0.38, 0.26, 0.42)
PREDECESSOR_POINTS = 200


class Dice(Protocol):
    """What of `random.Random` is needed."""

    def random(self) -> float: ...
    def gauss(self, mu: float, sigma: float) -> float: ...
    def uniform(self, a: float, b: float) -> float: ...
    def randint(self, a: int, b: int) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A metric (more is better) over env steps. `peak_at` is where it begins to decline; None: it is healthy."""

    kind: str
    horizon: int
    points: tuple[tuple[int, float], ...]
    levels: tuple[tuple[int, float], ...] = ()
    peak_at: int | None = None
    is_rate: bool = True


Shape = Callable[[float], float]  # share of the run -> value


def tuning_healthy(dice: Dice) -> Curve:
    """Return a logistic rise with correlated noise, perhaps with a short dip or a harder curriculum."""
    top, middle, pace = dice.uniform(0.01, 0.99), dice.uniform(0.1, 0.9), dice.uniform(8.0, 40.0)
    dip_at, depth, width = dice.uniform(0.3, 0.9), dice.uniform(0.0, 0.3), dice.uniform(0.002, 0.012)
    steps = sorted(dice.uniform(0.2, 0.9) for _ in range(dice.randint(0, 3)))
    losses = [dice.uniform(0.1, 0.6) for _ in steps]

    def shape(at: float) -> float:
        value = top / (1.0 + exp(-pace * (at - middle))) * (1.0 - depth * exp(-(((at - dip_at) / width) ** 2)))
        for begin, loss in zip(steps, losses, strict=True):
            if at >= begin:
                value *= 1.0 - loss * exp(-(at - begin) / 0.03)
        return value

    return _curve("curriculum" if steps else "rise", dice, shape, _correlated if dice.random() < 0.6 else _rough,
                  level=lambda at: (1 + sum(at >= begin for begin in steps)) / (1 + len(steps)))


def tuning_collapsing(dice: Dice) -> Curve:
    """Return a logistic rise that decays exponentially to 4-60 % after its peak."""
    top, pace, peak = dice.uniform(0.25, 0.99), dice.uniform(12.0, 40.0), dice.uniform(0.2, 0.85)
    left, decay = dice.uniform(0.04, 0.6), dice.uniform(0.01, 0.08)

    def shape(at: float) -> float:
        rise = top / (1.0 + exp(-pace * (at - 0.5 * peak)))
        return rise if at < peak else rise * (left + (1.0 - left) * exp(-(at - peak) / decay))

    return _curve("decay", dice, shape, _correlated if dice.random() < 0.6 else _rough, peak=peak)


def measuring_healthy(dice: Dice) -> Curve:
    """Return one of: a steady rise, stairs, a plateau, no learning, a small forgetting, a passing dip, a curriculum."""
    kind = ("rise", "stairs", "plateau", "idle", "forgetting", "dip", "curriculum", "curriculum")[dice.randint(0, 7)]
    top, begin, power = dice.uniform(0.15, 1.0), dice.uniform(0.02, 0.4), dice.uniform(0.4, 3.0)
    treads = sorted(dice.uniform(begin, 1.0) for _ in range(4))
    full, lost = dice.uniform(begin + 0.05, 0.7), dice.uniform(0.0, 0.08)
    dip_at, dip_for, depth = dice.uniform(0.4, 0.95), dice.uniform(0.005, 0.02), dice.uniform(0.1, 0.5)
    steps = sorted(dice.uniform(0.25, 0.95) for _ in range(dice.randint(1, 4)))
    losses, recoveries = [dice.uniform(0.1, 0.7) for _ in steps], [dice.uniform(0.02, 0.1) for _ in steps]

    def shape(at: float) -> float:
        if kind == "idle":
            return 0.01
        if kind == "stairs":
            return top * (0.1 + 0.9 * sum(at >= tread for tread in treads) / len(treads))
        risen = top * min(max(at - begin, 0.0) / (full - begin if kind != "rise" else 1.0 - begin), 1.0) ** power
        if kind == "forgetting" and at > full:
            return top * (1.0 - lost * (at - full) / (1.0 - full))
        if kind == "dip" and dip_at <= at < dip_at + dip_for:
            return risen * (1.0 - depth)
        if kind == "curriculum":
            for start, loss, recovery in zip(steps, losses, recoveries, strict=True):
                if at >= start:
                    risen *= 1.0 - loss * max(0.0, 1.0 - (at - start) / recovery)
        return risen

    levels = steps if kind == "curriculum" else []
    return _curve(kind, dice, shape, _counted if dice.random() < 0.7 else _scaled,
                  level=lambda at: 0.2 + 0.8 * sum(at >= start for start in levels) / max(len(levels), 1))


def measuring_collapsing(dice: Dice) -> Curve:
    """Return a rise along a power, then a fall by 40-96 % of the peak: along a line, an S, in steps, or swinging."""
    kind = ("line", "s", "steps", "swinging")[dice.randint(0, 3)]
    top, power, peak = dice.uniform(0.2, 1.0), dice.uniform(0.3, 2.0), dice.uniform(0.15, 0.85)
    plateau, loss, falls_for = dice.uniform(0.0, 0.3), dice.uniform(0.4, 0.96), dice.uniform(0.02, 0.15)

    def shape(at: float) -> float:
        if at < peak:
            return top * min(at / (peak * (1.0 - plateau)), 1.0) ** power
        fallen = min((at - peak) / falls_for, 1.0)
        if kind == "s":
            fallen = fallen * fallen * (3.0 - 2.0 * fallen)
        elif kind == "steps":
            fallen = min(int(fallen * 4 + 1), 4) / 4
        elif kind == "swinging":
            fallen = min(max(fallen + 0.1 * sin(2.0 * pi * (at - peak) / 0.05), 0.0), 1.0)
        return top * (1.0 - loss * fallen)

    return _curve(kind, dice, shape, _counted if dice.random() < 0.7 else _scaled, peak=peak)


def predecessor(dice: Dice, falls_for: float) -> tuple[Curve, ...]:
    """Return the predecessor's seven curves, rebuilt from what is known: the peaks, the ends, the mean peak time.

    How fast they fell is not known: `falls_for` is the share of the run in which three quarters of the loss happen.
    Their noise is not known either: 3 % of the peak is assumed.
    """
    horizon, curves = 100_000_000, []
    for (top, end), peak in zip(PREDECESSOR, PREDECESSOR_PEAKS, strict=True):
        points = []
        for number in range(1, PREDECESSOR_POINTS + 1):
            at = number / PREDECESSOR_POINTS
            value = top * (at / peak) ** 0.7 if at <= peak else end + (top - end) * 0.25 ** ((at - peak) / falls_for)
            points.append((int(at * horizon), value + dice.gauss(0.0, 0.03 * top)))
        curves.append(Curve(kind="predecessor", horizon=horizon, points=tuple(points), is_rate=False,
                            peak_at=int(peak * horizon)))
    return tuple(curves)


Noise = Callable[[Dice, Shape, int], tuple[list[float], bool]]


def _curve(kind: str, dice: Dice, shape: Shape, noise: Noise, *, level: Shape | None = None,
           peak: float | None = None) -> Curve:
    count, horizon = dice.randint(60, 600), 10 ** dice.randint(5, 8)
    values, is_rate = noise(dice, shape, count)
    steps = [number * horizon // count for number in range(1, count + 1)]
    levels = [] if level is None else [level(number / count) for number in range(1, count + 1)]
    return Curve(kind=kind, horizon=horizon, points=tuple(zip(steps, values, strict=True)), is_rate=is_rate,
                 levels=tuple(zip(steps, levels, strict=True)) if len(set(levels)) > 1 else (),
                 peak_at=None if peak is None else int(peak * horizon))


def _correlated(dice: Dice, shape: Shape, count: int) -> tuple[list[float], bool]:
    """Return the shape with the noise of a rate, each point correlated with those before."""
    found, drift, kept, episodes = [], 0.0, dice.uniform(0.5, 0.95), dice.uniform(150.0, WINDOW)
    for number in range(1, count + 1):
        value = shape(number / count)
        drift = kept * drift + dice.gauss(0.0, sqrt((1.0 - kept**2) * max(value * (1.0 - value), 1e-6) / episodes))
        found.append(min(max(value + drift, 0.0), 1.0))
    return found, True


def _rough(dice: Dice, shape: Shape, count: int) -> tuple[list[float], bool]:
    """Return the shape as a score without bounds, with heavy-tailed noise."""
    sigma = dice.uniform(0.01, 0.06)
    return [5.0 * (shape(number / count) + sigma * dice.gauss(0.0, 1.0) * (1.0 if dice.random() < 0.9 else 3.0))
            for number in range(1, count + 1)], False


def _counted(dice: Dice, shape: Shape, count: int) -> tuple[list[float], bool]:
    """Return what the trainer logs: the share of successes among the last 500 episodes, a few of them new each time."""
    # The window spans 1-5 % of the run, as in one of 10,000 episodes and more.
    new, recent, found = max(1, int(WINDOW / (dice.uniform(0.01, 0.05) * count))), list[bool](), []
    for number in range(1, count + 1):
        rate = shape(number / count)
        recent += [dice.random() < rate for _ in range(new)]
        del recent[:-WINDOW]
        found.append(sum(recent) / len(recent))
    return found, True


def _scaled(dice: Dice, shape: Shape, count: int) -> tuple[list[float], bool]:
    """Return the shape in another unit, with independent noise and a few wild points."""
    unit, sigma = 10.0 ** dice.uniform(-2.0, 3.0), dice.uniform(0.005, 0.05)
    noisy = [shape(number / count) + dice.gauss(0.0, sigma) for number in range(1, count + 1)]
    return [unit * (value if dice.random() > 0.01 else value * dice.uniform(0.0, 2.0)) for value in noisy], False


def sampled(make: Callable[[Dice], Curve], dice: Sequence[Dice]) -> tuple[Curve, ...]:
    """Return a curve for each of the dice."""
    return tuple(make(each) for each in dice)
