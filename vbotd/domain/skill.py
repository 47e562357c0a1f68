"""What plugins answer with, besides tasks and proposals: skills, follow-ups, opinions, report sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Verdict

Turn = Literal["first", "any", "last"]
TURNS: tuple[Turn, ...] = ("first", "any", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillCard:
    """A skill that campaigns may name. `schema` is the JSON Schema of its block, `check` the `module:Class`
    of the pydantic model behind it ("" when the block takes no options).

    `may_change` are beginnings of keys, such as `reward.`: a campaign that names the skill lets it propose values of
    these too, inside the bounds that the task publishes, beside the campaign's own search space.
    `turn`: its proposals wait until the campaign's skills of an earlier turn have nothing left to propose.
    """

    name: str
    summary: str
    check: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    may_change: tuple[str, ...] = ()
    turn: Turn = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCard:
    """A tool for agents: its name, what it does, its arguments as JSON Schema, and the `module:callable`."""

    name: str
    summary: str
    entry: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    changes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """A skill's answer when it has nothing more to propose."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """About how many env steps a skill's trainings will take in a campaign that has not begun, and what they are."""

    env_steps: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a plugin thinks of a trial whose runs have ended."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A further run that a plugin asks for after one has ended.

    `purpose` tells several of one kind apart. `task` and `params` (over the trial's own) pin what an evaluation
    is made at; "" and none: as the trial was trained. An evaluation is of the ended run's checkpoint, over the
    campaign's number of held-out episodes, on instances that depend on the purpose alone.
    """

    kind: str
    why: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = ""
    task: str = ""
    params: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A plugin's part of the report: a title and at most 15 lines of Markdown."""

    title: str
    lines: tuple[str, ...]
