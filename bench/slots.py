"""Which is faster: one run with all threads, or one run a core with one thread each?

    python bench/slots.py [--cores 2] [--env-steps 300000] [--repetitions 3] [--save]

The runs are started as the daemon starts them: `python -m vbotd.train RUN_DIR` under a shim, by its own launcher,
with the environment that it gives. A setting's rate is the env steps of all its runs over the training time of the
slowest, start-up not counted; the settings take turns, and the medians are judged:
* one run a core with one thread each must reach 0.95 of one run with all threads (core/slots.py gives a run all
  cores only where it is alone, so that neither choice may waste the machine);
* no setting that the daemon can choose may be slower than 0.8 of the best.
`1x1` is one run with one thread while the other cores idle, as when a campaign still waits for its next proposals:
shown, not judged.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vbotd.daemon.launch import LocalLauncher, tail
from vbotd.domain.trial import Run
from vbotd.layout import Layout

MIN_TOGETHER = 0.95
MIN_OF_BEST = 0.8
POLL_S = 0.05
RESULTS = Path(__file__).with_name("results-slots.json")

Slots = tuple[int, int]  # runs at once, threads each


def main() -> None:
    """Measure, print a table to stderr and one JSON line to stdout."""
    asked = arguments()
    judged = chosen_by_daemon(asked.cores)
    settings = asked.settings or [*judged, *([] if (1, 1) in judged else [(1, 1)])]
    load = os.getloadavg()[0]
    rates: dict[Slots, list[float]] = {slots: [] for slots in settings}
    with TemporaryDirectory(prefix="vbotd-bench-") as home:
        layout = Layout(Path(home))
        layout.make()
        launcher = LocalLauncher(layout)
        for repetition in range(asked.repetitions):
            # There and back: a machine that slows down steadily favours nobody.
            for slots in settings if repetition % 2 == 0 else settings[::-1]:
                rates[slots].append(rate_of(slots, asked, launcher, layout, f"{name_of(slots)}-{repetition}"))
                say(f"{name_of(slots):<6}{rates[slots][-1]:>10,.0f} env steps/s in all")
    result = {"bench": "slots", "cores": asked.cores, "task": asked.task, "env_steps": asked.env_steps,
              "load_before": round(load, 2), **judgement(rates, judged)}  # fmt: skip
    line = json.dumps(result)
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--env-steps", type=int, default=300_000, help="of each run")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--task", default="vbot_walk_flat")
    parser.add_argument("--settings", nargs="+", type=parsed, metavar="RUNSxTHREADS", help="only these")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    return parser.parse_args()


def parsed(text: str) -> Slots:
    """Return the setting that `2x1` names."""
    runs, _, threads = text.partition("x")
    if not (runs.isdigit() and threads.isdigit() and int(runs) and int(threads)):
        raise argparse.ArgumentTypeError(f"'{text}' is no setting — write RUNSxTHREADS, such as 2x1")
    return int(runs), int(threads)


def chosen_by_daemon(cores: int) -> list[Slots]:
    """Return the settings that fill the machine by the rule of core/slots.py: one thread each, or all for one."""
    return list(dict.fromkeys([(cores, 1), (1, cores)]))


def name_of(slots: Slots) -> str:
    return f"{slots[0]}x{slots[1]}"


def rate_of(slots: Slots, asked: argparse.Namespace, launcher: LocalLauncher, layout: Layout, trial: str) -> float:
    """Return env steps a second of all runs of a setting together."""
    count, threads = slots
    runs = [make_run(asked, f"bench/{trial}/s{seed}", threads, seed) for seed in range(1, count + 1)]
    for run in runs:
        launcher.start(run)
    results = wait_for(runs, launcher, layout)
    slowest_s = max(result["env_steps"] / result["perf"]["env_steps_per_s"] for result in results)
    return sum(result["env_steps"] for result in results) / slowest_s


def make_run(asked: argparse.Namespace, run: str, threads: int, seed: int) -> Run:
    """Return a run as the daemon has it when its launch is committed."""
    spec = {
        "entry": "vbotd.train.worker:train",
        "task": asked.task,
        "params": {},
        "train": {"env_steps": asked.env_steps},
    }
    now = time.time()
    return Run(id=run, campaign="bench", trial=run.rpartition("/")[0], kind="train", seed=seed, attempt=1,
               status="launching", queued_at=now, spec=spec, launch=1, token=secrets.token_hex(8), threads=threads,
               launched_at=now)  # fmt: skip


def wait_for(runs: Sequence[Run], launcher: LocalLauncher, layout: Layout) -> list[Mapping[str, Any]]:
    """Return what the runs have written, when all have ended."""
    results: dict[str, Mapping[str, Any]] = {}
    while len(results) < len(runs):
        time.sleep(POLL_S)
        launcher.tend()
        for run in runs:
            seen = launcher.look(run)
            if run.id in results or seen.alive or seen.claim == "none":
                continue
            if seen.result is None or seen.result.get("outcome") != "finished":
                say(tail(layout.run(run.id) / "worker.log"))
                raise SystemExit(f"{run.id} did not finish: {seen.exit}")
            results[run.id] = seen.result
    return [results[run.id] for run in runs]


def judgement(rates: Mapping[Slots, Sequence[float]], judged: Sequence[Slots]) -> dict[str, Any]:
    """Return the medians and what they say about the bars; None where a setting was not measured."""
    medians = {slots: statistics.median(values) for slots, values in rates.items()}
    together_slots, alone_slots = judged[0], judged[-1]
    together = of_best = None
    if len(judged) > 1 and together_slots in medians and alone_slots in medians:
        together = medians[together_slots] / medians[alone_slots]
        of_best = min(medians[slots] for slots in judged) / max(medians[slots] for slots in judged)
        say(f"{name_of(together_slots)} / {name_of(alone_slots)}: {together:.2f} (bar {MIN_TOGETHER}); "
            f"slowest / best: {of_best:.2f} (bar {MIN_OF_BEST})")  # fmt: skip
    return {
        "rows": {
            name_of(slots): {
                "env_steps_per_s": round(medians[slots]),
                "slowest": round(min(values)),
                "fastest": round(max(values)),
                "judged": slots in judged,
            }
            for slots, values in rates.items()
        },
        "together": together and round(together, 3),
        "min_together": MIN_TOGETHER,
        "of_best": of_best and round(of_best, 3),
        "min_of_best": MIN_OF_BEST,
        "passed": None if together is None or of_best is None else together >= MIN_TOGETHER and of_best >= MIN_OF_BEST,
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
