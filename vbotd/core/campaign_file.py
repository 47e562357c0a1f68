"""What may stand in a campaign file? The grammar, as pydantic models; the schema and `docs/CAMPAIGN.md` come from here.

A model says what one value may be. What several values may be together is in `campaign_rules`, and what the words
of an error are is in `parse`.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from vbotd.core.campaign_schedule import BadTime, checked_cron, moment_of, seconds_of, time_of_day
from vbotd.core.yaml_scalar import quoted

LABEL = r"[a-z0-9][a-z0-9._-]{0,62}"
# 2**53: beyond it a count is not exact as a float, which is how `400e6` arrives.
LARGEST_COUNT = 2**53
MAX_TRIALS = 10_000
MAX_DIMENSIONS = 64

_GATE = re.compile(r"(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)", re.ASCII)
_SKILL = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def refusal(message: str, fix: str = "") -> PydanticCustomError:
    """Return an error in our own words, which `parse` passes on as they are."""
    return PydanticCustomError("campaign", "{message}", {"message": message, "fix": fix})


def _whole(value: Any) -> Any:
    """Take 20e6 for 20000000: a whole number may be written with an exponent."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_COUNT else value


def _label(text: str) -> str:
    if re.fullmatch(LABEL, text) is None or ".." in text:
        raise refusal(f"{quoted(text)} is not a name — allowed: 1 to 63 of a-z 0-9 . _ -, a letter or digit first,"
                      " no '..'", "write it in lower case, without spaces or slashes")
    return text


def _setting(value: Any) -> Any:
    """Take one value of a task's setting: true, false, a number, a text, or a list of numbers."""
    if isinstance(value, list):
        if value and len(value) <= 100 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
            return tuple(value)
    elif isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200):
        return value
    raise refusal(f"{quoted(value)} is not a setting — allowed: a number, true, false, a short text or a list of"
                  " numbers", "write one value")


def _gate(text: str) -> str:
    match = _GATE.fullmatch(text.strip())
    if match is None or not math.isfinite(float(match[2])):
        raise refusal(f"{quoted(text)} is not a bar — allowed: >=, <=, > or < and a number", 'as in ">= 0.95"')
    return f"{match[1]} {match[2]}"


def _skill(entry: Any) -> tuple[str, dict[str, Any]]:
    """Take a skill's name, or a mapping of the name to its options; '_' and '-' are the same in it."""
    name, options = entry, None
    if isinstance(entry, dict) and len(entry) == 1:
        name, options = next(iter(entry.items()))
    if not isinstance(name, str) or _SKILL.fullmatch(name) is None:
        raise refusal(f"{quoted(entry)} is not a skill — allowed: a name, or one name with its options",
                      "as in 'hp-search' or 'hp-search: {sampler: tpe}'")
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise refusal(f"{quoted(options)} is not a block of options — allowed: a mapping of option to value",
                      f"as in '{name}: {{...}}'")
    return name.replace("_", "-"), options


def _in_words(check: Any) -> Any:
    """Turn a BadTime of a checker into an error in our own words."""
    def checked(text: str) -> str:
        try:
            check(text)
        except BadTime as err:
            raise refusal(f"{quoted(text)} {err.message}", err.fix) from err
        return text
    return checked


# "x-words" is our own keyword: how a person is told what a validator takes that JSON Schema cannot say briefly.
_SETTING_SCHEMA: dict[str, Any] = {
    "x-words": "a number, true, false, a short text or a list of numbers",
    "anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "string", "maxLength": 200},
              {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 100}]}
_SKILL_SCHEMA: dict[str, Any] = {
    "x-words": "a name, or a name with its options",
    "anyOf": [{"type": "string", "pattern": f"^{_SKILL.pattern}$"},
              {"type": "object", "minProperties": 1, "maxProperties": 1}]}

# Last in an annotation, so that the bounds before it reach the JSON Schema.
WHOLE = BeforeValidator(_whole)
Label = Annotated[str, AfterValidator(_label), Field(json_schema_extra={
    "pattern": f"^{LABEL}$", "x-words": "a name of a-z 0-9 . _ -, at most 63"})]
