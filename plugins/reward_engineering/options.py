"""The block `reward-engineering:` of a campaign."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """How rewards are put to the test. The defaults suit a night on one machine."""

    model_config = ConfigDict(extra="forbid")

    env_steps: int | None = Field(None, ge=1, description=(
        "env steps of a test; by default the campaign's own, so that a test is as long as a training"))
    seeds: int = Field(3, ge=2, le=16, description=(
        "pairs of seeds that a promising change is tested on; the first seed decides whether it is worth them"))
    most_seeds: int = Field(5, ge=2, le=32, description="pairs at most, where the first ones contradict each other")
    gain: float = Field(0.05, gt=0.0, le=1.0, description=(
        "how much better the task's metric must get for a change to count, in its own unit"))
    good_enough: float = Field(0.9, gt=0.0, description=(
        "the task's metric at which nothing is to be healed any more; a gate on that metric counts instead"))
    ask_model: bool = Field(True, description=(
        "where vbotd.yaml has a model: ask it for changes, too; its ideas are tested like all others"))
    most_changes: int = Field(8, ge=1, le=100, description="changes that are tested at most")
