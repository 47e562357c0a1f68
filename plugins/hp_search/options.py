"""The block `hp-search:` of a campaign."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .constraints import parse_constraint

Sampler = Literal["auto", "tpe", "random", "grid", "gp", "cmaes"]
Strategy = Literal["auto", "plain", "halving"]
Value = bool | int | float | str
REPORT_SEEDS = 2  # fresh seeds at the top, unless said otherwise: one halves the lie of a report, five prove
REPORT_SEEDS_THAT_TELL = 6  # with as many pairs a difference of two spreads is found in eight nights of ten
MOST_SEEDS = 20


class Options(BaseModel):
    """How the search moves. Everything has a default that suits a night of 10 to 60 trials."""

    model_config = ConfigDict(extra="forbid")

    sampler: Sampler = Field("auto", description=(
        "auto: by how much is known and how many settings vary; tpe: learns from some 10 trials on, any kind of "
        "dimension; gp: best for few, noisy trials and up to 10 dimensions, slower; cmaes: many cheap trials of two or "
        "more numbers; random; grid: every combination once"))
    startup_trials: int | None = Field(None, ge=1, le=1000, description=(
        "scored trials before the sampler learns from them, spread evenly over the space until then; by default a "
        "third of the budget, 4 to 10"))
    seed: int = Field(1, ge=0, description="another seed gives another search; the same one gives the same")
    grid_points: int = Field(5, ge=2, le=100, description="grid: values tried of a range, its ends included")
    first: list[dict[str, Value]] = Field(default_factory=list, max_length=100, description=(
        "settings to try first, after the task's defaults; a key that is left out takes the task's default"))
    presets: list[str] = Field(default_factory=list, max_length=20, description=(
        "presets of the task to try first, by name ('vbotd new --list-presets'); what the space searches is taken"))
    from_history: int = Field(2, ge=0, le=20, description=(
        "settings of earlier campaigns of the task to try again, the best first, where they fit the space"))
    constraints: list[str] = Field(default_factory=list, max_length=50, description=(
        "what settings have to keep to among each other, such as 'ppo.minibatches <= 2 * ppo.epochs' or "
        "'reward.fall_event < -1'"))
    strategy: Strategy = Field("auto", description=(
        "halving: all trials train a part of the way, the best third goes on from its checkpoint, and the best third "
        "of those to the end; plain: every trial trains to the end; auto: halving from 9 trials on"))
    eta: int = Field(3, ge=2, le=10, description="halving: one of so many goes on to the next rung")
    rungs: int = Field(3, ge=2, le=5, description=(
        "halving: rungs with the last; with 3 and eta 3 they are a ninth, a third, and all of train.env_steps"))
    confirm_seeds: int | None = Field(None, ge=0, le=MOST_SEEDS, description=(
        "fresh seeds that the best trial and the baseline train with at the end, so that what is reported did not "
        "choose; by default 2 with halving, as far as the budget allows, and none without"))
    share: float = Field(0.5, gt=0.0, le=1.0, description=(
        "share of the budget that the search takes at most where a curriculum climbs after it; it then searches on the "
        "first stage"))
    confirm_most: int = Field(REPORT_SEEDS_THAT_TELL, ge=0, le=MOST_SEEDS, description=(
        "fresh seeds in all: after the first, if they are two or more, winner and baseline train with further ones "
        "while the budget pays and the verdict says that they can settle it; fewer than 5 never prove a difference"))
    audit_share: float = Field(0.05, ge=0.0, le=0.5, description=(
        "halving: share of the trials left behind that train to the end all the same, to learn what leaving costs"))

    @field_validator("constraints")
    @classmethod
    def _readable(cls, texts: list[str]) -> list[str]:
        for text in texts:
            parse_constraint(text)
        return texts

    def startup(self, budget: int) -> int:
        """Return how many scored trials are gathered before a sampler learns, for a budget of so many trials."""
        return self.startup_trials if self.startup_trials is not None else min(10, max(4, budget // 3))