Setting = Annotated[Any, AfterValidator(_setting), WithJsonSchema(_SETTING_SCHEMA)]
Settings = dict[str, Setting]
SkillEntry = Annotated[Any, AfterValidator(_skill), WithJsonSchema(_SKILL_SCHEMA)]
GateText = Annotated[str, AfterValidator(_gate),
                     Field(json_schema_extra={"pattern": r"^\s*(>=|<=|>|<)\s*[-+]?[0-9.]", "examples": [">= 0.95"],
                                              "x-words": ">=, <=, > or < and a number, in quotes"})]
Finding = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}$",
                                   json_schema_extra={"x-words": "a finding's name"},
                                   examples=["reward-budget"])]


class Part(BaseModel):
    """What all parts of a file share: no unknown key, no coercion, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class BudgetPart(Part):
    """What the campaign may spend; the first limit that is met ends it."""

    hours: Annotated[float, Field(gt=0, le=8760)] | None = Field(
        default=None, description="Wall-clock hours from the first training. Left out: no limit.", examples=[8])
    trials: Annotated[int, Field(ge=1, le=MAX_TRIALS), WHOLE] | None = Field(
        default=None, description="Settings to try. Left out: 1, or 4 a stage; a search needs it.", examples=[27])
    env_steps: Annotated[int, Field(ge=1, le=LARGEST_COUNT), WHOLE] | None = Field(
        default=None, description="Env steps over all trials. Left out: no limit.", examples=[400_000_000])


class TrainPart(Part):
    """How one trial is trained."""

    env_steps: Annotated[int, Field(ge=1, le=LARGEST_COUNT), WHOLE] | None = Field(
        default=None, description="Env steps of one trial. Left out: the task's own number.", examples=[20_000_000])
    num_envs: Annotated[int, Field(ge=1, le=262_144), WHOLE] | None = Field(
        default=None, description="Environments stepped at once. Left out: the task's own number.", examples=[1024])
    seed: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = Field(
        default=1, description="The first run seed; further seeds follow from it.", examples=[1])


class EvaluatePart(Part):
    """How a trial is judged."""

    episodes: Annotated[int, Field(ge=8, le=100_000), WHOLE] = Field(
        default=256,
        description="Held-out episodes a trial is scored on, and as many fresh ones to confirm the champion.",
        examples=[256])


Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class RangePart(Part):
    """Where one setting may vary: exactly one of the four forms."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    uniform: Pair | None = Field(
        default=None, description="Any number from low to high.", examples=[[1.0, 4.0]])
    log: Pair | None = Field(
        default=None, description="Any number from low to high, even in its logarithm; low is above 0.",
        examples=[[1e-4, 1e-3]])
    int_: Annotated[list[Annotated[int, WHOLE]], Field(min_length=2, max_length=2)] | None = Field(
        default=None, alias="int", description="Whole numbers from low to high.", examples=[[2, 8]])
    choice: Annotated[list[Setting], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="One of the values listed.", examples=[[16, 24, 32]])


class SearchPart(Part):
    """What a search may change, within which bounds."""

    space: Annotated[dict[str, RangePart], Field(min_length=1, max_length=MAX_DIMENSIONS)] = Field(
        description="Settings of the task that may vary (ppo.*, reward.*, env.*; see 'vbotd tasks NAME'), each with"
        " the values it may take.",
        examples=[{"ppo.learning_rate": {"log": [1e-4, 1e-3]}}])


class WarmStartPart(Part):
    """Where a stage gets its first weights from."""

    from_: Label = Field(alias="from", description="An earlier stage; its champion's weights are taken.",
                         examples=["near"])
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Factor on the learning rate. Left out: the curriculum skill's own.", examples=[0.4])


class StagePart(Part):
    """One stage of a curriculum."""

    name: Label = Field(description="The stage's name, once in a file.", examples=["near"])
    task: Label | None = Field(
        default=None,
        description="The task of this stage. Left out: the campaign's.", examples=["vbot_navigation_section001"])
    env: Settings = Field(default={}, description="Fixed options of the task in this stage.",
                          examples=[{"spawn_radius_m": [2, 5]}])
    ppo: Settings = Field(default={}, description="Fixed settings of PPO in this stage.", examples=[{"gamma": 0.99}])
    reward: Settings = Field(default={}, description="Fixed weights of reward terms in this stage.",
                             examples=[{"alive": 0.5}])
    gate: dict[str, GateText] = Field(default={}, description="The bars to pass before the next stage begins.",
                                      examples=[{"eval/success_rate": ">= 0.9"}])
    env_steps: Annotated[int, Field(ge=1, le=LARGEST_COUNT), WHOLE] | None = Field(
        default=None, description="Env steps of the stage. Left out: train.env_steps.", examples=[5_000_000])
    warm_start: WarmStartPart | None = Field(
        default=None, description="Start from an earlier stage's weights. Left out: from scratch.",
        examples=[{"from": "near", "learning_rate": 0.4}])


