"""What are the health rules worth? Recall and false alarms, on made-up curves and on short real runs.

    python bench/health.py [--curves 1000] [--train FOLDER [--processes 2]] [--save]

Judged:
* the collapse guard on 1,000 healthy and 1,000 collapsing curves of a family that set no threshold: recall >= 95 %,
  false stops <= 2 %, half of the stops within 10 % of the run after the peak, >= 50 % of the wasted env steps saved;
  and the predecessor's seven curves, for three guesses of how fast they fell;
* the rules on 90 real runs, 60,000 env steps in 64 environments, most of them made to fail (learning rate x 100,
  entropy x 30, the lazy and the sprinting reward of the predecessor, a reward that is not a number): each class is
  stopped in >= 95 %, and of 50 healthy runs at most one is given a warning. Runs that were in view when a rule was
  changed are counted apart, and judge nothing.
`--train` trains them first, as many processes as asked for sharing the work, and keeps their series beside this file.
"""

from __future__ import annotations

import argparse
import json
import lzma
import multiprocessing
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "_health"))

from training import plans, train_missing

from vbotd.core.health.context import context_of
from vbotd.core.health.corpus_curves import measuring_collapsing, measuring_healthy, predecessor, sampled
from vbotd.core.health.guard_figures import GuardFigures, guard_figures
from vbotd.core.health.rule_figures import LabelledRun, RuleFigures, rule_figures
from vbotd.core.health.thresholds import THRESHOLDS

RUNS = Path(__file__).with_name("health-runs.json.xz")
RESULTS = Path(__file__).with_name("results-health.json")
HEALTHY, FAILING = 114, 15  # of each kind of failure
TUNED_ON = 64, 7  # of those, the first: rules were changed with them in view, so they measure nothing
GUESSES = (0.05, 0.1, 0.2)  # of the run: the time of three quarters of the predecessor's losses
PAID_FOR_NOTHING = frozenset({"paid-to-live", "reward-without-success", "sprint-crash"})
EXPECTED = {"learning-rate": frozenset({"kl-high", "non-finite"}), "entropy": frozenset({"exploration-growth"}),
            "lazy": PAID_FOR_NOTHING, "sprint": PAID_FOR_NOTHING, "nan": frozenset({"non-finite"})}  # fmt: skip


def main() -> None:
    """Measure, print a table to stderr and one JSON line to stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=1000, help="healthy ones, and as many that collapse")
    parser.add_argument("--train", type=Path, metavar="FOLDER", help="train what FOLDER has not, then keep all series")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    asked = parser.parse_args()
    if asked.train is not None:
        train(asked.train, asked.processes)
        keep(asked.train)
    healthy = sampled(measuring_healthy, [random.Random(f"bench healthy {n}") for n in range(asked.curves)])
    collapsing = sampled(measuring_collapsing, [random.Random(f"bench collapsing {n}") for n in range(asked.curves)])
    guard = guard_figures(healthy, collapsing)
    seven = {f"{guess:g}": guard_figures([], predecessor(random.Random(f"bench {guess}"), guess)) for guess in GUESSES}
    runs = kept_runs()
    rules = rule_figures([run for run, seen in runs if not seen])
    known = rule_figures([run for run, seen in runs if seen])
    result = {"bench": "health", "thresholds": THRESHOLDS.version, "guard": asdict(guard),
              "predecessor": {guess: asdict(figures) for guess, figures in seven.items()}, "real_runs": asdict(rules),
              "seen_real_runs": asdict(known),
              "passed": passed(guard, list(seven.values()), rules)}  # fmt: skip
    show(guard, seven, rules)
    line = json.dumps(rounded(result))
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")


def train(folder: Path, processes: int) -> None:
    """Train all runs that are missing in `folder`."""
    wanted = plans(HEALTHY, FAILING)
    workers = [multiprocessing.get_context("spawn").Process(target=train_missing, args=(folder, wanted))
               for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def keep(folder: Path) -> None:
    """Pack the series of all runs into one small file."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    RUNS.write_bytes(lzma.compress(json.dumps(runs, separators=(",", ":")).encode(), preset=9))


def kept_runs() -> list[tuple[LabelledRun, bool]]:
    """Return the real runs that are kept, and whether a rule was changed with them in view: such measure nothing."""
    return [(labelled(run), is_tuned_on(run)) for run in json.loads(lzma.decompress(RUNS.read_bytes()))]


def is_tuned_on(run: dict[str, Any]) -> bool:
    """Say whether thresholds were set with this run in view."""
    number = int(run["name"].rpartition("-")[2])
    return number < (TUNED_ON[1] if run["label"] else TUNED_ON[0])


def labelled(run: dict[str, Any]) -> LabelledRun:
    """Return a run as the rules are measured on it."""
    context = context_of({"run": run["name"], "task": run["task"], "params": run["params"],
                          "train": {"env_steps": run["env_steps"]}}, {})  # fmt: skip
    return LabelledRun(name=run["name"], label=run["label"], context=context, fatal=True,
                       expected=EXPECTED.get(run["label"], frozenset()),
                       series={tag: list(zip(*columns, strict=True)) for tag, columns in run["series"].items()})


def passed(guard: GuardFigures, seven: Sequence[GuardFigures], rules: RuleFigures) -> bool:
    """Say whether every bar is met."""
    assert guard.recall and guard.false_stops
    return (guard.recall["value"] >= 0.95 and guard.false_stops["value"] <= 0.02 and (guard.delay_rate or 1.0) <= 0.10
            and (guard.saved_rate or 0.0) >= 0.5 and all(row.recall and row.recall["value"] == 1.0 for row in seven)
            and all((row.saved_rate or 0.0) >= 0.5 for row in seven)
            and all(rate["value"] >= 0.95 for rate in rules.recall.values())
            and rules.false_alarms is not None and rules.false_alarms["n"] >= 50
            and rules.false_alarms["value"] <= 0.02)


def show(guard: GuardFigures, seven: dict[str, GuardFigures], rules: RuleFigures) -> None:
    """Print what was measured for a person."""
    for name, row in (("guard", guard), *((f"predecessor, fell in {guess}", row) for guess, row in seven.items())):
        recall, late = row.recall, row.in_time
        assert recall and late
        told = f", false stops {row.false_stops['value']:.1%}" if row.false_stops else ""
        print(f"{name}: recall {recall['value']:.1%}, in time {late['value']:.1%}, median delay "
              f"{row.delay_rate or 0:.1%} of the run, saved {row.saved_rate or 0:.0%}{told}", file=sys.stderr)
    for label, rate in rules.recall.items():
        print(f"real {label}: recall {rate['value']:.1%} ({rate['low']:.0%}-{rate['high']:.0%}, {rate['n']} runs)",
              file=sys.stderr)
    print(f"real healthy: stopped {rules.false_stops}, alarms {rules.alarms}; missed {rules.missed}", file=sys.stderr)


def rounded(value: Any) -> Any:
    """Return the value with its numbers cut to four places."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
