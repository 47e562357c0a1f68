"""Does a model's endpoint that never answers delay the launches of runs? Prints one JSON line.

    python bench/endpoint.py [--campaigns 12] [--rounds 3]

The same campaigns of short runs, once without a model and once with the daemon starting the agent loop at every trial
that is judged, against a local endpoint that takes the question and never answers. Compared is the time from a run's
place in the queue to its start, where a slot was free all the while; rounds alternate, and the ratio is of medians.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from vbotd.chaos.scratch import Scratch
from vbotd.domain import event as e
from vbotd.store.read import Reader

CONFIG = "slots: 4\nfork_server: never\n"
AGENT = CONFIG + """model: {{endpoint: "http://127.0.0.1:{port}/v1", name: mute, timeout_s: 60}}
agents: {{wake: [trial_judged, campaign_closed], wake_gap_min: 0, goal: "look after the night"}}
"""
PATIENCE_S = 300.0


def main() -> None:
    """Alternate the two, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    port, asked = mute_server()
    waits: dict[str, list[float]] = {"without": [], "hanging": []}
    for _ in range(options.rounds):
        waits["without"] += launch_waits(CONFIG, options.campaigns)
        waits["hanging"] += launch_waits(AGENT.format(port=port), options.campaigns)
    medians = {name: median(values) for name, values in waits.items()}
    print(json.dumps({
        "bench": "endpoint", "launches": len(waits["hanging"]), "asked": len(asked),
        "without_ms": round(1000 * medians["without"]), "hanging_ms": round(1000 * medians["hanging"]),
        "ratio": round(medians["hanging"] / medians["without"], 3)}))


def launch_waits(config: str, campaigns: int) -> list[float]:
    """Run campaigns one after the other, and return the seconds from each run's queueing to its claim."""
    with tempfile.TemporaryDirectory() as home:
        scratch = Scratch(Path(home), config=config)
        try:
            scratch.start()
            for number in range(campaigns):
                scratch.drop(f"night-{number:03d}", trials=2)
                wait_closed(scratch, number + 1)
            with Reader(scratch.layout.store) as reader:
                events = reader.events(kinds=("RunQueued", "RunStarted"), limit=100_000)
        finally:
            scratch.close()
    queued = {stored.event.run: stored.at for stored in events if isinstance(stored.event, e.RunQueued)}
    return [stored.event.started_at - queued[stored.event.run] for stored in events
            if isinstance(stored.event, e.RunStarted)]


def wait_closed(scratch: Scratch, count: int) -> None:
    """Wait until so many campaigns are closed."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if scratch.layout.store.exists():
            with Reader(scratch.layout.store) as reader:
                if len(reader.records("closed")) >= count:
                    return
        time.sleep(0.05)
    raise SystemExit(f"{scratch.layout.home}: not finished in {PATIENCE_S:.0f} s")


def mute_server() -> tuple[int, list[float]]:
    """Listen, take every connection and its bytes, and never say a word; return the port, and when it was asked."""
    server = socket.create_server(("127.0.0.1", 0))
    asked: list[float] = []

    def take() -> None:
        kept = []
        while True:
            connection, _ = server.accept()
            asked.append(time.monotonic())
            kept.append(connection)

    threading.Thread(target=take, daemon=True).start()
    return int(server.getsockname()[1]), asked


if __name__ == "__main__":
    main()
