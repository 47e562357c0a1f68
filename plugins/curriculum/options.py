"""The block `curriculum:` of a campaign."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """How the ladder is climbed. Everything has a default; the stages themselves stand under `stages:`."""

    model_config = ConfigDict(extra="forbid")

    extensions: int = Field(2, ge=0, le=16, description=(
        "patience: how often a stage that misses its gate is trained on, by its env steps again, before it is stuck"))
    splits: int = Field(3, ge=0, le=8, description=(
        "how often a stuck stage is halved: a stage between it and the last one that was passed"))
    max_drop: float = Field(0.05, gt=0.0, lt=1.0, description=(
        "an earlier stage is forgotten when the success there fell by more than this, for sure"))
    demotions: int = Field(2, ge=0, le=8, description="how often the ladder goes back to a forgotten stage at most")
    rehearse: bool = Field(True, description=(
        "after a stage was forgotten, later ones are trained on ranges that take in its own"))
    learning_rate: float = Field(0.4, ge=0.0, le=1.0, description=(
        "of a warm start: factor on the checkpoint's learning rate; 0: the stage's own. A stage may say otherwise"))
    optimizer: Literal["reset", "keep"] = Field("reset", description="of a warm start: Adam's moments")
    normaliser: Literal["freeze", "keep", "reset"] = Field("freeze", description=(
        "of a warm start; freeze: as it came for the first tenth of the stage, then it learns on"))
    min_action_std: float = Field(0.2, ge=0.0, le=2.0, description=(
        "of a warm start: the least spread of the actions to explore the new stage with"))
