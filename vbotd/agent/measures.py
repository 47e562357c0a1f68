"""Measuring and looking at policies takes minutes: each of these tools starts a job and gives its handle at once."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from vbotd.agent.ask import ModelError, data_url
from vbotd.agent.changes import whole_id
from vbotd.agent.jobs import Job, folder_of, look_as, start
from vbotd.agent.knowledge import card_of
from vbotd.agent.numbers import setting_of
from vbotd.agent.registry import Arguments, Context, Id, Key, Keyed, Picture, Result, Shown, Tool, ToolError
from vbotd.agent.untrusted import Data, fence, show_tag
from vbotd.agent.verbs import run_verb
from vbotd.core.assignments import BadAssignment, parse_assignments
from vbotd.core.wording import clean
from vbotd.layout import Layout
from vbotd.store.read import Reader

LONGEST_WAIT_S = 30.0
POLL_S = 0.1
MOST_PICTURES = 2
MOST_ITEMS = 24
# What only a person at this machine could use, or what the request has said already.
LEFT_OUT = frozenset({"checkpoint", "sha256", "folder", "request", "files", "instances", "per_seed", "version", "at"})
THREADS = ("--threads", "1")  # the other cores belong to the campaigns


class EvaluateArguments(Keyed):
    """What to measure on held-out episodes; several are measured on identical ones."""

    ids: list[Id] = Field(min_length=1, max_length=6)
    episodes: int = Field(default=256, ge=8, le=4096)


class RankArguments(Keyed):
    """Whose checkpoints to put in order."""

    id: Id
    most: int = Field(default=512, ge=64, le=4096, description="episodes of a checkpoint in the race")
    confirm: int = Field(default=256, ge=32, le=2048, description="fresh episodes of each survivor")


class CaptureArguments(Keyed):
    """Of what to take pictures."""

    id: Id
    frames: int = Field(default=5, ge=1, le=12)
    seconds: float = Field(default=10.0, ge=0.5, le=60.0)
    first: int = Field(default=0, ge=0, le=100_000, description="number of the episode")
    cameras: list[Literal["track", "side", "top", "overview", "free"]] = Field(
        default=["track", "side"], min_length=1, max_length=4)


class AuditArguments(Keyed):
    """Which reward to look for exploits in: of a task with settings, or of a campaign."""

    task: str = Field(default="", max_length=120, pattern=r"^[A-Za-z0-9_]*$")
    campaign: str = Field(default="", max_length=200)
    settings: list[str] = Field(default=[], max_length=40, description="as 'reward.alive_reward=150'")


class CompareArguments(Arguments):
    """Runs, trials or campaigns to put side by side; with `against` the settings of two groups."""

    ids: list[Id] = Field(min_length=1, max_length=8)
    against: list[Id] = Field(default=[], max_length=8, description="a second group: what sets the two apart")


class JobArguments(Arguments):
    """Which job, and how long to wait for its end."""

    handle: Key
    wait_s: float = Field(default=0.0, ge=0.0, le=LONGEST_WAIT_S)


class JobState(Result):
    """A job: ask again with its handle until it is done; `result` is what it found, pictures come beside."""

    handle: str
    tool: str
    state: str
    seconds: int = 0
    said: Data = ""
    result: dict[str, Any] = Field(default={})


class Compared(Result):
    """What the comparison found: settings that differ, scores, differences with their intervals, notes."""

    result: dict[str, Any]


def evaluate(context: Context, arguments: EvaluateArguments) -> JobState:
    """Start a measurement on held-out episodes."""
    ids = [trained_id(context.layout, id_) for id_ in arguments.ids]
    return _started(context, arguments, "evaluate", ["evaluate", *ids, "--episodes", str(arguments.episodes), *THREADS])


def rank(context: Context, arguments: RankArguments) -> JobState:
    """Start a race of checkpoints."""
    return _started(context, arguments, "rank", [
        "rank", trained_id(context.layout, arguments.id), "--most", str(arguments.most), "--confirm",
        str(arguments.confirm), *THREADS])


def capture(context: Context, arguments: CaptureArguments) -> JobState:
    """Start taking pictures of a policy."""
    pictures = folder_of(context.layout, arguments.key) / "pictures"
    options = {"--frames": arguments.frames, "--seconds": f"{arguments.seconds:g}", "--first": arguments.first,
               "--cameras": ",".join(arguments.cameras), "--out": pictures}
    return _started(context, arguments, "capture", [
        "capture", trained_id(context.layout, arguments.id), "--no-film",
        *(str(word) for option in options.items() for word in option)])


def audit(context: Context, arguments: AuditArguments) -> JobState:
    """Start a search for exploits of a reward."""
    if bool(arguments.task) == bool(arguments.campaign):
        raise ToolError("give a task or a campaign, one of them")
    try:
        parse_assignments(arguments.settings)
    except BadAssignment as error:
        raise ToolError(str(error)) from error
    task, settings = arguments.task, list(arguments.settings)
    if arguments.campaign:
        with Reader(context.layout.store) as reader:
            record = reader.record(whole_id(context.layout, arguments.campaign, campaign_only=True))
            assert record is not None, "its id was resolved a moment ago"
            task = record.content.task
            settings = [f"{key}={_written(value)}" for key, value in record.content.params.items()] + settings
    else:
        card_of(context.layout, task)
    words = [word for setting in settings for word in ("--set", setting)]
    return _started(context, arguments, "audit", ["audit", task, *words, *THREADS])


def compare(context: Context, arguments: CompareArguments) -> Compared:
    """Return runs side by side, from what was measured already."""
    sides = [[trained_id(context.layout, id_) for id_ in side] for side in (arguments.ids, arguments.against)]
    words = ["compare", *sides[0], *(["--against", *sides[1]] if sides[1] else []), "--json"]
    return Compared(result=compact(without_paths(context.layout, run_verb(context.layout, words))))


def job(context: Context, arguments: JobArguments) -> Shown:
    """Return a job as it stands, with its pictures once it is done."""
    until = time.monotonic() + arguments.wait_s
    while (found := look_as(context, arguments.handle)).state == "running" and time.monotonic() < until:
        time.sleep(POLL_S)
    pictures = _pictures(folder_of(context.layout, found.handle) / "pictures", found)
    return Shown(result=_state(context, found), pictures=pictures)


def trained_id(layout: Layout, text: str) -> str:
    """Return the whole id of a campaign, trial or run; `by-hand/NAME` is a run of `vbotd train`, by its listing.

    Raises: NotFound; ToolError.
    """
    folder, _, name = text.partition("/")
    if folder != layout.adhoc_runs.name:
        return whole_id(layout, text)
    try:
        known = sorted(path.name for path in layout.adhoc_runs.iterdir() if path.is_dir())
    except OSError:
        known = []
    if name not in known:
        raise ToolError(f"there is no run '{clean(text, 80)}' — by hand there are: {', '.join(known[-8:]) or 'none'}")
    return text


def compact(value: Any, depth: int = 0) -> Any:
    """Return a verb's JSON with few characters: measurements in a line, four digits, foreign words fenced."""
    if isinstance(value, Mapping):
        if {"value", "low", "high", "n"} <= value.keys():
            low, high = (f"{_number(value[name]):.4g}" for name in ("low", "high"))
            return f"{_number(value['value']):.4g} [{low}, {high}] n={value['n']}"
        return {show_tag(str(key)) if "/" in str(key) or " " in str(key) else str(key): compact(item, depth + 1)
                for key, item in list(value.items())[:60] if key not in LEFT_OUT and item not in (None, "", [], {})}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [compact(item, depth + 1) for item in value[:MOST_ITEMS]] + (
            [f"... {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else [])
    if isinstance(value, str):
        return fence(value, 400) if " " in value else fence(value, 120) if len(value) > 120 else value
    return setting_of(value)


def without_paths(layout: Layout, value: Any) -> Any:
    """Return JSON values in which paths of the workspace begin there; where that is, no agent needs to know."""
    if isinstance(value, Mapping):
        return {key: without_paths(layout, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(layout, item) for item in value]
    if isinstance(value, str):
        return value.replace(f"{layout.runs}/", "").replace(f"{layout.home}/", "")
    return value


def _started(context: Context, arguments: Keyed, tool: str, words: Sequence[str]) -> JobState:
    given = arguments.model_dump(mode="json", exclude={"key"})
    return _state(context, start(context, arguments.key, tool, given, [*words, "--json"]))


def _state(context: Context, found: Job) -> JobState:
    return JobState(handle=found.handle, tool=found.tool, state=found.state, said=found.said,
                    seconds=round(max(0.0, context.now() - found.began_at)) if found.state == "running" else 0,
                    result=compact(without_paths(context.layout, found.output)) if found.output is not None else {})


def _pictures(folder: Path, found: Job) -> tuple[Picture, ...]:
    """Return the contact sheets of a capture, else its first frames; decoded and encoded anew."""
    files = (found.output or {}).get("files")
    if found.tool != "capture" or not isinstance(files, list):
        return ()
    named = [file for file in files if isinstance(file, Mapping) and isinstance(file.get("file"), str)]
    sheets = [file for file in named if file.get("kind") == "contact sheet"] or [
        file for file in named if file.get("kind") == "frame"]
    pictures = []
    for file in sheets[:MOST_PICTURES]:
        try:
            head, _, data = data_url(folder / file["file"]).partition(";base64,")
        except ModelError:
            continue  # it was deleted, or it is none
        pictures.append(Picture(shows=fence(file.get("shows", ""), 200), mime=head.removeprefix("data:"), base64=data))
    return tuple(pictures)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(str(item) for item in value)}]" if isinstance(value, list | tuple) else str(value)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


TOOLS = (
    Tool(name="evaluate", summary="Start measuring checkpoints on held-out episodes; gives a job's handle.",
         args=EvaluateArguments, result=JobState, run=evaluate, changes=True),
    Tool(name="rank", summary="Start a race of a run's checkpoints, confirmed on fresh episodes; gives a handle.",
         args=RankArguments, result=JobState, run=rank, changes=True),
    Tool(name="capture", summary="Start taking pictures of a policy; gives a handle, job shows them.",
         args=CaptureArguments, result=JobState, run=capture, changes=True),
    Tool(name="audit", summary="Start looking for ways to exploit a reward; gives a handle.", args=AuditArguments,
         result=JobState, run=audit, changes=True),
    Tool(name="job", summary="Look at a job by its handle: state, result, pictures.", args=JobArguments,
         result=JobState, run=job),
    Tool(name="compare", summary="Runs side by side: differing settings, scores, which is better and how surely.",
         args=CompareArguments, result=Compared, run=compare),
)
