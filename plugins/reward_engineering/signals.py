"""What a training run shows of its robots, as a few numbers for each series: how it began, how it ends, its trend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from vbotd.domain.task import ParamValue, TaskCard
from vbotd.domain.trial import Run
from vbotd.hookspecs import Point

RETURN, LENGTH = "train/episode_return", "train/episode_length_s"
SUCCESS, FALLS, CLOCK = "train/success_rate", "train/fall_rate", "train/timeout_rate"
REACHED, AWAY, CHATTER = "task/reach_rate", "task/final_distance_m", "ppo/chatter"
TAGS = (RETURN, LENGTH, SUCCESS, FALLS, CLOCK, REACHED, AWAY, CHATTER)
TREND_POINTS = 40  # of the last half, compared in pairs
FEWEST_POINTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One series: medians of its first and last tenth, its extremes (of medians of five), and Kendall's tau lately.

    `tau` is in -1 to 1, over the last half; `count` is the number of points.
    """

    early: float
    late: float
    high: float
    low: float
    tau: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of one training: its trends by tag, what each term pays a second, and each term's share."""

    progress: float  # 0-1 of the env steps that it was to have
    episode_s: float
    trends: Mapping[str, Trend] = field(default_factory=dict)
    pay: Mapping[str, Trend] = field(default_factory=dict)  # by term
    shares: Mapping[str, Trend] = field(default_factory=dict)  # by term
    score: str = SUCCESS  # the tag that stands for the task's own metric while training

    def late(self, tag: str) -> float | None:
        """Return the newest value of a tag, None where it was not logged."""
        return self.trends[tag].late if tag in self.trends else None

    def paid(self, term: str) -> float:
        """Return what a term pays a second lately; 0 where it was not logged."""
        return self.pay[term].late if term in self.pay else 0.0


def read(look: Callable[[str], Sequence[Point]], run: Run, task: TaskCard, params: Mapping[str, ParamValue]) -> Signals:
    """Return the signals of a run whose series `look` returns by tag."""
    score = training_tag(task)
    trends = _trends(look, {tag: tag for tag in dict.fromkeys((*TAGS, score))})
    terms = [card.key.removeprefix("reward.") for card in task.params if card.key.startswith("reward.")]
    wanted = (run.spec.get("train") or {}).get("env_steps") or task.env_steps
    done = max((points[-1][0] for tag in (RETURN, score) if (points := look(tag))), default=run.env_steps)
    length = params.get("env.episode_s", task.episode_s)
    return Signals(
        progress=min(done / max(wanted, 1), 1.0), score=score, trends=trends,
        episode_s=float(length) if isinstance(length, int | float) else task.episode_s,
        pay=_trends(look, {term: f"reward/{term}" for term in terms}),
        shares=_trends(look, {term: f"share/{term}" for term in terms}))


def training_tag(task: TaskCard) -> str:
    """Return the tag by which training shows the task's own metric."""
    name = task.metric.tag.removeprefix("eval/")
    return SUCCESS if name == "success_rate" else f"task/{name}"


def trend(points: Iterable[Point]) -> Trend | None:
    """Return the trend of a series, None where it has too few points."""
    values = [value for _, value in points if value == value]
    if len(values) < FEWEST_POINTS:
        return None
    tenth = max(3, len(values) // 10)
    smooth = [median(values[i:i + 5]) for i in range(0, len(values) - 4, max(1, len(values) // 100))]
    return Trend(early=median(values[:tenth]), late=median(values[-tenth:]), high=max(smooth), low=min(smooth),
                 tau=kendall(values[len(values) // 2:]), count=len(values))


def kendall(values: Sequence[float]) -> float:
    """Return Kendall's tau of values against their order: 1 rises always, -1 falls always, 0 does neither."""
    step = max(1, len(values) // TREND_POINTS)
    few = values[::step]
    pairs = [(late > early) - (late < early) for i, early in enumerate(few) for late in few[i + 1:]]
    return sum(pairs) / len(pairs) if pairs else 0.0


def _trends(look: Callable[[str], Sequence[Point]], tags: Mapping[str, str]) -> dict[str, Trend]:
    found = {name: trend(look(tag)) for name, tag in tags.items()}
    return {name: seen for name, seen in found.items() if seen is not None}
