"""Did a warm start lose early what its checkpoint could do? The rule of the transfer check, on paired episodes.

The same episode instances are played before the first update and after a small share of the run, so that what differs
is the policy alone. The drop counts only when it is more than a fifth, beyond the noise of so few episodes.
Source: algorithms of the reference, 6.2: "must not drop > 20 % within 5 % of the stage".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vbotd.domain.finding import Finding

POISONED = "poisoned-warm-start"
CHECK_RATE = 0.05  # of the run's env steps; by then the check is done
MAX_DROP = 0.2  # of what the checkpoint could do
MIN_RATE = 0.1  # below, there is too little to lose, and nothing is said
Z_95_ONE_SIDED = 1.6448536269514722  # the 95 % quantile of the normal distribution
FIX = "begin again with optimizer: reset and a smaller learning rate, or from an earlier checkpoint"


def has_dropped(before: Sequence[float], after: Sequence[float]) -> bool:
    """Say whether a rate fell by more than a fifth, for sure; row i of both (0 to 1) is the same episode instance."""
    n = len(before)
    if n < 2 or len(after) != n or math.fsum(before) < MIN_RATE * n:
        return False
    lost = [(1.0 - MAX_DROP) * b - a for b, a in zip(before, after, strict=True)]
    mean = math.fsum(lost) / n
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in lost) / (n - 1))
    return mean - Z_95_ONE_SIDED * spread / math.sqrt(n) > 0.0


def poisoned(
    before: Mapping[str, Sequence[float]], after: Mapping[str, Sequence[float]], env_steps: int
) -> Finding | None:
    """Return what is wrong with a warm start, None where it carries over. The first account that fell counts."""
    for name, values in before.items():
        if has_dropped(values, after.get(name, ())):
            was, now = math.fsum(values) / len(values), math.fsum(after[name]) / len(values)
            return Finding(
                rule=POISONED,
                level="error",
                message=f"{name} fell from {was:.3f} to {now:.3f} over the same {len(values)} episodes, "
                f"{env_steps} env steps after the warm start",
                tag=name,
                value=now,
                env_steps=env_steps,
                fix=FIX,
                stop=True,
            )
    return None
