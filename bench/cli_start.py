"""How long does `vbotd status` take from start to end over 5,000 events? Prints one JSON line.

`python bench/cli_start.py [--runs 10] [--events 5000]`. Also measured: a report from the same store
(`gather`, `build`, `to_markdown`), and the writing of all views, in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vbotd.core.report import build, to_markdown
from vbotd.domain import event as e
from vbotd.domain.campaign import Budget, Campaign
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import CheckpointRef, Proposal
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.facts import gather
from vbotd.store.read import Reader
from vbotd.store.views import write_views

EVENTS_A_TRIAL = 10
TRIALS_A_CAMPAIGN = 100


def fill(layout: Layout, events: int, now: float) -> int:
    """Write a history of campaigns of 100 trials, the last one open; return how many events it has."""
    layout.make()
    store = EventStore(layout.store)
    written = 0
    number = 0
    while written < events:
        campaign = f"bench-{number:04d}"
        trials = min(TRIALS_A_CAMPAIGN, max(1, (events - written) // EVENTS_A_TRIAL))
        batch = list(_campaign(campaign, trials, is_last=written + trials * EVENTS_A_TRIAL + 2 >= events))
        store.commit(batch, now - 3600)
        written += len(batch)
        number += 1
    store.close()
    return written


def _campaign(campaign: str, trials: int, *, is_last: bool):  # type: ignore[no-untyped-def]
    content = Campaign(version=1, name="bench", task="vbot_walk_flat", budget=Budget(trials=trials + 10, hours=8.0))
    yield e.CampaignAccepted(campaign=campaign, sha256=campaign, file="bench.yaml", text="version: 1\n",
                             content=content)
    for index in range(1, trials + 1):
        trial = f"{campaign}/t{index:03d}"
        params = {"ppo.learning_rate": index * 1e-5, "reward.forward_velocity": index * 0.01}
        yield e.TrialAdmitted(campaign=campaign, trial=trial, number=index, params=params,
                              proposal=Proposal(params=params, proposer="hp-search", why="bench"))
        score = Measurement(value=index / (trials + 1), low=0.0, high=1.0, n=256)
        for kind, purpose in (("train", ""), ("evaluate", "score")):
            run = f"{trial}/{purpose or kind}-s1-a1"
            names = {"campaign": campaign, "trial": trial, "run": run}
            yield e.RunQueued(**names, kind=kind, seed=1, attempt=1, purpose=purpose, spec={"params": params})
            yield e.RunLaunched(**names, token=run.replace("/", "-"), threads=1, launch=1)
            yield e.RunStarted(**names, pid=1000 + index, started_at=1.0)
            if is_last and index == trials and kind == "train":
                return
            yield e.RunEnded(**names, outcome="finished", env_steps=1_500_000, wall_s=97.0, exit_code=0,
                             checkpoint=CheckpointRef(path=f"{run}/c.pt", sha256="a" * 64, env_steps=1_500_000),
                             metrics={"eval/success_rate": score} if purpose else {})
        yield e.TrialJudged(campaign=campaign, trial=trial, verdict="keep", why="bench", score=score)
    yield e.CampaignClosed(campaign=campaign, outcome="finished", why="all trials are done", champion=trial)


def timed(action) -> float:  # type: ignore[no-untyped-def]
    """Return how long an action takes, in milliseconds."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Measure, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--events", type=int, default=5000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        layout, now = Layout(Path(folder)), time.time()
        events = fill(layout, wanted.events, now)
        environment = {**os.environ, "VBOTD_HOME": folder}

        def status() -> None:
            subprocess.run([sys.executable, "-m", "vbotd", "status"], env=environment, check=True, capture_output=True)

        def report() -> None:
            with Reader(layout.store) as reader:
                to_markdown(build(gather(reader, layout, now, daemon_alive=True)))

        def views() -> None:
            with Reader(layout.store) as reader:
                write_views(layout, reader, now, daemon_alive=True)

        for warm_up in (status, report, views):
            warm_up()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = {"status": [timed(status) for _ in range(wanted.runs)]}
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took |= {"report": [timed(report) for _ in range(wanted.runs)],
                 "views": [timed(views) for _ in range(wanted.runs)]}
    # Processor time tells the truth on a machine that does other things as well.
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"bench": "cli_start", "events": events, "runs": wanted.runs, "load": round(os.getloadavg()[0], 2),
                      "status_cpu_ms": round(cpu_s / wanted.runs * 1e3, 1)}
                     | {f"{name}_{what}_ms": round(value, 1) for name, times in took.items()
                        for what, value in (("median", statistics.median(times)), ("max", max(times)))}))


if __name__ == "__main__":
    main()
