"""Made-up runs with all their series: healthy ones, and one for each thing that the rules look for.

No threshold was set on them. Every run starts as a healthy one; its trouble then takes over the series that show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import exp

from vbotd.core.health.context import Context
from vbotd.core.health.corpus_curves import Dice
from vbotd.core.health.rule_figures import LabelledRun

Values = list[float]
Change = Callable[[Dice, dict[str, Values], int], None]


def healthy_run(dice: Dice, name: str = "healthy") -> LabelledRun:
    """Return a run that learns: success rises above 0.95, falls vanish, the spread shrinks, updates stay on target."""
    count, horizon = dice.randint(120, 400), 10 ** dice.randint(6, 8)
    return _run(name, "", frozenset(), fatal=False, series=_healthy(dice, count), count=count, horizon=horizon)


def broken_run(dice: Dice, label: str) -> LabelledRun:
    """Return a run with the trouble that `label`, one of `TROUBLES`, names, and what ought to be found."""
    expected, fatal, change = TROUBLES[label]
    count, horizon = dice.randint(120, 400), 10 ** dice.randint(6, 8)
    series = _healthy(dice, count)
    change(dice, series, int(count * dice.uniform(0.4, 0.7)))
    found = _run(label, label, frozenset(expected), fatal=fatal, series=series, count=count, horizon=horizon)
    return replace(found, context=replace(found.context, warm_started=label == "observations-drift"))


def _run(name: str, label: str, expected: frozenset[str], *, fatal: bool, series: Mapping[str, Values], count: int,
         horizon: int) -> LabelledRun:
    steps = [number * horizon // count for number in range(1, count + 1)]
    return LabelledRun(name=name, label=label, expected=expected, fatal=fatal, context=Context(total_env_steps=horizon),
                       series={tag: list(zip(steps[:len(values)], values, strict=False))
                               for tag, values in series.items()})


def _healthy(dice: Dice, count: int) -> dict[str, Values]:
    top, middle, pace = dice.uniform(0.97, 1.0), dice.uniform(0.15, 0.5), dice.uniform(8.0, 25.0)
    skill = [1.0 / (1.0 + exp(-pace * (number / count - middle))) for number in range(count)]

    def noisy(values: Values, sigma: float) -> Values:
        return [value + dice.gauss(0.0, sigma) for value in values]

    def positive(value: float, spread: float) -> Values:
        return [value * exp(dice.gauss(0.0, spread)) for _ in range(count)]

    success = [min(max(value, 0.0), 1.0) for value in noisy([top * each for each in skill], 0.01)]
    return {
        "train/success_rate": success,
        "train/fall_rate": [min(max(value, 0.0), 1.0) for value in noisy([0.9 - 0.85 * each for each in skill], 0.01)],
        "train/timeout_rate": [max(0.0, 0.1 * (1.0 - value)) for value in success],
        "train/diverged_rate": [0.0] * count,
        "train/episode_return": noisy([40.0 * each - 10.0 for each in skill], 0.7),
        "train/episode_length_s": noisy([3.0 + 5.0 * each for each in skill], 0.1),
        "train/curriculum_level": [1.0] * count,
        "task/reach_rate": [min(1.0, 1.05 * value) for value in success],
        "ppo/kl": positive(0.01, 0.3), "ppo/clip_fraction": positive(0.15, 0.2), "ppo/grad_norm": positive(1.5, 0.3),
        "ppo/explained_variance": noisy([0.3 + 0.6 * each for each in skill], 0.05),
        "ppo/action_std": [0.8 * exp(-0.8 * number / count) for number in range(count)],
        "ppo/learning_rate": positive(5e-4, 0.2), "ppo/value_loss": positive(dice.uniform(0.1, 50.0), 0.3),
        "ppo/obs_shift": positive(0.4, 0.3), "ppo/feature_rank": noisy([0.9] * (count // 20), 0.01),
        "ppo/feature_norm": positive(9.0, 0.03)[:count // 20], "ppo/dead_units": [0.0] * (count // 20),
        "ppo/chatter": noisy([0.2] * (count // 20), 0.01),
        "reward/goal_progress": noisy([2.0 * each for each in skill], 0.05),
        "reward/arrival_event": [max(0.0, value) for value in noisy([1.5 * each for each in skill], 0.03)],
        "reward/time_cost": [-0.5] * count, "reward/torque_cost": noisy([-0.2] * count, 0.01),
        "perf/env_steps_per_s_now": positive(12_000.0, 0.08),
    }  # fmt: skip


def _later(series: dict[str, Values], tag: str, begin: int, value: Callable[[float, float], float]) -> None:
    """Replace what comes from point `begin` on; `value` is given the share of that part that is over, and the old."""
    values = series[tag]
    begin = begin * len(values) // max(len(series["ppo/kl"]), 1)
    rest = max(len(values) - begin, 1)
    series[tag] = values[:begin] + [value((number + 1) / rest, old) for number, old in enumerate(values[begin:])]


def _scaled(tag: str, factor: float) -> Change:
    return lambda dice, series, begin: _later(series, tag, begin, lambda at, old: old * factor)


def _nan(dice: Dice, series: dict[str, Values], begin: int) -> None:
    series["ppo/policy_loss"] = [0.01] * begin + [float("nan")]


def _blind(dice: Dice, series: dict[str, Values], begin: int) -> None:
    for tag in [tag for tag in series if tag.startswith(("train/", "task/"))]:
        del series[tag]


def _collapse(dice: Dice, series: dict[str, Values], begin: int) -> None:
    for tag in ("train/success_rate", "task/reach_rate"):
        _later(series, tag, begin, lambda at, old: old * (0.1 + 0.9 * exp(-at / 0.1)))
    _later(series, "train/episode_return", begin, lambda at, old: -10.0 + (old + 10.0) * exp(-at / 0.1))


def _thrown(dice: Dice, series: dict[str, Values], begin: int) -> None:
    _scaled("ppo/kl", 200.0)(dice, series, begin)
    _collapse(dice, series, begin)


def _plateau(dice: Dice, series: dict[str, Values], begin: int) -> None:
    level = dice.uniform(0.2, 0.6)
    series["train/success_rate"] = [level + dice.gauss(0.0, 0.01) for _ in series["ppo/kl"]]


def _shrinking(dice: Dice, series: dict[str, Values], begin: int) -> None:
    _plateau(dice, series, begin)
    _later(series, "ppo/action_std", begin // 2, lambda at, old: old * exp(-6.0 * at))


def _exploding(dice: Dice, series: dict[str, Values], begin: int) -> None:
    _collapse(dice, series, begin)
    _later(series, "ppo/action_std", begin, lambda at, old: 0.8 * exp(2.0 * at))


def _features(dice: Dice, series: dict[str, Values], begin: int) -> None:
    count = max(12, len(series["ppo/feature_rank"]))
    series["ppo/feature_rank"] = [0.9 - 0.6 * number / count for number in range(count)]
    series["ppo/feature_norm"] = [9.0 * exp(1.5 * number / count) for number in range(count)]


def _apart(dice: Dice, series: dict[str, Values], begin: int) -> None:
    fall = dice.uniform(0.3, 0.8)
    _later(series, "train/success_rate", begin // 2, lambda at, old: max(0.0, old * (1.0 - fall * at)))
    _later(series, "train/episode_return", begin // 2, lambda at, old: old + 60.0 * at)


def _statue(dice: Dice, series: dict[str, Values], begin: int) -> None:
    count = len(series["ppo/kl"])
    lived = [0.5 + 9.0 * min(1.0, number / (0.4 * count)) + dice.gauss(0.0, 0.1) for number in range(count)]
    series["train/success_rate"] = [0.0] * count
    series["task/reach_rate"] = [0.1 * min(1.0, number / (0.4 * count)) for number in range(count)]  # who began there
    series["train/fall_rate"] = [max(0.0, 1.0 - number / (0.4 * count)) for number in range(count)]
    series["train/episode_length_s"] = lived
    series["train/episode_return"] = [150.0 * each for each in lived]
    series["reward/alive_reward"] = [150.0] * count
    series["reward/goal_progress"] = [dice.gauss(0.0, 0.05) for _ in range(count)]


def _sprint(dice: Dice, series: dict[str, Values], begin: int) -> None:
    _later(series, "train/episode_length_s", begin, lambda at, old: old * (1.0 - 0.75 * at))
    _later(series, "train/fall_rate", begin, lambda at, old: min(1.0, old + 0.9 * at))
    _later(series, "train/success_rate", begin, lambda at, old: old * (1.0 - at))
    series["reward/forward_velocity_reward"] = [0.5] * begin
    series["reward/forward_velocity_reward"] += [0.5 + 0.1 * number for number in range(len(series["ppo/kl"]) - begin)]


def _touch(dice: Dice, series: dict[str, Values], begin: int, falls: float = 0.8) -> None:
    count = len(series["ppo/kl"])
    series["task/reach_rate"] = [min(0.85, number / (0.3 * count)) for number in range(count)]
    series["train/success_rate"] = [0.08 + dice.gauss(0.0, 0.008) for _ in range(count)]
    series["train/fall_rate"] = [falls + dice.gauss(0.0, 0.01) for _ in range(count)]


def _gaming(dice: Dice, series: dict[str, Values], begin: int) -> None:
    level = dice.uniform(0.2, 0.5)
    series["train/success_rate"] = [level + dice.gauss(0.0, 0.01) for _ in series["ppo/kl"]]
    series["reward/trot_reward"] = [0.1] * len(series["ppo/kl"])
    _later(series, "reward/trot_reward", int(0.8 * len(series["ppo/kl"])), lambda at, old: old + 8.0)


def _cheat(dice: Dice, series: dict[str, Values], begin: int) -> None:
    count = len(series["ppo/kl"])
    series["train/curriculum_level"] = [0.1 + 0.9 * number / count for number in range(count)]
    falls = [0.1 + 0.8 * number / count + dice.gauss(0.0, 0.01) for number in range(count)]
    series["train/fall_rate"] = falls
    series["train/success_rate"] = [max(0.0, min(rate, 1.0 - fallen))  # who fell did not succeed
                                    for rate, fallen in zip(series["train/success_rate"], falls, strict=True)]


PAID = ("reward-without-success", "collapse", "sprint-crash")
# label: what may be found (the first is the rule that is meant), whether it must stop the run, what happens
TROUBLES: Mapping[str, tuple[tuple[str, ...], bool, Change]] = {
    "non-finite": (("non-finite",), True, _nan),
    "kl-high": (("kl-high",), False, _scaled("ppo/kl", 8.0)),
    "kl-beyond-measure": (("kl-high", "collapse"), True, _thrown),
    "rate-runaway": (("rate-runaway",), False, _scaled("ppo/learning_rate", 8.0)),
    "rate-starved": (("rate-starved",), False, lambda dice, series, begin: _later(
        series, "ppo/learning_rate", begin, lambda at, old: 1e-4)),
    "clip-high": (("clip-high",), False, lambda dice, series, begin: _later(
        series, "ppo/clip_fraction", begin, lambda at, old: 0.7)),
    "updates-dead": (("updates-dead",), False, lambda dice, series, begin: _scaled("ppo/kl", 1e-4)(
        dice, series, begin // 2)),
    "exploration-collapse": (("exploration-collapse",), False, _shrinking),
    "exploration-growth": (("exploration-growth", "collapse"), True, _exploding),
    "value-loss": (("value-loss",), False, _scaled("ppo/value_loss", 1000.0)),
    "gradients-grow": (("gradients-grow",), False, _scaled("ppo/grad_norm", 40.0)),
    "stalled": (("stalled",), False, _plateau),
    "collapse": (("collapse",), True, _collapse),
    "features-shrink": (("features-shrink",), False, _features),
    "reward-without-success": (("reward-without-success", "collapse"), True, _apart),
    "paid-to-live": (("paid-to-live",), True, _statue),
    "observations-drift": (("observations-drift",), False, _scaled("ppo/obs_shift", 15.0)),
    "slow": (("slow",), False, _scaled("perf/env_steps_per_s_now", 0.3)),
    "blind": (("blind",), False, _blind),
    "physics-diverges": (("physics-diverges",), False, lambda dice, series, begin: _later(
        series, "train/diverged_rate", begin, lambda at, old: 0.2)),
    "falls": (("falls",), False, lambda dice, series, begin: series.update(
        {"train/fall_rate": [0.8] * len(series["ppo/kl"])})),
    "sprint-crash": (PAID, True, _sprint),
    "touch-and-die": (("touch-and-die",), False, _touch),
    "fly-through": (("fly-through",), False, lambda dice, series, begin: _touch(dice, series, begin, falls=0.05)),
    "chatter": (("chatter",), False, lambda dice, series, begin: _later(
        series, "ppo/chatter", begin, lambda at, old: 0.65)),
    "term-gaming": (("term-gaming",), False, _gaming),
    "curriculum-cheat": (("curriculum-cheat",), False, _cheat),
}  # fmt: skip
