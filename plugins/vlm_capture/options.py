"""The block `vlm-capture:` of a campaign."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Camera = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class Options(BaseModel):
    """What is captured, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    capture: Literal["best", "every", "champion"] = Field("best", description=(
        "best: each trial that is the best so far when it has its score, so that the gate judges every champion; "
        "every: each trial after its training; champion: only before the campaign is called a success"))
    episodes: int = Field(3, ge=1, le=16, description="held-out episodes of each capture")
    seconds: float = Field(8.0, ge=1.0, le=300.0, description="at most so much of each episode")
    frames: int = Field(4, ge=1, le=24, description="moments at regular times, besides the physics' events")
    cameras: list[Camera] = Field(["track", "side", "top"], min_length=1, max_length=6, description=(
        "of each moment; the first one films. There are track, side, top, overview and free"))
    film: bool = Field(True, description="also a clip; without it a capture is much faster")
    look: bool = Field(True, description=(
        "ask the vision model of vbotd.yaml about each capture; its opinion is shown with its measured error rate, and "
        "decides nothing"))
