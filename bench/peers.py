"""How does vbotd's training compare with rsl_rl and Stable-Baselines3, on the same robot, engine and task?

    make bench-peers                       (makes .venv-peers first, with all three in it)
    python bench/peers.py [--threads 2] [--seconds 20] [--repetitions 3] [--only vbotd rsl_rl sb3] [--save]
    python bench/peers.py --learn [rsl_rl-ours ...] [--learn-seconds 60] [--seeds 5]

Each measurement is a process of its own, in turns over all rows, so that a drift of the machine meets all alike.
The rate counts whole iterations, rollout and update; of vbotd also the cold start, telemetry and checkpoints.
`--learn` gives vbotd and each named row the same wall clock, seed by seed, evaluates both on the same held-out
episodes with the same code, and bounds the mean paired difference of their success from below (one-sided 90 %,
Student's t). The rows and their settings are in bench/_peers/rows.py.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench" / "_peers"))
from rows import ROWS, find  # noqa: E402

PYTHON = ROOT / ".venv-peers" / "bin" / "python"
RESULTS = Path(__file__).with_name("results-peers.json")
MEASURE = ROOT / "bench" / "_peers" / "measure.py"
NAMES = [row.name for row in ROWS]
LEARN = ("rsl_rl-task", "rsl_rl-ours")  # whom vbotd learns against unless said otherwise
INSTANCES = 515_151
# How much faster, at least, and than whom: the fastest of these. Rows on the same line of the table are alike.
BARS = (
    ("sb3", 4.0, (("vbotd", "sb3"), ("vbotd", "sb3-ours"))),
    ("rsl_rl", 1.5, (("vbotd", "rsl_rl"), ("vbotd", "rsl_rl-shipped-physics"), ("vbotd", "rsl_rl-task"))),
    ("rsl_rl-equal", 1.0, (("vbotd-equal", "rsl_rl"), ("vbotd", "rsl_rl-ours"))),
)
LEAST_DIFFERENCE = -0.05  # of held-out success, vbotd minus peer


def main() -> None:
    """Measure, print a table to stderr and one JSON line to stdout."""
    asked = arguments()
    if not PYTHON.exists():
        reason = "the peers are not installed — run 'make bench-peers', which puts them into .venv-peers"
        say(reason)
        print(json.dumps({"bench": "peers", "skipped": reason}))
        return
    load = os.getloadavg()[0]
    result: dict[str, Any] = {"bench": "peers", "threads": asked.threads, "load_before": round(load, 2)}
    result |= {"versions": versions()}
    rates = rate_rows(asked)
    bars = judged(rates)
    result |= {"rows": rates, "bars": bars}
    if asked.learn is not None:
        learnt = [learn_against(name, rates, asked) for name in asked.learn or LEARN]
        result |= {"learn": learnt}
    result["passed"] = all(bar["passed"] for bar in [*bars, *result.get("learn", [])])
    line = json.dumps(result)
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a measurement of the rate, about")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=NAMES, help="leave out the other rows' rates")
    parser.add_argument("--learn", nargs="*", choices=NAMES, metavar="ROW", help=f"default: {' '.join(LEARN)}")
    parser.add_argument("--learn-seconds", type=float, default=60.0, help="wall clock of a training")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=512, help="held-out episodes of an evaluation")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    return parser.parse_args()


def rate_rows(asked: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the rates of the rows, medians over the repetitions."""
    rows = [row for row in ROWS if asked.only is None or row.name in asked.only]
    found: dict[str, list[dict[str, float]]] = {row.name: [] for row in rows}
    for _ in range(asked.repetitions):
        for row in rows:
            found[row.name].append(measure(row.name, "rate", asked.seconds, 1, asked.threads))
            say(f"{row.name:<26}{found[row.name][-1]['env_steps_per_s']:>10,.0f} env steps/s   {row.what}")
    return {name: {**of_repetitions(figures), "what": find(name).what} for name, figures in found.items() if figures}


def of_repetitions(figures: Sequence[dict[str, float]]) -> dict[str, int]:
    """Return the medians of a row, and the ends of its wall-clock rate."""
    rates = [figure["env_steps_per_s"] for figure in figures]
    return {
        "env_steps_per_s": round(statistics.median(rates)),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
        "env_steps_per_cpu_s": round(statistics.median(figure["env_steps_per_cpu_s"] for figure in figures)),
    }


