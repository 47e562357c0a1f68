"""How far does a live run say it is? Known from its `heartbeat.json`, never written to the store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How far a live run says it is. `success_rate` is over training episodes that ended lately, None before any."""

    run: str
    phase: str = ""
    env_steps: int = 0
    total_env_steps: int = 0
    env_steps_per_s: float = 0.0
    success_rate: float | None = None
    at: float = 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at the present rate, None where there is no rate yet."""
        if self.env_steps_per_s <= 0:
            return None
        return max(0, self.total_env_steps - self.env_steps) / self.env_steps_per_s
