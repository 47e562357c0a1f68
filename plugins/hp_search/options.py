"""The block `hp-search:` of a campaign."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Sampler = Literal["tpe", "random", "grid", "gp", "cmaes"]
Value = bool | int | float | str


class Options(BaseModel):
    """How the search moves. Everything has a default that suits a night of 10 to 60 trials."""

    model_config = ConfigDict(extra="forbid")

    sampler: Sampler = Field("tpe", description=(
        "tpe: learns from some 10 trials on, any kind of dimension; gp: best for few, noisy trials and up to 10 "
        "dimensions, slower; cmaes: many cheap trials of two or more numbers; random; grid: every combination once"))
    startup_trials: int | None = Field(None, ge=1, le=1000, description=(
        "scored trials before the sampler learns from them, random until then; by default a third of the budget, "
        "4 to 10"))
    seed: int = Field(1, ge=0, description="another seed gives another search; the same one gives the same")
    grid_points: int = Field(5, ge=2, le=100, description="grid: values tried of a range, its ends included")
    first: list[dict[str, Value]] = Field(default_factory=list, max_length=100, description=(
        "settings to try first, after the task's defaults; a key that is left out takes the task's default"))

    def startup(self, budget: int) -> int:
        """Return how many scored trials are gathered at random, for a budget of so many trials."""
        return self.startup_trials if self.startup_trials is not None else min(10, max(4, budget // 3))
