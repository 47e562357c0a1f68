"""How fast is the tail of event files, against TensorBoard's own reader? Prints one JSON line.

    python bench/tail.py [--points 10000000] [--tags 20] [--no-reference]

One record holds all tags of an iteration, as a run of vbotd writes it (`--tags 1`: a scalar a record). The
peak memory is the tail's own: the files are written, and read by the reference, in other processes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def write(folder: str, points: int, tags: int) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(folder)
    for step in range(points // tags):
        values = [Summary.Value(tag=f"group/tag_{n:02d}", simple_value=step * 0.5 + n) for n in range(tags)]
        writer.add_event(Event(step=step, wall_time=1e9 + step, summary=Summary(value=values)))
    writer.close()


def read_reference(folder: str) -> tuple[int, float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    start = time.perf_counter()
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})
    accumulator.Reload()
    count = sum(len(accumulator.Scalars(tag)) for tag in accumulator.Tags()["scalars"])
    return count, time.perf_counter() - start


def read_tail(folder: str) -> dict[str, float]:
    from vbotd.store.tfevents import RunTail, SeriesBook

    start = time.perf_counter()
    tail, book, count = RunTail(folder), SeriesBook(), 0
    while (poll := tail.poll()).bytes_read:
        count += len(poll.points)
        book.absorb(poll.points)
    wall_s = time.perf_counter() - start
    max_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    idle = [tail] + [RunTail(folder, tail.offsets) for _ in range(199)]
    for each in idle:
        each.poll()
    start = time.perf_counter()
    for each in idle:
        each.poll()
    return {"points": count, "wall_s": wall_s, "max_rss_mb": max_rss_mb,
            "idle_200_ms": (time.perf_counter() - start) * 1e3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--tags", type=int, default=20)
    parser.add_argument("--no-reference", action="store_true", help="leave out TensorBoard's reader")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, context.Pool(1, maxtasksperchild=1) as pool:
        pool.apply(write, (folder, args.points, args.tags))
        tail = pool.apply(read_tail, (folder,))
        row = {
            "bench": "tail", "points": tail["points"], "tags": args.tags,
            "points_per_s": round(tail["points"] / tail["wall_s"]), "max_rss_mb": round(tail["max_rss_mb"], 1),
            "idle_200_ms": round(tail["idle_200_ms"], 2),
        }
        if not args.no_reference:
            count, wall_s = pool.apply(read_reference, (folder,))
            if count != tail["points"]:
                raise SystemExit(f"the readers disagree: {tail['points']} points against {count}")
            row |= {"reference_points_per_s": round(count / wall_s), "ratio": round(wall_s / tail["wall_s"], 2)}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
