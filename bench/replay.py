"""Which strategy of search finds the best configuration in a night? Replayed from trainings that were really done.

    python bench/replay.py collect        (hours: trains what bench/replay-runs.jsonl lacks, a line a training)
    python bench/replay.py [--nights 2000] [--tpe-nights 500] [--gp-nights 60] [--save]

`replay-runs.jsonl` holds at least 24 configurations of a small walking task, trained once to the end, with held-out
scores at each rung, some with a second seed. 2,000 nights of each strategy are drawn from it, at equal env steps:
many short trainings, fewer middling ones, few whole ones, and successive halving as the skill `hp-search` does it.
Intervals: `nights` is the Monte-Carlo error over these configurations; `configurations` is a bootstrap over them, for
what another set would have shown. Samplers are compared by a table look-up (bench/_replay/samplers.py says how blunt
that is). Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from _replay.collect import DEFAULTS, ITERATIONS, NUM_ENVS, SPACE, TASK, collect, read  # noqa: E402
from _replay.nights import Run, Strategy, at_one_rung, by_rungs, draw, play_all, run_of  # noqa: E402

RUNS = HERE / "replay-runs.jsonl"
RESULTS = HERE / "results-replay.json"
FEWEST = 24
BUDGETS = (3.0, 6.0)  # whole trainings
TRAININGS = 8  # of a sampler's night
BOOTSTRAPS, BOOTSTRAP_NIGHTS = 200, 20
STRATEGIES: Mapping[str, Strategy] = {
    "many short (R/9)": at_one_rung(0),
    "some middling (R/3)": at_one_rung(1),
    "few long (R)": at_one_rung(2),
    "halving": by_rungs(has_floor=True),  # as the skill does it
    "halving, R/9 always counts": by_rungs(),
    "halving, R/9 always counts, going on early": by_rungs(early=True),
    "halving from R/3": by_rungs(first=1),
}
OURS = "halving"


def main() -> None:
    """Collect, or replay and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("replay", "collect"), default="replay")
    parser.add_argument("--nights", type=int, default=2000)
    parser.add_argument("--tpe-nights", type=int, default=500, help="of TPE, which takes 0.1 s a night")
    parser.add_argument("--gp-nights", type=int, default=60, help="of the Gaussian process, which takes seconds")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    asked = parser.parse_args()
    if asked.what == "collect":
        collect(RUNS)
        return
    result = replayed(read(RUNS), asked.nights, asked.tpe_nights, asked.gp_nights)
    print(json.dumps(result))
    if asked.save:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def replayed(rows: Sequence[Mapping[str, Any]], nights: int, tpe_nights: int, gp_nights: int
             ) -> dict[str, Any]:
    """Return everything that the table of trainings shows."""
    from vbotd_plugins.hp_search.planning import ladder

    steps = ladder(NUM_ENVS * 24 * ITERATIONS[-1], 3, len(ITERATIONS))
    runs: dict[int, list[Run]] = {}
    for row in rows:
        runs.setdefault(row["config"], []).append(run_of(row, len(ITERATIONS)))
    if len(runs) < FEWEST:
        raise SystemExit(f"{RUNS.name} has {len(runs)} configurations, {FEWEST} are needed — run 'collect' first")
    return {
        "bench": "replay", "task": TASK, "whole_env_steps": steps.horizon, "rungs": list(steps.rungs),
        "configurations": len(runs), "trainings": len(rows), "nights": nights,
        "default_worth": _mean_worth(runs, 0) if rows[0]["params"] == DEFAULTS else None,
        "best_worth": max(_mean_worth(runs, config) for config in runs),
        "mean_worth": round(float(np.mean([_mean_worth(runs, config) for config in runs])), 3),
        "seed_noise": seed_noise(runs), "ranks_like_the_end": calibrations(runs),
        "strategies": {f"{wholes:g} whole trainings": compared(runs, wholes, steps, nights) for wholes in BUDGETS},
        "samplers": samplers(runs, nights, tpe_nights, gp_nights),
    }


def _mean_worth(runs: Mapping[int, Sequence[Run]], config: int) -> float:
    return round(float(np.mean([run.worth for run in runs[config]])), 3)


