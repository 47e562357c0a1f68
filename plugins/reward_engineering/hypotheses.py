"""Which one weight could heal a behaviour? Ideas, those first that are worth a test most, with effect and risk.

The eight ways to an idea: `inversion` (pay less for what the robot does instead), `score alignment` (pay more for what
the score counts), `gradient shaping` (make the way there pay), `proxy decomposition` (switch a part of the goal on),
`biomimetic` (pay for moving like an animal), `ablation` (nearly take a term away), `library` (what has helped before),
`a model's idea` (where one is configured).
A weight changes by a factor, never by a sum, and never beyond what the task allows. Of two ways to the same end the one
that pays less comes first: to outbid makes values large, and large rare ones are learnt last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vbotd.domain.task import ParamCard, ParamValue, TaskCard

PREFIX = "reward."
NOT_A_GOAL = ("swing_event", "fall_event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One change of one weight, what it is to do, and what might come of it."""

    behaviour: str
    strategy: str
    term: str
    before: float
    after: float
    effect: str
    risk: str

    @property
    def key(self) -> str:
        """The setting that changes."""
        return PREFIX + self.term

    def words(self) -> str:
        """Return it in one sentence."""
        return (f"{self.strategy}: {self.key} {self.before:g} → {self.after:g}, so that {self.effect}; "
                f"it may be that {self.risk}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What ideas grow on: the weights as they are, their bounds, and what each term pays a second lately."""

    weights: Mapping[str, float]
    cards: Mapping[str, ParamCard]
    pay: Mapping[str, float] = field(default_factory=dict)
    remedies: Sequence[tuple[str, float]] = ()  # term and new weight, from an audit of these very weights
    adopted: Sequence[tuple[str, float]] = ()  # term and factor, from the library, for this behaviour
    said: Sequence[tuple[str, float, str]] = ()  # term, new weight and why, from a model

    def weight(self, term: str) -> float:
        """Return a term's weight, 0 where the task has no such term."""
        return self.weights.get(term, 0.0)


Pick = Callable[[Ground], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A kind of change: which terms, times what."""

    strategy: str
    pick: Pick
    factors: tuple[float, ...]
    effect: str
    risk: str


def ground_of(task: TaskCard, params: Mapping[str, ParamValue], pay: Mapping[str, float],
              remedies: Sequence[tuple[str, float]] = (), adopted: Sequence[tuple[str, float]] = (),
              said: Sequence[tuple[str, float, str]] = ()) -> Ground:
    """Return the ground of a trial with these settings."""
    cards = {card.key.removeprefix(PREFIX): card for card in task.params if card.key.startswith(PREFIX)}
    weights = {term: float(value) for term, card in cards.items()
               if isinstance(value := params.get(card.key, card.default), int | float)}
    return Ground(weights=weights, cards=cards, pay=pay, remedies=remedies, adopted=adopted, said=said)


def ideas(behaviour: str, ground: Ground) -> tuple[Hypothesis, ...]:
    """Return the ideas against a behaviour, the likeliest first; each changes a weight that differs and is allowed."""
    found: dict[tuple[str, float], Hypothesis] = {}
    for idea in _all(behaviour, ground):
        if idea is not None:
            found.setdefault((idea.term, idea.after), idea)
    return tuple(found.values())


def _all(behaviour: str, ground: Ground) -> Iterator[Hypothesis | None]:
    for term, factor in ground.adopted:
        yield _scaled(behaviour, ground, "library", term, factor, "it does what it has done in an earlier campaign",
                      "the other weights there were what made it work")
    for term, weight in ground.remedies:
        yield _set(behaviour, ground, _way(ground, term, weight), term, weight,
                   "by the audit's sums doing the task pays better than what it does instead",
                   "a policy finds what no probe of the audit does")
    for term, weight, why in ground.said:
        yield _set(behaviour, ground, "a model's idea", term, weight, why or "the model says so",
                   "a model's opinion is no measurement")
    for move in MOVES.get(behaviour, ()):
        for factor in move.factors:
            for term in move.pick(ground):
                yield _scaled(behaviour, ground, move.strategy, term, factor, move.effect, move.risk)
    yield from _switched_on(behaviour, ground)


def _way(ground: Ground, term: str, weight: float) -> str:
    return "score alignment" if abs(weight) > abs(ground.weight(term)) else "inversion"


def _scaled(behaviour: str, ground: Ground, strategy: str, term: str, factor: float, effect: str, risk: str
            ) -> Hypothesis | None:
    return _set(behaviour, ground, strategy, term, ground.weight(term) * factor, effect, risk)


def _set(behaviour: str, ground: Ground, strategy: str, term: str, after: float, effect: str, risk: str
         ) -> Hypothesis | None:
    """Return the change to a weight, None where there is none or the task does not allow it."""
    card, before = ground.cards.get(term), ground.weight(term)
    after = float(f"{after:.4g}")
    if card is None or after == before or not math.isfinite(after):
        return None
    if (card.low is not None and after < card.low) or (card.high is not None and after > card.high):
        return None
    return Hypothesis(behaviour=behaviour, strategy=strategy, term=term, before=before, after=after, effect=effect,
                      risk=risk)


def _switched_on(behaviour: str, ground: Ground) -> Iterator[Hypothesis | None]:
    """Yield progress terms without a weight, at the careful end of where a search would look."""
    if behaviour not in ("lazy", "hover", "statue", "fly-through", "farm"):
        return
    for term, card in ground.cards.items():
        if term.endswith("_progress") and ground.weight(term) == 0.0 and card.search is not None:
            yield _set(behaviour, ground, "proxy decomposition", term, min(card.search, key=abs),
                       "a part of the goal pays that paid nothing before", "it learns the part and not the whole")


def idle_payers(ground: Ground) -> list[str]:
    """Return what pays for being somewhere, the most first."""
    found = [term for term, weight in ground.weights.items()
             if term.endswith("_reward") and weight > 0 and not _moves(term) and ground.pay.get(term, 0.0) > 0]
    return sorted(found, key=lambda term: -ground.pay[term])[:3]


def speed_payers(ground: Ground) -> list[str]:
    """Return what pays for speed, the most first."""
    found = [term for term, weight in ground.weights.items() if weight > 0 and _moves(term)]
    return sorted(found, key=lambda term: -ground.pay.get(term, 0.0))[:2]


def finishes(ground: Ground) -> list[str]:
    """Return the events of the goal: the end of the task first, then what comes before it."""
    found = [term for term, weight in ground.weights.items()
             if term.endswith("_event") and weight > 0 and term not in NOT_A_GOAL]
    return sorted(found, key=lambda term: ("success" not in term, "arrival" not in term, term))[:2]


def touches(ground: Ground) -> list[str]:
    """Return the events of the goal that are no end of the task, first what pays most."""
    found = [term for term in ground.weights if term.endswith("_event") and ground.weight(term) > 0
             and "success" not in term and term not in NOT_A_GOAL]
    return sorted(found, key=lambda term: (-ground.pay.get(term, 0.0), -ground.weight(term)))[:2]


def ways_there(ground: Ground) -> list[str]:
    """Return the weighted progress terms that lead to the goal."""
    return [term for term, weight in ground.weights.items() if term.endswith("_progress") and weight > 0
            and not term.startswith(("rest", "hold", "height"))][:2]


def dear(ground: Ground) -> list[str]:
    """Return the costs that cost most."""
    found = [term for term, weight in ground.weights.items() if term.endswith("_cost") and weight < 0]
    return sorted(found, key=lambda term: ground.pay.get(term, 0.0))[:2]


def named(*terms: str) -> Pick:
    """Return a choice of those of the terms that have a weight."""
    return lambda ground: [term for term in terms if ground.weight(term) != 0.0]


def _moves(term: str) -> bool:
    return "velocity" in term or "progress" in term


LESS_IDLE = Move(strategy="inversion", pick=idle_payers, factors=(0.1, 0.01),
                 effect="being there is worth less than getting there", risk="it has no reason left to stay upright")
FINISH = Move(strategy="score alignment", pick=finishes, factors=(10.0, 2.0),
              effect="doing the task pays more than anything else", risk="one large reward makes the values jump")
LEAD_ON = Move(strategy="gradient shaping", pick=ways_there, factors=(2.0, 10.0),
               effect="every step towards the goal pays more", risk="it hurries and falls")
DIE_DEARLY = Move(strategy="score alignment", pick=named("fall_event"), factors=(2.0, 10.0),
                  effect="falling costs more than the run before it earns", risk="it dares nothing any more")
SMOOTHLY = Move(strategy="biomimetic", pick=named("action_rate_cost", "joint_acceleration_cost", "torque_cost"),
                factors=(2.0, 10.0), effect="it moves as softly as an animal", risk="it moves less")
STEPPING = Move(strategy="biomimetic", pick=named("swing_event", "trot_reward", "foot_clearance_reward",
                                                  "shin_contact_cost", "drag_foot_cost"),
                factors=(2.0, 10.0), effect="it lifts its feet and walks", risk="it walks on the spot")
CHEAPER = Move(strategy="inversion", pick=dear, factors=(0.5, 0.1), effect="moving costs less than it pays",
               risk="it moves roughly")
SLOWER = Move(strategy="inversion", pick=speed_payers, factors=(0.5, 0.1), effect="running pays less than arriving",
              risk="it does not set out at all")
NO_TOUCH = Move(strategy="inversion", pick=touches, factors=(0.1, 0.01),
                effect="the touch pays less than what comes after it", risk="it does not find the goal any more")
REST = Move(strategy="gradient shaping", pick=named("rest_progress", "hold_progress", "stop_reward"),
            factors=(2.0, 10.0), effect="coming to rest at the goal pays", risk="it stops short of it")
WITHOUT = Move(strategy="ablation", pick=idle_payers, factors=(0.001,), effect="what it lives on is gone",
               risk="the term was needed for something else")

MOVES: Mapping[str, tuple[Move, ...]] = {
    "lazy": (LESS_IDLE, FINISH, LEAD_ON, WITHOUT),
    "statue": (CHEAPER, LEAD_ON, LESS_IDLE, WITHOUT),
    "hover": (FINISH, LESS_IDLE, REST, LEAD_ON, WITHOUT),
    "farm": (FINISH, LESS_IDLE, REST, WITHOUT),
    "fly-through": (NO_TOUCH, FINISH, REST, SLOWER),
    "touch-and-die": (NO_TOUCH, FINISH, DIE_DEARLY),
    "sprint-crash": (DIE_DEARLY, FINISH, SLOWER),
    "crash": (DIE_DEARLY, CHEAPER),
    "gaming": (FINISH, LESS_IDLE, WITHOUT),
    "drag": (STEPPING, CHEAPER),
    "lie": (STEPPING, DIE_DEARLY),
    "chatter": (SMOOTHLY, STEPPING),
}


def untried(found: Iterable[Hypothesis], refuted: Iterable[tuple[str, float, float]]) -> list[Hypothesis]:
    """Return the ideas that were not refuted: the same weight to the same value from the same one, or farther on."""
    known = list(refuted)
    return [idea for idea in found if not any(_is_same(idea, *entry) for entry in known)]


def _is_same(idea: Hypothesis, term: str, before: float, after: float) -> bool:
    return (idea.term == term and math.isclose(idea.before, before, rel_tol=0.05)
            and math.isclose(idea.after, after, rel_tol=0.05))
