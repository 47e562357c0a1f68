"""The rungs of the ladder: the campaign's stages, what lies half-way between two of them, and what takes in both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from vbotd.domain.campaign import Campaign, Gate, Stage
from vbotd.domain.history import History
from vbotd.domain.task import ParamValue

DIFFICULTY = "env."  # settings of these are what a stuck stage is halved by; rewards and PPO stay the stage's own
DIGITS = 4  # significant ones of a value half-way


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of the ladder: a stage at its own difficulty, or an easier form of it that was put in between.

    `params` pins the difficulty: what the stage declares, and the other stages' settings as they are without them.
    `changed` are those of them that differ from the stage's own. `source` is the rung to start from, "" from scratch.
    `split` is 0 for a stage of the file, and counts what was put in before it.
    """

    name: str
    stage: str
    task: str
    params: Mapping[str, ParamValue]
    gates: tuple[Gate, ...]
    env_steps: int
    changed: Mapping[str, ParamValue] = field(default_factory=dict)
    source: str = ""
    factor: float | None = None
    split: int = 0


def rungs_of(history: History) -> tuple[Rung, ...]:
    """Return the campaign's stages as rungs, in their order."""
    stages = history.campaign.stages
    keys = {task: {key for stage in stages if stage.task == task for key in stage.params} for task in
            {stage.task for stage in stages}}
    return tuple(_rung(history, stage, keys[stage.task]) for stage in stages)


def _rung(history: History, stage: Stage, keys: Iterable[str]) -> Rung:
    content = history.campaign
    factor = stage.warm_start.get("learning_rate")
    if factor is None and "ppo.learning_rate" in stage.params:
        factor = 0.0  # the stage says at which rate it is to be trained
    return Rung(
        name=stage.name, stage=stage.name, task=stage.task, gates=stage.gates, env_steps=_env_steps(history, stage),
        params=_pinned(history, content, stage, keys), source=str(stage.warm_start.get("from", "")), factor=factor)


def _pinned(history: History, content: Campaign, stage: Stage, keys: Iterable[str]) -> dict[str, ParamValue]:
    """Return the settings of a stage, and of those that only other stages of its task have, the value without them."""
    found: dict[str, ParamValue] = {}
    for key in sorted(keys):
        card = history.task.param(key) if history.task and history.task.name == stage.task else None
        if key in stage.params:
            found[key] = stage.params[key]
        elif key in content.params:
            found[key] = content.params[key]
        elif card is not None:
            found[key] = card.default
    return found


def _env_steps(history: History, stage: Stage) -> int:
    of_task = history.task.env_steps if history.task else 1_000_000
    return stage.env_steps or history.campaign.train.env_steps or of_task


def between(easy: Rung, hard: Rung, number: int) -> Rung | None:
    """Return the rung half-way up to a stuck one, the stage's `number`th such; None where there is no number to halve.

    Numbers and lists of numbers of the environment are halved, all else is as in the harder one.
    """
    if easy.task != hard.task:
        return None
    params, changed = dict(hard.params), dict(hard.changed)
    moved = False
    for key, value in hard.params.items():
        middle = _middle(easy.params.get(key), value) if key.startswith(DIFFICULTY) else None
        if middle is not None:
            params[key] = changed[key] = middle
            moved = True
    if not moved:
        return None
    return replace(hard, name=f"{hard.stage}/{number}", params=params, changed=changed, source=easy.name, split=number)


def _middle(easy: ParamValue | None, hard: ParamValue) -> ParamValue | None:
    """Return what lies half-way, None where that is nothing new."""
    if isinstance(easy, tuple) and isinstance(hard, tuple):
        if len(easy) != len(hard) or easy == hard:
            return None
        halves = tuple(a if a == b else _rounded(a + (b - a) / 2) for a, b in zip(easy, hard, strict=True))
        return halves if halves not in (easy, hard) else None
    if isinstance(easy, bool) or isinstance(hard, bool) or easy is None or easy == hard:
        return None
    if isinstance(easy, int) and isinstance(hard, int):
        middle = (easy + hard) // 2 if easy < hard else -((-easy - hard) // 2)
        return middle if middle not in (easy, hard) else None
    if isinstance(easy, int | float) and isinstance(hard, int | float):
        half = _rounded(easy + (hard - easy) / 2)
        return half if half not in (easy, hard) else None
    return None


def _rounded(value: float) -> float:
    if value == 0.0 or not math.isfinite(value):
        return 0.0
    return round(value, DIGITS - 1 - math.floor(math.log10(abs(value))))


def rehearsed(rung: Rung, others: Iterable[Rung]) -> dict[str, ParamValue]:
    """Return the ranges of a rung widened to take in those of other rungs; only what is not as in the rung."""
    found: dict[str, ParamValue] = {}
    for key, value in rung.params.items():
        if not key.startswith(DIFFICULTY) or not _is_range(value):
            continue
        theirs = [other.params[key] for other in others if other.task == rung.task and key in other.params]
        ranges = [one for one in (value, *theirs) if isinstance(one, tuple) and _is_range(one)]
        widened = (min(low for low, _ in ranges), max(high for _, high in ranges))
        if widened != value:
            found[key] = widened
    return found


def _is_range(value: ParamValue) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and value[0] <= value[1]