def seed_noise(runs: Mapping[int, Sequence[Run]]) -> dict[str, Any]:
    """Return the standard deviation of the worth over the seeds of a configuration, of those that have two."""
    pairs = [(one.worth, other.worth) for one, other in (found[:2] for found in runs.values() if len(found) > 1)]
    if not pairs:
        return {"pairs": 0}
    gaps = np.array([one - other for one, other in pairs])
    return {"pairs": len(pairs), "standard_deviation": round(float(np.sqrt((gaps**2).mean() / 2)), 3),
            "between_configurations": round(float(np.std([found[0].worth for found in runs.values()], ddof=1)), 3)}


def calibrations(runs: Mapping[int, Sequence[Run]]) -> dict[str, Any]:
    """Return Spearman's correlation of each rung with the end, and what the skill would do with the rung."""
    from vbotd_plugins.hp_search.calibration import fidelity

    found = {}
    for rung, name in enumerate(("R/9", "R/3")):
        first = [found[0] for found in runs.values()]
        measured = fidelity([(run.values[rung], run.values[-1]) for run in first])
        floor = np.mean([run.values[rung][0] <= 0.0 for run in first])
        found[name] = {
            "correlation": round(measured.correlation or 0.0, 3), "low": round(measured.low or 0.0, 3),
            "high": round(measured.high or 0.0, 3), "pairs": measured.pairs, "advice": measured.advice,
            "share_without_success": round(float(floor), 3)}
    return found


def compared(runs: Mapping[int, Sequence[Run]], wholes: float, steps: Any, nights: int) -> dict[str, Any]:
    """Return each strategy's worth with its intervals, and the paired difference of halving from it."""
    configs = sorted(runs)
    played = play_all(runs, configs, STRATEGIES, wholes, steps, nights, seed=1)
    again = resampled(runs, configs, wholes, steps)
    ours = played[OURS][:, 0]
    table = {}
    for name, rows in played.items():
        gap = ours - rows[:, 0]
        table[name] = {
            "worth": round(float(rows[:, 0].mean()), 4), "nights": _monte_carlo(rows[:, 0]),
            "place": round(float(rows[:, 1].mean()), 3), "said_too_much": round(float(rows[:, 2].mean()), 4)}
        if name != OURS:
            table[name] |= {"halving_is_better_by": round(float(gap.mean()), 4), "nights_of_that": _monte_carlo(gap),
                            "configurations_of_that": again[name]}
    return table


def _monte_carlo(values: np.ndarray) -> list[float]:
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return [round(float(values.mean() - half), 4), round(float(values.mean() + half), 4)]


def resampled(runs: Mapping[int, Sequence[Run]], configs: Sequence[int], wholes: float, steps: Any
              ) -> dict[str, list[float]]:
    """Return the 95 % interval of halving's advantage over other sets of as many configurations."""
    dice = np.random.default_rng(2)
    gaps: dict[str, list[float]] = {name: [] for name in STRATEGIES}
    for turn in range(BOOTSTRAPS):
        drawn = [configs[place] for place in dice.integers(len(configs), size=len(configs))]
        played = play_all(runs, drawn, STRATEGIES, wholes, steps, BOOTSTRAP_NIGHTS, seed=1000 + turn)
        for name, rows in played.items():
            gaps[name].append(float((played[OURS][:, 0] - rows[:, 0]).mean()))
    return {name: [round(float(bound), 4) for bound in np.quantile(values, [0.025, 0.975])]
            for name, values in gaps.items()}


def samplers(runs: Mapping[int, Sequence[Run]], nights: int, tpe_nights: int, gp_nights: int) -> dict[str, Any]:
    """Return what random, TPE and the Gaussian process find in the table with as many whole trainings each."""
    from _replay.samplers import best_of, search, space_of

    space, configs = space_of(SPACE), sorted(runs)
    found: dict[str, Any] = {"trainings": TRAININGS}
    random_worths: list[float] = []
    for how, number in (("random", nights), ("tpe", tpe_nights), ("gp", gp_nights)):
        if not number:
            continue
        dice = np.random.default_rng(3)
        worths = []
        for turn in range(number):
            night = draw(runs, configs, dice)
            worths.append(night.worths[best_of(night, search(night, space, how, TRAININGS, seed=turn))])
        if how == "random":
            random_worths = worths
        gap = np.array(worths) - np.array(random_worths[:number])  # the same nights, so paired
        found[how] = {"nights": number, "worth": round(float(np.mean(worths)), 4),
                      "interval": _monte_carlo(np.array(worths))}
        if how != "random":
            found[how] |= {"better_than_random_by": round(float(gap.mean()), 4), "interval_of_that": _monte_carlo(gap)}
    return found


if __name__ == "__main__":
    main()
