"""Does what came with a warm start survive the first updates? Frozen input at first, and episodes before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from vbotd.core import transfer as rule
from vbotd.domain.finding import Finding
from vbotd.domain.trial import WarmStart
from vbotd.train.ppo import Ppo

# The accounts of the check's episodes by name, each a list of numbers 0-1: row i is instance i.
Sample = Mapping[str, Sequence[float]]
Play = Callable[[Mapping[str, Any]], Sample]  # from settings, by key, to what became of the episodes


class Begun(Protocol):
    """What the check needs of a training."""

    ppo: Ppo
    env_steps: int
    total_env_steps: int


@dataclass(slots=True, kw_only=True)
class Transfer:
    """The rest of a warm start, done while the run goes on. Part of a checkpoint, all but `play`."""

    warm: WarmStart
    rate: float  # the first learning rate, which a linear schedule starts from
    params: Mapping[str, Any]  # what the episodes of the check are played at
    play: Play | None = None  # None: no check
    before: Sample | None = None  # None: not measured yet
    now: Sample | None = None  # what the check saw; None before it
    checked: bool = False
    finding: Finding | None = None

    def begin(self, training: Begun) -> None:
        """Freeze or thaw the normaliser for the next iteration; before the first one, play the episodes."""
        frozen = self.warm.normaliser == "freeze"
        share = training.env_steps / training.total_env_steps
        training.ppo.normaliser.frozen = frozen and share < self.warm.freeze_rate
        if self.play is not None and self.before is None and not self.checked:
            self.before = self.play(self.params)

    def verdict(self, training: Begun) -> str:
        """Return why the run is to end after this iteration, "" to go on. Plays the episodes again, once, when due.

        Due: at the last iteration that ends within 5 % of the run, or else at the first.
        """
        if self.play is None or self.before is None or self.checked:
            return ""
        samples = training.ppo.rollout.num_samples
        if training.env_steps + samples <= rule.CHECK_RATE * training.total_env_steps:
            return ""
        self.checked = True
        self.now = self.play(self.params)
        self.finding = rule.poisoned(self.before, self.now, training.env_steps)
        return f"{self.finding.rule}: {self.finding.message}" if self.finding else ""

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the means of what the check's episodes measured, before the first update and when it was due."""
        return {when: {name: sum(values) / len(values) for name, values in sample.items()}
                for when, sample in (("before", self.before), ("now", self.now)) if sample}  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        params = {key: list(value) if isinstance(value, tuple) else value for key, value in self.params.items()}
        before = None if self.before is None else {name: list(values) for name, values in self.before.items()}
        return {"warm": asdict(self.warm), "rate": self.rate, "params": params, "before": before,
                "checked": self.checked}  # fmt: skip
