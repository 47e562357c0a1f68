"""What was every probe paid? By term, by time and by place, until its first episode ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vbotd.core.probe_sums import ProbeSums
from vbotd.train.tasks.environment import StepResult

NEAR_M = 2.0  # the zone around the goal that the predecessor's speed penalty once covered
EDGE_M = 0.15  # beyond the reach radius: the edge of the goal
WAIT_S = 2.0  # of standing that are compared with walking


@dataclass(slots=True)
class Ledger:
    """What every environment was paid until its first episode ended, by term, by time and by place."""

    num_envs: int
    gamma: float
    episode_steps: int
    control_dt_s: float
    total: np.ndarray = field(init=False)  # [N]
    discounted: np.ndarray = field(init=False)  # [N]
    first_half: np.ndarray = field(init=False)  # [N]
    at_goal: np.ndarray = field(init=False)  # [N] discounted since the edge of the goal
    goal_discount: np.ndarray = field(init=False)  # [N] 0 before that
    came: np.ndarray = field(init=False)  # [N] bool, it was at the edge of the goal
    steps: np.ndarray = field(init=False)  # [N]
    waited: np.ndarray = field(init=False)  # [N] control steps that the probe has stood
    alive: np.ndarray = field(init=False)  # [N] bool, still in the first episode
    success: np.ndarray = field(init=False)  # [N] bool
    fall: np.ndarray = field(init=False)  # [N] bool
    goal_step: np.ndarray = field(init=False)  # [N] first at the goal; -1 never
    terms: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    terms_discounted: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    terms_first_half: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    terms_at_goal: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    terms_zone_paid: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # by zone; [N] each
    discount: float = 1.0  # of the control step that is being paid
    zone_paid: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each, without events
    zone_steps: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each
    events: np.ndarray = field(init=False)  # [N] what events paid in this control step
    now: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each, what every term pays in this control step
    late: dict[str, np.ndarray] = field(default_factory=dict)  # [N] each, copies of the sums when it got late

    def __post_init__(self) -> None:
        for name in ("total", "discounted", "first_half", "at_goal", "goal_discount", "events"):
            setattr(self, name, np.zeros(self.num_envs))
        self.steps, self.waited = np.zeros((2, self.num_envs), dtype=np.int64)
        self.goal_step = np.full(self.num_envs, -1)
        self.alive = np.ones(self.num_envs, dtype=bool)
        self.success, self.fall, self.came = ~self.alive, ~self.alive, ~self.alive

    def on_paid(self, name: str, paid: np.ndarray) -> None:
        """Take what a term pays in this control step."""
        self.now[name] = paid = np.where(self.alive, paid, 0.0)
        _add(self.terms, name, paid)
        _add(self.terms_discounted, name, self.discount * paid)
        if name.endswith("_event"):
            self.events = self.events + paid

    def close(self, step: int, result: StepResult, distance_m: np.ndarray, reach_m: float, posed: np.ndarray) -> None:
        """Take the whole reward of a control step and the endings; `distance_m` and `posed` [N] are before a reset."""
        paid = np.where(self.alive, result.rewards.astype(float), 0.0)
        self.total += paid
        self.discounted += self.discount * paid
        self.discount *= self.gamma
        self.goal_discount *= self.gamma
        comes = self.alive & ~self.came & (distance_m < reach_m + EDGE_M)
        self.came |= comes
        self.goal_discount[comes] = 1.0
        self.at_goal += self.goal_discount * paid
        if step < self.episode_steps // 2:
            self.first_half += paid
        self.goal_step[(self.goal_step < 0) & self.alive & (distance_m < reach_m)] = step
        zones = {
            "far": distance_m >= NEAR_M,
            "near": (distance_m < NEAR_M) & (distance_m >= reach_m),
            "wait": posed & (self.waited * self.control_dt_s < WAIT_S),
        }
        self.waited += posed
        for zone, inside in zones.items():
            counted = inside & self.alive
            self.zone_paid.setdefault(zone, np.zeros(self.num_envs))[counted] += (paid - self.events)[counted]
            self.zone_steps.setdefault(zone, np.zeros(self.num_envs))[counted] += 1
        self._share_by_term(zones, step < self.episode_steps // 2)
        self.events = np.zeros(self.num_envs)
        self.steps += self.alive
        if result.finished is not None:
            ids = result.finished.env_ids[self.alive[result.finished.env_ids]]
            row = np.isin(result.finished.env_ids, ids)
            self.success[ids] = result.finished.success[row]
        self.fall |= self.alive & result.terminated & ~self.success
        self.alive &= ~(result.terminated | result.timed_out)

    def _share_by_term(self, zones: Mapping[str, np.ndarray], is_first_half: bool) -> None:
        """Split what this control step adds to the half, the goal and the zones by who paid it."""
        for name, paid in self.now.items():
            _add(self.terms_at_goal, name, self.goal_discount * paid)
            if is_first_half:
                _add(self.terms_first_half, name, paid)
            if name.endswith("_event"):
                continue  # a flow is without them
            for zone, inside in zones.items():
                _add(self.terms_zone_paid.setdefault(zone, {}), name, np.where(inside, paid, 0.0))
        self.now = {}

    def mark_late(self) -> None:
        """Remember the sums of this moment: `extend` goes on at the rates from here on."""
        self.late = {"": self.total.copy(), **{name: paid.copy() for name, paid in self.terms.items()}}

    def extend(self, steps_left: int, late_steps: int) -> None:
        """Go on for those still alive as in the `late_steps` control steps since `mark_late`."""
        factor = self.alive * (steps_left / late_steps)
        self.total += factor * (self.total - self.late.get("", self.total))
        for name, paid in self.terms.items():
            self.terms[name] = paid + factor * (paid - self.late.get(name, 0.0))
        self.steps += np.where(self.alive, steps_left, 0)


def _add(sums: dict[str, np.ndarray], name: str, paid: np.ndarray) -> None:
    sums[name] = sums[name] + paid if name in sums else paid.astype(float)


def sums_of(name: str, ledger: Ledger, rows: slice) -> ProbeSums:
    """Return the means of one probe's rows."""
    came, control_dt_s = ledger.came[rows], ledger.control_dt_s
    comes = bool(came.mean() > 0.5)
    goal = ledger.goal_step[rows]
    flow = _flow(ledger, rows)
    return ProbeSums(
        name=name, length_s=float(ledger.steps[rows].mean()) * control_dt_s, total=float(ledger.total[rows].mean()),
        discounted=float(ledger.discounted[rows].mean()), first_half=float(ledger.first_half[rows].mean()),
        terms={term: float(paid[rows].mean()) for term, paid in ledger.terms.items()},
        terms_discounted={term: float(paid[rows].mean()) for term, paid in ledger.terms_discounted.items()},
        terms_first_half={term: float(paid[rows].mean()) for term, paid in ledger.terms_first_half.items()},
        at_goal=float(ledger.at_goal[rows][came].mean()) if comes else None,
        terms_at_goal={term: float(paid[rows][came].mean()) for term, paid in ledger.terms_at_goal.items() if comes},
        flow=flow, terms_flow={
            zone: {term: float(paid[rows].sum()) / _seconds(ledger, zone, rows)
                   for term, paid in ledger.terms_zone_paid.get(zone, {}).items()} for zone in flow},
        success_rate=float(ledger.success[rows].mean()),
        fall_rate=float(ledger.fall[rows].mean()),
        goal_s=float((goal[goal >= 0] + 1).mean()) * control_dt_s if (goal >= 0).mean() > 0.5 else None)  # fmt: skip


def _flow(ledger: Ledger, rows: slice) -> dict[str, float]:
    """Return reward per second without events in each zone where a probe spent at least half a second an episode."""
    flow: dict[str, float] = {}
    for zone, paid in ledger.zone_paid.items():
        seconds = _seconds(ledger, zone, rows)
        if seconds > 0.5 * (rows.stop - rows.start):
            flow[zone] = float(paid[rows].sum()) / seconds
    return flow


def _seconds(ledger: Ledger, zone: str, rows: slice) -> float:
    return float(ledger.zone_steps[zone][rows].sum()) * ledger.control_dt_s
