"""Which of many checkpoints is best? A race: all run the same few episodes, those that are proved worse drop out.

The rule this protects: the numbers that chose are not the numbers that are reported. Survivors run again, on instances
that chose nothing. Order, as the judge's: the task's metric, then falls, then the task's quality. Falls do not come
first: a robot that never moves never falls.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from vbotd.core.accounts import Accounts, pooled
from vbotd.core.holm import holm
from vbotd.core.signed_rank import signed_rank
from vbotd.domain.metric import Direction, MetricCard
from vbotd.domain.task import TaskCard

ALPHA = 0.05
FIRST_EPISODES = 64
FINALISTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """Something by which checkpoints are ordered: a metric, and how it is called in a sentence."""

    tag: str
    direction: Direction
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A checkpoint that left the race: against whom, by what, how sure, after how many episodes."""

    name: str
    leader: str
    criterion: Criterion
    p: float  # two-sided, Holm-corrected over the whole round
    mean: float
    leader_mean: float
    episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """How the screening ended: the survivors, the best first, and those that fell out, in that order.

    `undecided` were not told apart from the survivors when the cap was met, and stand behind them, the best first.
    """

    survivors: tuple[str, ...]
    undecided: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    accounts: Mapping[str, Accounts]


def criteria_of(card: TaskCard) -> tuple[Criterion, ...]:
    """Return what checkpoints of a task are ordered by, in the order of weight."""
    first = (_named(card.metric), Criterion(tag="eval/fall_rate", direction="min", words="falls"))
    return first if card.quality is None else (*first, _named(card.quality))


def ordered(accounts: Mapping[str, Accounts], criteria: Sequence[Criterion]) -> list[str]:
    """Return the names, the best first: by the first criterion, then the second; a missing number is the worst."""
    return sorted(accounts, key=lambda name: [-_worth(_mean(accounts[name], c), c) for c in criteria])


def losers(accounts: Mapping[str, Accounts], criteria: Sequence[Criterion]) -> list[Dropped]:
    """Return who is proved worse than the leader of these episodes, which are the same for all.

    Each criterion is tested on the same episodes of both (Wilcoxon, Holm over all candidates and criteria). The first
    that tells them apart decides, so that no quality makes up for fewer successes.
    Statistics: the same race is looked at after every round, so some error beyond 5 % is left in who drops out; what is
    reported of the survivors is not touched by it.
    """
    names = ordered(accounts, criteria)
    leader, tests = names[0], [(name, criterion) for name in names[1:] for criterion in criteria]
    best = accounts[leader]
    p_values = holm([signed_rank(_gains(accounts[name], best, criterion)) for name, criterion in tests])
    found: dict[str, Dropped | None] = {}
    for (name, criterion), p in zip(tests, p_values, strict=True):
        if p >= ALPHA or name in found:
            continue
        is_worse = math.fsum(filter(math.isfinite, _gains(accounts[name], best, criterion))) < 0
        found[name] = Dropped(name=name, leader=leader, criterion=criterion, p=p, mean=_mean(accounts[name], criterion),
                              leader_mean=_mean(best, criterion), episodes=best.num_episodes) if is_worse else None
    return [dropped for dropped in found.values() if dropped is not None]


def screen(names: Sequence[str], criteria: Sequence[Criterion], measure: Callable[[str, int, int], Accounts], *,
           most_episodes: int, finalists: int = FINALISTS) -> Screening:
    """Race until at most `finalists` are left, doubling the episodes each round, up to `most_episodes` each.

    Args:
        names: the candidates; no more than `finalists` of them need no race.
        measure: (name, round, episodes) -> that many new episodes; a round has the same ones for all.
        most_episodes: of each candidate.
    """
    accounts: dict[str, Accounts] = {}
    alive, dropped, total, number = list(names), [], 0, 0
    while len(alive) > finalists and total < most_episodes:
        new = min(max(total, FIRST_EPISODES), most_episodes - total)
        for name in alive:
            part = measure(name, number, new)
            accounts[name] = pooled([accounts[name], part]) if name in accounts else part
        total, number = total + new, number + 1
        out = losers({name: accounts[name] for name in alive}, criteria)
        dropped += out
        alive = [name for name in alive if name not in {each.name for each in out}]
    order = ordered({name: accounts[name] for name in alive}, criteria) if accounts else alive
    return Screening(survivors=tuple(order[:finalists]), undecided=tuple(order[finalists:]), dropped=tuple(dropped),
                     accounts=accounts)


def _named(card: MetricCard) -> Criterion:
    words = re.sub(r"_(rate|s|m|mps|radps)$", "", card.tag.removeprefix("eval/")).replace("_", " ")
    return Criterion(tag=card.tag, direction=card.direction, words=words)


def _mean(accounts: Accounts, criterion: Criterion) -> float:
    values = [value for value in accounts.values(criterion.tag) if math.isfinite(value)]
    return fmean(values) if values else math.nan


def _worth(mean: float, criterion: Criterion) -> float:
    if math.isnan(mean):
        return -math.inf
    return mean if criterion.direction == "max" else -mean


def _gains(ours: Accounts, theirs: Accounts, criterion: Criterion) -> list[float]:
    """Return by how much ours is better, episode by episode; NaN where one has no number."""
    sign = 1.0 if criterion.direction == "max" else -1.0
    return [sign * (a - b) for a, b in zip(ours.values(criterion.tag), theirs.values(criterion.tag), strict=True)]