def judged(rates: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the bars of which every row was measured; the ratio is that of the closest pair."""
    bars = []
    for name, least, pairs in BARS:
        ratios = {
            f"{ours} / {theirs}": rates[ours]["env_steps_per_s"] / rates[theirs]["env_steps_per_s"]
            for ours, theirs in pairs
            if ours in rates and theirs in rates
        }
        if not ratios:
            continue
        closest = min(ratios, key=lambda pair: ratios[pair])
        passed = ratios[closest] >= least
        bars.append(
            {
                "bar": name,
                "least": least,
                "ratio": round(ratios[closest], 3),
                "of": closest,
                "ratios": {pair: round(ratio, 3) for pair, ratio in ratios.items()},
                "passed": passed,
            }
        )
        say(f"{name}: {ratios[closest]:.2f} ({closest}), bar {least} — {'passed' if passed else 'missed'}")
    return bars


def learn_against(name: str, rates: dict[str, dict[str, Any]], asked: argparse.Namespace) -> dict[str, Any]:
    """Return the paired differences of held-out success after the same wall clock."""
    seeds = range(1, asked.seeds + 1)
    pairs = []
    for seed in seeds:
        # Who goes first changes from seed to seed: a slow drift of the machine favours neither.
        order = ("vbotd", name) if seed % 2 else (name, "vbotd")
        pair = {}
        for row in order:
            expected = rates.get(row, {}).get("env_steps_per_s") or expected_rate(row, asked.threads, rates)
            pair[row] = measure(
                row, "learn", asked.learn_seconds, seed, asked.threads, asked.episodes, INSTANCES + seed, expected
            )
            say(f"seed {seed}: {row:<22} {pair[row]}")
        pairs.append(pair)
    differences = [pair["vbotd"]["success"] - pair[name]["success"] for pair in pairs]
    low = lower_bound(differences)
    passed = low is not None and low > LEAST_DIFFERENCE
    shown = "unknown from one seed" if low is None else f"{low:+.3f}"
    say(f"vbotd - {name}: {statistics.mean(differences):+.3f}, lower 90 % bound {shown}")
    return {
        "against": name,
        "seconds": asked.learn_seconds,
        "episodes": asked.episodes,
        "seeds": list(seeds),
        "vbotd": [pair["vbotd"] for pair in pairs],
        "peer": [pair[name] for pair in pairs],
        "vbotd_success": round(statistics.mean(pair["vbotd"]["success"] for pair in pairs), 4),
        "peer_success": round(statistics.mean(pair[name]["success"] for pair in pairs), 4),
        "mean_difference": round(statistics.mean(differences), 4),
        "lower_90": None if low is None else round(low, 4),
        "least": LEAST_DIFFERENCE,
        "passed": passed,
    }


def expected_rate(row: str, threads: int, rates: dict[str, dict[str, Any]]) -> float:
    """Return the rate of a row that was not measured, by which vbotd sets its env steps; remembered."""
    if row != "vbotd":
        return 1.0  # a peer trains until the time is up
    found = round(measure(row, "rate", 5.0, 1, threads)["env_steps_per_s"])
    rates.setdefault(row, {"env_steps_per_s": found, "what": find(row).what})
    return float(found)


def lower_bound(differences: Sequence[float]) -> float | None:
    """Return the one-sided 90 % bound of the mean of paired differences; None for fewer than two."""
    from scipy.stats import t

    n = len(differences)
    if n < 2:
        return None
    error = statistics.stdev(differences) / math.sqrt(n)
    return statistics.mean(differences) - float(t.ppf(0.9, n - 1)) * error


def measure(*arguments: object) -> dict[str, Any]:
    """Run a measurement in the peers' interpreter and return what it printed."""
    command = [str(PYTHON), str(MEASURE), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        say(done.stderr[-4000:])
        raise SystemExit(f"'{' '.join(map(str, arguments))}' failed — see above")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def versions() -> dict[str, str]:
    """Return which versions stand side by side."""
    code = (
        "import json\nfrom importlib.metadata import version\n"
        "names = ('vbotd', 'rsl-rl-lib', 'stable-baselines3', 'torch', 'mujoco')\n"
        "print(json.dumps({name: version(name) for name in names}))"
    )
    done = subprocess.run([str(PYTHON), "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
