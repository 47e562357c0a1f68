"""What does the robot do instead of its task? Rules on signals, each for one behaviour with the numbers that show it.

"The reward is low" is no diagnosis: every rule here names something that a person would see in a film. The signatures
are those of the predecessor's exploits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vbotd.domain.finding import Finding
from vbotd.domain.metric import Measurement

from .signals import AWAY, CHATTER, CLOCK, FALLS, LENGTH, REACHED, RETURN, Signals, Trend

BEGUN = 0.2  # of the training; before, anything may happen
MOSTLY = 0.6  # of the episodes
GAP = 0.3  # between rates that should be near each other
RISES = 0.3  # Kendall's tau
DONE = 0.5  # of the episodes succeed: then it is no longer something else that the robot does

# Findings of others that name a behaviour, by the end of their rule.
NAMED = {"paid-to-live": "lazy", "reward-without-success": "lazy", **{name: name for name in (
    "lazy", "hover", "farm", "fly-through", "touch-and-die", "sprint-crash", "crash", "gaming", "statue", "chatter")}}
MANNERS = ("chatter",)  # how it moves; whether it does its task comes first
# What the kinematic gate calls a robot's motion, as the share of a capture's episodes.
GAITS = {"gait/drags": "drag", "gait/limps": "drag", "gait/lies": "lie"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One behaviour, and the numbers that show it, in words. `stops`: going on with the training is no use."""

    behaviour: str
    evidence: str
    stops: bool = False


Rule = Callable[[Signals], Diagnosis | None]


def diagnose(signals: Signals, findings: Sequence[Finding] = ()) -> tuple[Diagnosis, ...]:
    """Return what is wrong with the robots, the surest first; nothing where they do their task."""
    own = [found for rule in RULES if (found := rule(signals)) is not None]
    told = [Diagnosis(behaviour=NAMED[name], evidence=f"{finding.rule}: {finding.message}")
            for finding in findings if (name := finding.rule.rpartition("/")[2]) in NAMED and finding.level != "info"
            and not finding.rule.startswith("reward-budget/")]
    return gravest_first([*own, *told])


