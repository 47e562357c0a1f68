"""How many threads has torch? One, in each of a run's processes. `prepare` before torch is imported, `apply` after.

Torch's own threads (libgomp) wait for each other at the end of every layer, spinning: two runs whose threads meet on a
core are ten times slower, and one run's two threads were often put on one core. So a run has a process for each of its
threads instead (`lanes.py`), and torch has several threads only where a run must be one process, as on a GPU.
"""

from __future__ import annotations

import os


def prepare() -> None:
    """Set what libgomp and OpenBLAS read when they are loaded."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # where torch has several threads after all


def apply(threads: int) -> None:
    """Set torch's threads, whatever it has read."""
    import torch

    torch.set_num_threads(threads)
