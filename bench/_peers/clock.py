"""How many env steps a second does an iterating trainer reach, and when must it stop?"""

from __future__ import annotations

import time
from collections.abc import Callable

Iterate = Callable[[], int]  # one rollout and its update; returns the env steps


def rate(iterate: Iterate, seconds: float) -> dict[str, float]:
    """Return env steps a second, and a CPU second, over whole iterations, after one that nobody counts."""
    iterate()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    env_steps = 0
    while env_steps == 0 or time.perf_counter() - began_s < seconds:
        env_steps += iterate()
    return {
        "env_steps_per_s": env_steps / (time.perf_counter() - began_s),
        "env_steps_per_cpu_s": env_steps / (time.process_time() - began_cpu_s),
    }


def until(iterate: Iterate, began_s: float, seconds: float) -> int:
    """Iterate until `seconds` after `began_s`, to the nearest whole iteration, and return the env steps."""
    env_steps, last_s = 0, 0.0
    while time.perf_counter() - began_s + 0.5 * last_s < seconds:
        before_s = time.perf_counter()
        env_steps += iterate()
        last_s = time.perf_counter() - before_s
    return env_steps