def gravest_first(found: Sequence[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Return each behaviour once, as it was seen first; how it moves comes after what it does not do."""
    once: dict[str, Diagnosis] = {}
    for each in found:
        once.setdefault(each.behaviour, each)
    return tuple(sorted(once.values(), key=lambda each: each.behaviour in MANNERS))


def from_gait(metrics: Mapping[str, Measurement]) -> tuple[Diagnosis, ...]:
    """Return what a capture's kinematic gate saw in half of its episodes or more."""
    seen = [(tag, behaviour, metrics[tag].value) for tag, behaviour in GAITS.items() if tag in metrics]
    return tuple(Diagnosis(behaviour=behaviour, evidence=f"{tag} in {_percent(share)} of the filmed episodes")
                 for tag, behaviour, share in seen if share >= DONE)


def lazy(s: Signals) -> Diagnosis | None:
    """It lives long and arrives nowhere, and is paid more and more for that."""
    paid, clock, score = s.trends.get(RETURN), s.trends.get(CLOCK), s.trends.get(s.score)
    if paid is None or clock is None or score is None or _too_early(s) or score.late > DONE:
        return None
    away = s.trends.get(AWAY)
    comes_near = away is not None and away.late < 0.6 * away.early
    if clock.late < MOSTLY or not _rose(paid) or score.late > score.early + 0.05 or score.tau > RISES or comes_near:
        return None
    where = f", {_than(away)} m from the goal at the end" if away is not None else ""
    return Diagnosis(behaviour="lazy", stops=_is_settled(clock), evidence=(
        f"the return went from {paid.early:,.4g} to {paid.late:,.4g} and {s.score} from {_percent(score.early)} to "
        f"{_percent(score.late)}; {_percent(clock.late)} of the episodes last to the clock{where}"))


def hover(s: Signals) -> Diagnosis | None:
    """It comes near and stops short of the goal."""
    clock, away, reached = s.trends.get(CLOCK), s.trends.get(AWAY), s.late(REACHED)
    if clock is None or away is None or _does_it(s) or _too_early(s) or away.late > 0.6 * away.early:
        return None
    if clock.late < MOSTLY or (reached is not None and reached > GAP) or abs(away.tau) > RISES:
        return None
    return Diagnosis(behaviour="hover", stops=_is_settled(clock), evidence=(
        f"it comes from {away.early:.2g} to {away.late:.2g} m and stays there: {_percent(clock.late)} of the episodes "
        "last to the clock" + (f", {_percent(reached)} reach the goal" if reached is not None else "")))


def stays_without_finishing(s: Signals) -> Diagnosis | None:
    """It reaches the goal and does not finish there: it farms what is paid in it, or it passes through."""
    reached, clock, falls, score = (s.trends.get(tag) for tag in (REACHED, CLOCK, FALLS, s.score))
    if reached is None or clock is None or falls is None or score is None or _too_early(s):
        return None
    if reached.late - score.late < GAP or falls.late > 0.5 * reached.late or score.tau > RISES:
        return None
    away = s.trends.get(AWAY)
    stays = away is None or away.late < 0.6 * away.early
    return Diagnosis(behaviour="farm" if stays else "fly-through", evidence=(
        f"{_percent(reached.late)} of the episodes reach the goal and {_percent(score.late)} succeed; "
        f"{_percent(clock.late)} last to the clock" + (f", {_than(away)} m from it at the end" if away else "")))


def touch_and_die(s: Signals) -> Diagnosis | None:
    """It touches the goal and falls."""
    reached, falls, score = (s.trends.get(tag) for tag in (REACHED, FALLS, s.score))
    if reached is None or falls is None or score is None or _too_early(s) or reached.late < GAP:
        return None
    if reached.late - score.late < GAP or falls.late <= 0.5 * reached.late or score.tau > RISES:
        return None
    return Diagnosis(behaviour="touch-and-die", evidence=(
        f"{_percent(reached.late)} of the episodes reach the goal, {_percent(score.late)} succeed and "
        f"{_percent(falls.late)} end in a fall"))


def sprint_crash(s: Signals) -> Diagnosis | None:
    """It is paid for speed, runs, and falls; then it begins anew."""
    lived, falls = s.trends.get(LENGTH), s.trends.get(FALLS)
    if lived is None or falls is None or _does_it(s) or _too_early(s):
        return None
    faster = [term for term, paid in s.pay.items() if ("velocity" in term or "progress" in term)
              and not term.endswith("_cost") and paid.late > 0 and paid.late > 1.5 * max(paid.early, 0.0)]
    if lived.late > 0.6 * lived.high or falls.late < MOSTLY or falls.late - falls.low < GAP or not faster:
        return None
    return Diagnosis(behaviour="sprint-crash", stops=not _gets_there(s), evidence=(
        f"episodes shrank from {lived.high:.3g} to {lived.late:.3g} s and {_percent(falls.late)} end in a fall, while "
        f"{faster[0]} pays {s.paid(faster[0]):.3g} a second"))


def crash(s: Signals) -> Diagnosis | None:
    """It falls at once, as if that were the aim."""
    lived, falls = s.trends.get(LENGTH), s.trends.get(FALLS)
    if lived is None or falls is None or s.progress < GAP:
        return None
    if falls.late < 0.9 or lived.late > 0.15 * s.episode_s or lived.tau > RISES:
        return None
    return Diagnosis(behaviour="crash", stops=True, evidence=(
        f"{_percent(falls.late)} of the episodes end in a fall, after {lived.late:.2g} of {s.episode_s:g} s, and that "
        "gets no better"))


def statue(s: Signals) -> Diagnosis | None:
    """It stands from the start, since moving costs more than it pays."""
    clock, score = s.trends.get(CLOCK), s.trends.get(s.score)
    gains = sum(paid.late for term, paid in s.pay.items() if paid.late > 0 and _is_for_moving(term))
    costs = -sum(paid.late for term, paid in s.pay.items() if paid.late < 0 and term.endswith("_cost"))
    if clock is None or score is None or s.progress < GAP or not s.pay:
        return None
    if clock.late < MOSTLY or score.late > 0.1 or score.tau > RISES or gains > costs:
        return None
    return Diagnosis(behaviour="statue", evidence=(
        f"{_percent(clock.late)} of the episodes last to the clock and {_percent(score.late)} succeed; what moving "
        f"pays is {gains:.3g} a second, what everything costs {costs:.3g}"))


def chatter(s: Signals) -> Diagnosis | None:
    """Its legs vibrate faster than any gait."""
    shaken = s.trends.get(CHATTER)
    if shaken is None or shaken.late < 0.4 or _too_early(s):
        return None
    return Diagnosis(behaviour="chatter", evidence=f"{_percent(shaken.late)} of the power of its actions is above 8 Hz")


def gaming(s: Signals) -> Diagnosis | None:
    """One term has become all that is learnt from, and the task is done no better for it."""
    score = s.trends.get(s.score)
    if score is None or _too_early(s) or score.late > score.early + 0.05 or score.tau > RISES:
        return None
    seen = [(share.late, term) for term, share in s.shares.items()
            if share.late > MOSTLY and share.late > 3.0 * max(share.early, 0.01) and not term.endswith("_cost")]
    if not seen or score.late > DONE:
        return None
    share, term = max(seen)
    return Diagnosis(behaviour="gaming", evidence=(
        f"{term} went from {_percent(s.shares[term].early)} to {_percent(share)} of what the policy learns from, and "
        f"{s.score} is {_percent(score.late)}"))


RULES: tuple[Rule, ...] = (
    sprint_crash, crash, touch_and_die, lazy, hover, stays_without_finishing, gaming, statue, chatter)


def _too_early(s: Signals) -> bool:
    return s.progress < BEGUN


def _does_it(s: Signals) -> bool:
    score = s.late(s.score)
    return score is not None and score > DONE


def _rose(paid: Trend) -> bool:
    return paid.late > paid.early + 0.2 * abs(paid.early) and (paid.tau > RISES or paid.late > 0.9 * paid.high)


def _is_settled(clock: Trend) -> bool:
    return clock.late >= 0.8 and clock.count >= 24


def _gets_there(s: Signals) -> bool:
    """Say whether more and more robots reach the goal: whatever they do there, the training is worth its time."""
    reached = s.trends.get(REACHED)
    return reached is not None and reached.tau > RISES and reached.late > reached.early + 0.1


def _is_for_moving(term: str) -> bool:
    return "velocity" in term or "progress" in term


def _than(away: Trend) -> str:
    return f"{away.late:.2f} (at first {away.early:.2f})"


def _percent(rate: float) -> str:
    return f"{rate:.1%}" if 0.0 < abs(rate) < 0.1 else f"{rate:.0%}"
