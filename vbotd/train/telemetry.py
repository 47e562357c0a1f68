"""What does a run tell while it goes? One TensorBoard record an iteration, and a heartbeat."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class Telemetry:
    """Writes scalars into the run folder. A resumed run opens a further file there; readers merge them by name.

    All scalars of an iteration travel in one record: a record costs an open and a close of the file.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = EventFileWriter(str(folder))

    def write(self, scalars: Mapping[str, float], env_steps: int) -> None:
        """Write one record; its x-axis is env steps. What is not a number stays NaN, for the daemon to see."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=env_steps, summary=Summary(value=values)))
        self._writer.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._writer.close()


def not_finite(scalars: Mapping[str, float]) -> list[str]:
    """Return the tags whose value is not a finite number."""
    return [tag for tag, value in scalars.items() if not math.isfinite(value)]


# Waiting: for the slower of several lanes, at the end of a rollout.
ACTIVITIES = ("simulation", "inference", "environment", "waiting", "update")


class Shares:
    """Where does the wall time go? Seconds by activity, since the start."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(ACTIVITIES, 0.0)
        self._began_s = self._lap_began_s = time.perf_counter()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to an activity."""
        before_s = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - before_s

    def move(self, source: str, target: str, seconds: float) -> None:
        """Count seconds for another activity than they were measured for."""
        self.seconds[source] -= seconds
        self.seconds[target] += seconds

    @property
    def wall_s(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self._began_s

    def lap_s(self) -> float:
        """Return the wall time since the last call, and begin anew: that of one iteration."""
        now_s = time.perf_counter()
        lap_s, self._lap_began_s = now_s - self._lap_began_s, now_s
        return max(lap_s, 1e-9)

    def rates(self) -> dict[str, float]:
        """Return each activity's share 0-1 of the wall time since the start."""
        return {name: seconds / self.wall_s for name, seconds in self.seconds.items()}
