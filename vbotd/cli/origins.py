"""Where does each setting of a campaign come from? Its line in the accepted file, or a default and whose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vbotd.core.wording import setting
from vbotd.domain.campaign import Campaign
from vbotd.domain.history import CampaignRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One resolved setting: its key as in the file, its value in words, and where it was decided."""

    key: str
    value: str
    origin: str


def resolved(record: CampaignRecord, text: str, task_defaults: Mapping[str, Any] | None = None) -> list[Setting]:
    """Return the settings that a campaign runs with. `text` is the accepted file, "" where it is not known.

    A budget that was amended later shows its present value; the events tell when it changed.
    """
    places = lines_of(text)
    found = []
    for key, value in _values(record.content):
        line = _line(places, key)
        if line is not None:
            origin = f"{record.file}:{line}"
        elif value is None and (task_defaults or {}).get(key) is not None:
            value, origin = (task_defaults or {})[key], f"default of task {record.content.task}"
        else:
            origin = "default" if text else "unknown"
        found.append(Setting(key=key, value=_in_words(key, value), origin=origin))
    return found


def _in_words(key: str, value: Any) -> str:
    if value is None:
        return "the task's default" if key.startswith("train.") else "none" if key == "deadline" else "no limit"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else setting(value)


def lines_of(text: str) -> dict[str, int]:
    """Return the line of every key of a YAML text, by its dotted path; nothing for a text that is no YAML."""
    import yaml
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return {}
    return dict(_lines(node, ""))


def _lines(node: Any, prefix: str) -> Iterator[tuple[str, int]]:
    import yaml
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{prefix}{key.value}"
            yield path, key.start_mark.line + 1
            yield from _lines(value, f"{path}.")
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, f"{prefix}{index}.")


def _line(places: Mapping[str, int], key: str) -> int | None:
    """Return the line of a setting, or of the block around it."""
    while key:
        if key in places:
            return places[key]
        # A gate's tag, or a dimension's key, may hold dots itself, so only the blocks above are tried.
        head = key.rpartition(".")[0]
        key = head if head in ("skills", "stages", "schedule", "gate") or key.startswith("stages.") else ""
    return None


def _values(content: Campaign) -> Iterator[tuple[str, Any]]:
    yield "name", content.name
    yield "task", content.task
    yield "budget.trials", content.budget.trials
    yield "budget.hours", content.budget.hours
    yield "budget.env_steps", content.budget.env_steps
    yield "deadline", content.deadline
    yield "train.env_steps", content.train.env_steps
    yield "train.num_envs", content.train.num_envs
    yield "train.seed", content.train.seed
    yield "evaluate.episodes", content.evaluate.episodes
    yield "skills", ", ".join(use.name for use in content.skills) or "none"
    for use in content.skills:
        for option, value in use.options.items():
            yield f"skills.{use.name}.{option}", value
    for name, value in content.params.items():
        yield name, value
    for dimension in content.space.dimensions:
        yield f"search.space.{dimension.key}", dimension.allowed()
    for gate in content.gates:
        yield f"gate.{gate.tag}", f"{gate.op} {gate.value:g}"
    yield "allow", ", ".join(content.allow) or "nothing"
    for stage in content.stages:
        yield f"stages.{stage.name}", f"{stage.task} {dict(stage.params)}"
    if content.schedule is not None:
        yield "schedule", content.schedule.cron or content.schedule.at or f"every {content.schedule.every_s:g} s"
