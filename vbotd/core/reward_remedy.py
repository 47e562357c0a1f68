"""Which change of one weight would heal what an audit found? Computed: what a probe earns is linear in the weights.

The behaviours of the probes do not change with the reward, so a changed weight needs no simulation: what its term paid
is scaled, and the rules of the budget look again. A policy may still find what no probe does; training tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from vbotd.core.probe_sums import Measured, ProbeSums, num, ratio
from vbotd.core.reward_budget import CRASHES, check
from vbotd.domain.finding import Finding

RULE = "remedy"
FACTORS = (0.5, 2.0, 0.1, 10.0, 0.01, 100.0, 0.001)  # steps that a person would try, too
MOST = 5  # remedies that are told

Bounds = Mapping[str, tuple[float | None, float | None]]  # by term; None: unbounded on that side


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One weight times one factor: which errors it heals, leaves and brings, and how far doing the task then leads.

    `doubts` are the warnings that are left, such as robots that reach the goal and are paid more for not finishing.
    `lead` is what the reference earns, over what the best cheat does: per second, per episode and from the edge of
    the goal, the least of the three; above 1 nothing that was probed pays as well as doing the task.
    """

    term: str
    before: float
    after: float
    heals: tuple[str, ...]
    leaves: tuple[str, ...]
    brings: tuple[str, ...]
    doubts: tuple[str, ...]
    lead: float

    @property
    def factor(self) -> float:
        """What the weight is multiplied by."""
        return self.after / self.before

    def finding(self) -> Finding:
        """Return it as an audit tells it; `value` is the new weight, and the rule ends in the term's name."""
        left = f", and leave {', '.join(self.leaves)}" if self.leaves else ""
        left += f", and bring {', '.join(self.brings)}" if self.brings else ""
        left += f", with a warning of {', '.join(self.doubts)}" if self.doubts else ""
        return Finding(
            rule=f"{RULE}/{self.term}"[:64], level="info", value=self.after, tag=f"reward.{self.term}",
            message=f"{self.term} {self.before:g} → {self.after:g} alone would heal {', '.join(self.heals)}{left}; by "
                    f"the probes' sums doing the task then earns {num(self.lead)} times what the best cheat does",
            fix=f"set reward.{self.term} to {self.after:g}")  # fmt: skip


def remedies(measured: Measured, bounds: Bounds) -> tuple[Remedy, ...]:
    """Return the changes of one weight after which there are fewer errors, the best first.

    The best has the fewest errors, then the fewest warnings, then pays less rather than more (to outbid a cheat makes
    values large), then leads, then is the smallest change; where none leads, the one that comes nearest. One a term.
    """
    errors, _ = _troubles(measured)
    if not errors:
        return ()
    found = sorted(_healing(measured, bounds, errors), key=_worth)
    first_of_term: dict[str, Remedy] = {}
    for remedy in found:
        first_of_term.setdefault(remedy.term, remedy)
    return tuple(first_of_term.values())[:MOST]


def _healing(measured: Measured, bounds: Bounds, errors: frozenset[str]) -> Iterator[Remedy]:
    for term, weight in measured.weights.items():
        low, high = bounds.get(term, (None, None))
        for factor in FACTORS if weight else ():
            after = float(f"{weight * factor:.6g}")
            if (low is not None and after < low) or (high is not None and after > high):
                continue
            changed = reweighted(measured, term, after)
            now, doubts = _troubles(changed)
            if len(now) < len(errors):
                yield Remedy(
                    term=term, before=weight, after=after, heals=tuple(sorted(errors - now)),
                    leaves=tuple(sorted(errors & now)), brings=tuple(sorted(now - errors)),
                    doubts=tuple(sorted(doubts)), lead=lead(changed))


def _worth(remedy: Remedy) -> tuple[int, int, bool, bool, float, float]:
    errors = len(remedy.leaves) + len(remedy.brings)
    leads = remedy.lead > 1.0
    size = abs(math.log(remedy.factor)) if leads else 0.0
    return errors, len(remedy.doubts), remedy.factor > 1.0, not leads, size, -remedy.lead


def reweighted(measured: Measured, term: str, weight: float) -> Measured:
    """Return what the same probes would have earned with another weight of one term, which was not 0."""
    more = weight / measured.weights[term] - 1.0
    return replace(measured, weights={**measured.weights, term: weight},
                   probes={name: _scaled(probe, term, more) for name, probe in measured.probes.items()})  # fmt: skip


def _scaled(probe: ProbeSums, term: str, more: float) -> ProbeSums:
    """Return a probe's sums with what a term paid `1 + more` times as large."""

    def add(value: float, terms: Mapping[str, float]) -> float:
        return value + more * terms.get(term, 0.0)

    def grown(terms: Mapping[str, float]) -> dict[str, float]:
        return {name: paid * (1.0 + more) if name == term else paid for name, paid in terms.items()}

    return replace(
        probe, total=add(probe.total, probe.terms), terms=grown(probe.terms),
        discounted=add(probe.discounted, probe.terms_discounted), terms_discounted=grown(probe.terms_discounted),
        first_half=add(probe.first_half, probe.terms_first_half), terms_first_half=grown(probe.terms_first_half),
        at_goal=None if probe.at_goal is None else add(probe.at_goal, probe.terms_at_goal),
        terms_at_goal=grown(probe.terms_at_goal),
        flow={zone: add(flow, probe.terms_flow.get(zone, {})) for zone, flow in probe.flow.items()},
        terms_flow={zone: grown(terms) for zone, terms in probe.terms_flow.items()})  # fmt: skip


def lead(measured: Measured) -> float:
    """Return how far doing the task leads the best probe that does not: the least of three ratios, 0 without one."""
    ref = measured.finisher
    cheats = [p for p in measured.probes.values() if ref is not None and p.success_rate < 0.5 * ref.success_rate]
    if ref is None or not cheats:
        return 0.0
    leads = [_lead_over(ref, cheat) for cheat in cheats]
    return min(leads)


def _lead_over(ref: ProbeSums, cheat: ProbeSums) -> float:
    """Return the careful lead: a cheat that lasts is compared from the edge of the goal too, one that falls by rate."""
    by_rate = ratio(ref.rate, cheat.rate) if cheat.rate > 0 else math.inf
    if cheat.name in CRASHES:
        return by_rate
    by_sum = ratio(ref.total, cheat.total) if cheat.total > 0 else math.inf
    if cheat.at_goal is None or ref.at_goal is None or cheat.at_goal <= 0:
        return max(by_sum, by_rate)
    return min(max(by_sum, by_rate), ratio(ref.at_goal, cheat.at_goal))


def _troubles(measured: Measured) -> tuple[frozenset[str], frozenset[str]]:
    """Return the rules of the budget that find an error, and those that warn."""
    found = check(measured)
    return (frozenset(finding.rule for finding in found if finding.level == "error"),
            frozenset(finding.rule for finding in found if finding.level == "warning"))