class SchedulePart(Part):
    """When the campaign starts: exactly one of the three, in the daemon's own time zone. Left out: at once."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    cron: Annotated[str, AfterValidator(_in_words(checked_cron)),
                    Field(json_schema_extra={"x-words": "five fields: minute hour day month weekday"})] | None = Field(
        default=None,
        description="Minute, hour, day, month, weekday. Weekdays by name: schedulers disagree on the numbers.",
        examples=["0 1 * * mon-fri"])
    at: Annotated[str, AfterValidator(_in_words(moment_of)),
                  Field(json_schema_extra={"x-words": "YYYY-MM-DD HH:MM"})] | None = Field(
        default=None, description="Once, at this date and time.", examples=["2026-11-24 01:00"])
    every: Annotated[str, AfterValidator(_in_words(seconds_of)),
                     Field(json_schema_extra={"x-words": "a number and s, m, h or d"})] | None = Field(
        default=None, description="Again and again, this long after the last start (1m to 366d).", examples=["6h"])


class CampaignFile(Part):
    """A campaign: what to train, how to search, what it may cost, when it is good enough."""

    version: Literal[1] = Field(description="The version of this grammar.", examples=[1])
    name: Label = Field(description="A label for reports; it need not be unique.", examples=["flat-night"])
    task: Label | None = Field(
        default=None, description="The task to train, from 'vbotd tasks'. Left out: the last stage's task.",
        examples=["vbot_navigation_section001"])
    skills: list[SkillEntry] | None = Field(
        default=None,
        description="Skills to ask, in this order; each a name, or a name with its options. Left out: hp-search"
        " where there is something to search, curriculum where there are stages.",
        examples=[["hp-search", {"vlm-capture": {}}]])
    budget: BudgetPart = Field(default=BudgetPart(), description="What the campaign may spend.",
                               examples=[{"hours": 8, "trials": 27}])
    deadline: Annotated[str, AfterValidator(_in_words(time_of_day)),
                        Field(json_schema_extra={"x-words": "HH:MM"})] | None = Field(
        default=None, description="The time of day by which it is over. Left out: none.", examples=["07:30"])
    train: TrainPart = Field(default=TrainPart(), description="How one trial is trained.",
                             examples=[{"env_steps": 20_000_000}])
    evaluate: EvaluatePart = Field(default=EvaluatePart(), description="How a trial is judged.",
                                   examples=[{"episodes": 256}])
    env: Settings = Field(default={}, description="Fixed options of the task, for every trial.",
                          examples=[{"spawn_radius_m": [2, 5]}])
    ppo: Settings = Field(default={}, description="Fixed settings of PPO, for every trial.", examples=[{"gamma": 0.99}])
    reward: Settings = Field(default={}, description="Fixed weights of reward terms, for every trial.",
                             examples=[{"alive": 0.5}])
    search: SearchPart | None = Field(
        default=None,
        description="What a search may change. Left out: nothing, every trial repeats the fixed settings.",
        examples=[{"space": {"ppo.learning_rate": {"log": [1e-4, 1e-3]}}}])
    gate: dict[str, GateText] = Field(
        default={},
        description="Bars on metrics of held-out episodes; the campaign has reached its aim when the unlucky end"
        " of the 95 % interval passes all of them.",
        examples=[{"eval/success_rate": ">= 0.95"}])
    stages: Annotated[list[StagePart], Field(max_length=64)] = Field(
        default=[], description="A curriculum: the stages in their order.",
        examples=[[{"name": "near", "task": "vbot_navigation_section001"}]])
    allow: Annotated[list[Finding], Field(max_length=64)] = Field(
        default=[], description="Findings of the health rules to overrule, by name.", examples=[["reward-budget"]])
    schedule: SchedulePart | None = Field(
        default=None, description="When it starts. Left out: at once.", examples=[{"cron": "0 1 * * mon-fri"}])
    note: Annotated[str, Field(max_length=2000)] = Field(
        default="", description="A remark for the report.", examples=["after the friction change"])
