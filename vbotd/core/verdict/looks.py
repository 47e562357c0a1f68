"""When may a comparison be looked at again, and what does each look cost?

Who looks after every pair and stops at the first lucky one is wrong far more often than he thinks. So the looks are
fixed in advance, and each is given a share of the error that is allowed: its p value is divided by that share.
What was looked at in between does not count, in whatever portions the pairs came in.
"""

from __future__ import annotations

from collections.abc import Callable

# Pairs, and the share of the error that a look at so many may use. The shares add up to more than 1 because the looks
# share most of their pairs; bench/nights.py measures that they hold. Most is spent at six, the last that a night pays
# for. Below five not even a clean sweep is proof: the sign test gives 4 of 4 p = 0.0625.
SHARES = {5: 0.05, 6: 0.75, 9: 0.08, 12: 0.08}
LOOKS = tuple(SHARES)
FEWEST_PAIRS = LOOKS[0]


def sequential_p(pairs: int, p_of_first: Callable[[int], float]) -> float:
    """Return the p value of a comparison that has been looked at whenever it was time; 1 before the first look.

    It is that of the newest look. What an earlier one proved was said then; and it is not proved in hindsight, since
    the noise is known better by now and would be a further chance.

    Args:
        pairs: that there are.
        p_of_first: the p value of the first so many pairs, as if nobody had looked before.
    """
    look = newest_look(pairs)
    return min(1.0, p_of_first(look) / SHARES[look]) if look else 1.0


def newest_look(pairs: int) -> int:
    """Return at how many pairs a comparison with so many was looked at last, 0 before the first time."""
    return max((look for look in LOOKS if look <= pairs), default=0)
