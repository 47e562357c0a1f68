"""How many threads a run uses, and where they sit. `prepare` before torch is imported, `apply` after.

Torch's own threads (libgomp) spin at the end of each parallel region. Two runs with spinning threads on the
same cores are ten times slower, so a run that shares the machine hardly spins. A run that has the whole
machine is another matter: unbound, its two threads were often put on one core (1.0 to 1.4 cores busy of 2,
and the update no faster than with one thread); bound to a core each, the update is 1.4 to 1.9 times faster.
"""

from __future__ import annotations

import os

SHARED_SPINS = "1000"
ALONE_SPINS = "20000"


def prepare(threads: int) -> None:
    """Set what libgomp reads when torch is loaded. What the user has set already stays."""
    cpus = sorted(os.sched_getaffinity(0))
    alone = threads > 1 and threads >= len(cpus)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("GOMP_SPINCOUNT", ALONE_SPINS if alone else SHARED_SPINS)
    if alone:
        os.environ.setdefault("GOMP_CPU_AFFINITY", " ".join(map(str, cpus)))


def apply(threads: int) -> None:
    """Set torch's threads, and let the main thread go again: libgomp has bound it to the first core.

    Order: before the simulation's thread pool is made, whose threads inherit where the main thread may run.
    """
    import torch

    torch.set_num_threads(threads)
    bound = os.environ.get("GOMP_CPU_AFFINITY", "")
    cpus = {int(cpu) for cpu in bound.split() if cpu.isdigit()}
    if cpus:
        os.sched_setaffinity(0, cpus)
