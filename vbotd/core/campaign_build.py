"""Which campaign does a checked file mean? The domain's value, with the defaults filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vbotd.core.campaign_cards import fitted, task_of
from vbotd.core.campaign_file import CampaignFile, RangePart
from vbotd.core.campaign_rules import fixed_settings, skills_of, stage_settings
from vbotd.core.campaign_schedule import moment_of, seconds_of
from vbotd.core.yaml_guard import Path
from vbotd.domain.campaign import (
    Budget,
    Campaign,
    EvaluateSettings,
    Gate,
    GateOp,
    Schedule,
    SkillUse,
    Stage,
    TrainSettings,
)
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import TaskCard

ATTEMPTS_PER_STAGE = 4  # trials of a campaign with stages that does not say how many


def campaign_from(file: CampaignFile, tasks: Mapping[str, TaskCard]) -> Campaign:
    """Return the domain's value of a file without problems."""
    task = task_of(file)
    assert task is not None, "the rules let a campaign without a task pass"
    card = tasks.get(task)
    return Campaign(
        version=file.version, name=file.name, task=task, deadline=file.deadline, allow=tuple(file.allow),
        note=file.note, skills=tuple(SkillUse(name=name, options=options) for name, options in skills_of(file)),
        budget=Budget(trials=file.budget.trials or max(1, ATTEMPTS_PER_STAGE * len(file.stages)),
                      hours=file.budget.hours, env_steps=file.budget.env_steps),
        train=TrainSettings(env_steps=file.train.env_steps, num_envs=file.train.num_envs, seed=file.train.seed),
        evaluate=EvaluateSettings(episodes=file.evaluate.episodes), gates=_gates(file.gate),
        params=_params(fixed_settings(file), card), schedule=_schedule(file),
        space=SearchSpace(dimensions=tuple(_dimension(key, part, card) for key, part in
                                           (file.search.space if file.search else {}).items())),
        stages=tuple(_stage(file, index, task, tasks) for index in range(len(file.stages))),
    )


def _params(entries: Iterator[tuple[Path, str, Any]], card: TaskCard | None) -> dict[str, Any]:
    return {key: fitted(card.param(key) if card else None, value) for _, key, value in entries}


def _gates(gates: Mapping[str, str]) -> tuple[Gate, ...]:
    found = []
    for tag, text in gates.items():
        word, _, number = text.partition(" ")
        op: GateOp = ">=" if word == ">=" else "<=" if word == "<=" else ">" if word == ">" else "<"
        found.append(Gate(tag=tag, op=op, value=float(number)))
    return tuple(found)


def _dimension(key: str, part: RangePart, task: TaskCard | None) -> Dimension:
    if part.choice is not None:
        card = task.param(key) if task else None
        return Dimension(key=key, kind="choice", choices=tuple(fitted(card, choice) for choice in part.choice))
    if part.int_ is not None:
        return Dimension(key=key, kind="int", low=part.int_[0], high=part.int_[1])
    ends = part.uniform or part.log or []
    return Dimension(key=key, kind="uniform" if part.uniform else "log", low=float(ends[0]), high=float(ends[1]))


def _stage(file: CampaignFile, index: int, task: str, tasks: Mapping[str, TaskCard]) -> Stage:
    part = file.stages[index]
    name = part.task or task
    warm_start = part.warm_start.model_dump(by_alias=True, exclude_none=True) if part.warm_start else {}
    return Stage(name=part.name, task=name, params=_params(stage_settings(file, index), tasks.get(name)),
                 gates=_gates(part.gate), warm_start=warm_start, env_steps=part.env_steps)


def _schedule(file: CampaignFile) -> Schedule | None:
    part = file.schedule
    if part is None:
        return None
    return Schedule(cron=" ".join(part.cron.lower().split()) if part.cron else None,
                    at=moment_of(part.at) if part.at else None,
                    every_s=seconds_of(part.every) if part.every else None)
