"""How did a run's training go? Its series with few points, the diagnosis in words, and on request a small chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from vbotd.agent.chart import draw
from vbotd.agent.numbers import short
from vbotd.agent.registry import Arguments, Context, Id, Result, Shown, Tool, ToolError
from vbotd.agent.things import runs_of
from vbotd.agent.untrusted import Data, show_tag
from vbotd.core.diagnose import KEY_TAGS, diagnose
from vbotd.core.diagnosis_words import in_words
from vbotd.domain.trial import Run
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.read import Reader
from vbotd.store.run_context import context_of_run
from vbotd.store.series import downsample

MOST_TAGS, MOST_NAMED = 8, 60
Points = tuple[tuple[int, float], ...]


class SeriesArguments(Arguments):
    """Which series of which run."""

    run: Id = Field(description="a run, or a trial: its last train run")
    tags: list[str] = Field(default=[], max_length=MOST_TAGS, description="default: the key ones")
    points: int = Field(default=12, ge=2, le=100)
    plot: bool = Field(default=False, description="also as a picture")


class Curves(Result):
    """Points [env step, value] by tag, evenly spaced, first and last included. What training reports is no score."""

    run: str
    words: list[Data] = Field(default=[])
    series: dict[str, list[tuple[int, float | None]]] = Field(default={})
    missing: list[Data] = Field(default=[])
    other_tags: list[str] = Field(default=[])


def series(context: Context, arguments: SeriesArguments) -> Result | Shown:
    """Return a run's series, down-sampled."""
    with Reader(context.layout.store) as reader:
        trained = [run for run in runs_of(reader, arguments.run) if run.kind == "train"]
    if not trained:
        raise ToolError(f"'{arguments.run}' has no train run — the tool list shows what there is")
    run = trained[-1]
    points = points_of(context.layout, run.id)
    # A tag that we showed as foreign text may come back with its marks.
    asked = [tag.removeprefix("<<").removesuffix(">>") for tag in arguments.tags]
    wanted = asked or [tag for tag in KEY_TAGS if tag in points]
    chosen = {tag: points[tag] for tag in wanted if tag in points}
    others = [tag for tag in points if tag not in chosen]
    result = Curves(
        run=run.id, words=_words(context.layout, run, points), missing=[tag for tag in wanted if tag not in points],
        series={show_tag(tag): _few(line, arguments.points) for tag, line in chosen.items()},
        other_tags=[show_tag(tag) for tag in others[:MOST_NAMED]])
    if not arguments.plot:
        return result
    if not chosen:
        raise ToolError(f"{run.id} has none of these series yet — there is nothing to draw")
    return Shown(result=result, pictures=(draw(run.id, chosen),))


def points_of(layout: Layout, run: str) -> Mapping[str, Points]:
    """Return all that a run's TensorBoard files hold, at most 1,000 points a tag."""
    from vbotd.store.tfevents import RunTail, SeriesBook
    tail, book = RunTail(layout.run(run)), SeriesBook()
    while (poll := tail.poll()).bytes_read or poll.troubles:
        book.absorb(poll.points)
    return book.points()


def _few(line: Points, n: int) -> list[tuple[int, float | None]]:
    return [(step, short(value)) for step, value in downsample(line, n)]


def _words(layout: Layout, run: Run, points: Mapping[str, Points]) -> list[str]:
    try:
        beat: Mapping[str, Any] = read_json(layout.run(run.id) / "heartbeat.json") or {}
    except UnreadableFile:
        beat = {}
    context = context_of_run(layout.run(run.id), layout, beat, run.spec)
    diagnosis = diagnose(points, beat, context)
    found = [f"{finding.level} {finding.rule}: {finding.message}" for finding in diagnosis.findings]
    return [*in_words(diagnosis, context.kl_target), *found][:12]


TOOLS = (
    Tool(name="series", summary="A run's training curves in few points, its diagnosis in words, on request a plot.",
         args=SeriesArguments, result=Curves, run=series),
)

