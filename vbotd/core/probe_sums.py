"""What did the probes of an audit earn? The numbers that the rules of the reward budget look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HONEST = ("walk", "brisk", "follow")
RELIABLE_RATE = 0.5  # success of the reference from which it is taken for what the task is worth
USEFUL_RATE = 0.1  # success below which the reference is no measure of ending well
MIN_TERM_SHARE = 0.02  # of what a probe earns; smaller payers are not named


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSums:
    """What one probe earned, means over its episodes; every number includes how the episode ended.

    `discounted` counts from the start, `at_goal` from the moment at the edge of the goal (None: it never came
    there). `flow` is reward per second without one-time events: `far` from the goal, `near` it (outside of it), and
    while it has to `wait`, in the first seconds that it stands; where the probe never was is missing.
    """

    name: str
    length_s: float
    total: float
    discounted: float
    terms: Mapping[str, float] = field(default_factory=dict)  # sum of each over an episode
    terms_discounted: Mapping[str, float] = field(default_factory=dict)  # same, discounted from the start
    terms_first_half: Mapping[str, float] = field(default_factory=dict)  # what each adds to `first_half`
    terms_at_goal: Mapping[str, float] = field(default_factory=dict)  # same, to `at_goal`; empty where that is None
    terms_flow: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by zone, what each adds to `flow`
    first_half: float = 0.0  # part of the total that fell into the first half of a full episode
    at_goal: float | None = None
    flow: Mapping[str, float] = field(default_factory=dict)
    success_rate: float = 0.0
    fall_rate: float = 0.0
    goal_s: float | None = None  # when the goal was first reached; None: never

    @property
    def rate(self) -> float:
        """Reward per second over episodes that follow each other, ended ones included."""
        return self.total / max(self.length_s, 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the rules look at: the weights as declared, the clock, the discount, and the probes."""

    episode_s: float
    control_dt_s: float
    gamma: float
    weights: Mapping[str, float]
    probes: Mapping[str, ProbeSums]

    @property
    def reference(self) -> ProbeSums | None:
        """The honest probe that succeeds most, then earns most per second; None where there is none."""
        honest = [self.probes[name] for name in HONEST if name in self.probes]
        return max(honest, key=lambda p: (round(p.success_rate, 1), p.rate), default=None)

    @property
    def is_reliable(self) -> bool:
        """Say whether the reference does the task; on ground where it stumbles, ratios to it prove little."""
        return self.reference is not None and self.reference.success_rate >= RELIABLE_RATE

    @property
    def finisher(self) -> ProbeSums | None:
        """The reference, where it does the task now and then; None where nobody here ends well."""
        ref = self.reference
        return ref if ref is not None and ref.success_rate >= USEFUL_RATE else None

    @property
    def fall(self) -> float:
        """What a fall costs, as declared; at most 0."""
        return min(self.weights.get("fall_event", 0.0), 0.0)

    def of(self, names: Sequence[str]) -> list[ProbeSums]:
        """Return those of the named probes that were run."""
        return [self.probes[name] for name in names if name in self.probes]


def payers(probe: ProbeSums, count: int = 3) -> str:
    """Return the terms that pay a probe most, with their sums over an episode."""
    least = MIN_TERM_SHARE * sum(abs(value) for value in probe.terms.values())
    paid = sorted(((value, name) for name, value in probe.terms.items() if value > least), reverse=True)[:count]
    return ", ".join(f"{name} {num(value)}" for value, name in paid) or "no term"


def costs(probe: ProbeSums, count: int = 3) -> str:
    """Return the terms that cost a probe most, with their sums over an episode."""
    paid = sorted((value, name) for name, value in probe.terms.items() if value < 0)[:count]
    return ", ".join(f"{name} {num(value)}" for value, name in paid) or "no term"


def ratio(value: float, reference: float) -> float:
    """Return value / reference where both are worth something; else 0 or infinity, by which one is more."""
    if reference > 0:
        return value / reference
    return float("inf") if value >= reference else 0.0


def num(value: float) -> str:
    """Return a sum of reward as people read it: whole from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
