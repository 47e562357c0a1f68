"""The daemon's own configuration, `vbotd.yaml`: what a campaign may never decide for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vbotd.core.yaml_guard import read_tree
from vbotd.errors import VbotdError

WakeOn = Literal["campaign_closed", "trial_judged", "run_ended", "finding", "trouble"]


class ConfigError(VbotdError):
    """The configuration cannot be used; every problem is in the message."""


class ModelConfig(BaseModel):
    """The model that may be asked for an opinion. Its key is never written here, only the variable that holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = Field(pattern=r"^https?://[^\s@]+$",
                          description="base URL of an OpenAI-compatible endpoint, as in https://host/v1")
    name: str = Field(min_length=1, max_length=200, description="its name there; one that can see, for pictures")
    key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
                                description="the environment variable that holds the key; default: no key is needed")
    timeout_s: float = Field(default=60.0, gt=0, le=600, description="seconds until an answer is given up")
    api: Literal["chat", "responses"] = Field(default="chat", description="the protocol that `vbotd agent` speaks")
    sees: bool = Field(default=False, description="whether `vbotd agent` shows it pictures, too")


class AgentsConfig(BaseModel):
    """What agents may do by themselves; all else waits for a person, who finds it under "What needs you"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: float = Field(default=12.0, gt=0, le=10_000, description="the most hours of a campaign that an agent starts")
    trials: int = Field(default=60, ge=1, le=10_000, description="the most trials of such a campaign")
    open: int = Field(default=2, ge=0, le=100, description="how many of them may be open at once; 0: none")
    may: list[Literal["pause", "resume", "cancel", "amend"]] = Field(
        default=[], description="what they may do to campaigns of people, too")
    goal: str = Field(default="", max_length=4000, description="what `vbotd agent` is to do, in your words")
    wake: list[WakeOn] = Field(default=[], description="at what the daemon starts `vbotd agent`; default: never")
    wake_gap_min: float = Field(default=10.0, ge=0, le=10_000, description="minutes at least between two such starts")
    turns: int = Field(default=30, ge=1, le=500, description="answers of the model in one session, at most")
    answer_tokens: int = Field(default=2000, ge=50, le=100_000, description="tokens of one answer, at most")
    tokens_per_wake: int = Field(default=400_000, ge=1, le=10**9, description="tokens of one session, in and out")
    tokens_per_day: int = Field(default=2_000_000, ge=1, le=10**10, description="tokens of one day (UTC), in and out")
    usd_per_day: float | None = Field(default=None, gt=0, le=100_000, description=(
        "dollars of one day; needs the two prices"))
    usd_per_million_in: float = Field(default=0.0, ge=0, le=10_000, description="price of a million tokens sent")
    usd_per_million_out: float = Field(default=0.0, ge=0, le=10_000, description="price of a million tokens answered")

    @model_validator(mode="after")
    def _has_prices(self) -> AgentsConfig:
        if self.usd_per_day is not None and not (self.usd_per_million_in and self.usd_per_million_out):
            raise ValueError("usd_per_day needs usd_per_million_in and usd_per_million_out")
        return self


class Config(BaseModel):
    """All keys are optional; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slots: int | None = Field(default=None, ge=1, le=1024, description="CPU cores that runs may use; default: all")
    report_hour: str = Field(default="07:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
                             description="when the morning report is written anew in any case")
    plugins: list[str] | None = Field(default=None, description="plugins that may load; default: every one found")
    block_after: int = Field(default=3, ge=1, description="failures after which a plugin is not asked any more")
    max_attempts: int = Field(default=3, ge=1, le=10,
                              description="starts of a run that was lost (not of one that failed)")
    stop_term_s: float = Field(default=10.0, gt=0, description="seconds from the stop file to SIGTERM")
    stop_kill_s: float = Field(default=20.0, gt=0, description="seconds from the stop file to SIGKILL")
    opinion_s: float = Field(default=5.0, gt=0, description="deadline of a plugin's opinion")
    proposal_s: float = Field(default=60.0, gt=0, description="deadline of a plugin's proposal")
    crash_calm_s: float = Field(default=300.0, ge=0, le=3600, description=(
        "after four deaths in five minutes a daemon only looks on for so many seconds, twice as long after each "
        "further one; 0: never"))
    keep_gb: float = Field(default=20.0, gt=0, le=1_000_000, description=(
        "GiB that runs/ may take; beyond, checkpoints of closed campaigns go that nothing needs, the oldest first"))
    watch: str = Field(default="auto", pattern="^(auto|inotify|polling)$", description="how the inbox is watched")
    fork_server: str = Field(default="auto", pattern="^(auto|always|never)$",
                             description="runs that start as copies of a process with torch loaded: auto (those of the "
                                         "bundled workers), always (a task's own workers, too), never")
    agents: AgentsConfig = Field(default=AgentsConfig(), description="what agents may do by themselves")
    model: ModelConfig | None = Field(default=None, description="who is asked for opinions; default: nobody")

    @property
    def model_key(self) -> str:
        """The name of the variable that holds the model's key, "" where none is needed."""
        return (self.model.key_env or "") if self.model is not None else ""


BLOCKS: Mapping[str, type[BaseModel]] = {"model": ModelConfig, "agents": AgentsConfig}


def parse_config(data: bytes, name: str = "vbotd.yaml") -> Config:
    """Return the configuration in a file's bytes.

    Raises: ConfigError with file:line:column of every problem.
    """
    tree = read_tree(data)
    problems = [problem.render(name) for problem in tree.problems]
    if not problems and tree.value is not None:
        try:
            return Config.model_validate(tree.value)
        except ValidationError as error:
            for item in error.errors():
                line, column = _place(tree.keys, item["loc"])
                allowed = BLOCKS.get(str(item["loc"][0]), Config).model_fields
                problems.append(f"{name}:{line}:{column}: {'.'.join(map(str, item['loc']))}: {item['msg']} "
                                f"(it is {item['input']!r}) — allowed keys: {', '.join(allowed)}")
    if problems:
        raise ConfigError("\n".join(problems))
    return Config()


def _place(keys: Mapping[tuple[str | int, ...], tuple[int, int]], loc: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column of a problem; a key that is missing is at what it is missing from."""
    return next((keys[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in keys), (1, 1))
