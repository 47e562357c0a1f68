"""Where does the climb stand? A fold over the attempts: promoted, demoted, split, given up. Pure, and kept nowhere.

A rung is passed when the careful bound of the held-out success, at its own pinned difficulty, passes the gate on two
evaluations in a row on fresh instances, and no earlier stage is forgotten. Source: the reference's algorithms, 6.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vbotd.domain.metric import Measurement

from .bounds import is_out_of_reach, passes, pooled, sure_drop
from .evidence import Attempt, memory_key
from .options import Options
from .rungs import DIFFICULTY, Rung, between

GATE_TIMES = 2  # evaluations in a row
MEMORY_TIMES = 2  # before a stage counts as forgotten
FALLBACKS = 2  # other ways to begin a rung whose training failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The metric that stages are remembered by."""

    tag: str
    less_is_better: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A rung that was passed: by which trial, and how good it was there."""

    trial: str
    measured: Measurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The rungs with what came of them. `over` says why the climb can go no further, "" while it can.

    `back_from` is the attempt that forgot the rung which is up now: it is where to go on from. `unready` missed the
    rung and is to be trained on. `tries` are the trainings of the rung that failed, `forgotten` the stages that were
    ever lost, in `demotions` steps back. `said` is what became of each attempt.
    """

    rungs: tuple[Rung, ...]
    passed: Mapping[str, Passed] = field(default_factory=dict)
    back_from: Attempt | None = None
    unready: Attempt | None = None
    tries: tuple[Attempt, ...] = ()
    forgotten: tuple[str, ...] = ()
    demotions: int = 0
    said: Mapping[str, str] = field(default_factory=dict)
    over: str = ""

    @property
    def rung(self) -> Rung | None:
        """The rung that is up now: the first that is not passed; None at the top."""
        return next((rung for rung in self.rungs if rung.name not in self.passed), None)

    def stages(self) -> tuple[Rung, ...]:
        """Return the stages of the file, without what was put in between."""
        return tuple(rung for rung in self.rungs if not rung.split)

    def earlier(self, rung: Rung) -> tuple[tuple[int, Rung], ...]:
        """Return the stages below a rung that must not be forgotten, each with its place in the file.

        They were passed, and are of the rung's own task. One of another task is a stepping stone: what ends well there,
        such as a sit at the end of a section, may be wrong where the course goes on.
        """
        below = self.rungs[:self.rungs.index(rung)]
        return tuple((place, stage) for place, stage in enumerate(self.stages())
                     if stage in below and stage.task == rung.task and stage.name in self.passed)


def climbed(rungs: tuple[Rung, ...], attempts: Sequence[Attempt], options: Options, score: Score) -> Ladder:
    """Return the ladder after the attempts, each of which was at the rung that was up then."""
    ladder = Ladder(rungs=rungs)
    for attempt in attempts:
        ladder = after(ladder, attempt, options, score)
    return ladder


def after(ladder: Ladder, attempt: Attempt, options: Options, score: Score) -> Ladder:
    """Return the ladder after one attempt at the rung that is up."""
    rung = ladder.rung
    if rung is None or ladder.over or not attempt.trial.judged:
        return ladder
    ladder = replace(ladder, unready=None)
    if attempt.outcome != "trained":
        return _failed(ladder, rung, attempt)
    if not is_through(rung, attempt):
        return _missed(ladder, rung, attempt, options)
    lost = forgotten(ladder, rung, attempt, options, score)
    return _back(ladder, attempt, lost, options) if lost else _up(ladder, rung, attempt, score)


def is_through(rung: Rung, attempt: Attempt) -> bool:
    """Say whether an attempt passed the rung's gate, twice in a row; a rung without a gate needs a training only."""
    if not rung.gates:
        return attempt.outcome == "trained"
    times = attempt.gates()
    return len(times) >= GATE_TIMES and all(
        passes(gate, metrics.get(gate.tag)) for metrics in times for gate in rung.gates)


def is_out_of_question(rung: Rung, attempt: Attempt) -> bool:
    """Say whether the trial's score, where it was made at the rung's difficulty, misses the gate whatever the luck."""
    trained = {key: value for key, value in attempt.trial.proposal.params.items() if key.startswith(DIFFICULTY)}
    return trained == dict(rung.changed) and any(
        is_out_of_reach(gate, attempt.scored.get(gate.tag)) for gate in rung.gates)


def forgotten(ladder: Ladder, rung: Rung, attempt: Attempt, options: Options, score: Score) -> tuple[str, ...]:
    """Return the earlier stages whose success has fallen for sure, on two evaluations."""
    return tuple(stage.name for place, stage in ladder.earlier(rung)
                 if len(times := attempt.memories(place, score.tag)) >= MEMORY_TIMES
                 and all(is_dropped(ladder, stage, now, options, score) for now in times))


def is_dropped(ladder: Ladder, stage: Rung, now: Measurement, options: Options, score: Score) -> bool:
    """Say whether a stage is worth less than when it was passed, by more than the allowed drop, for sure."""
    before = ladder.passed[stage.name].measured if stage.name in ladder.passed else None
    if before is None:
        return False
    allowed = options.max_drop * (1.0 if score.tag.endswith("_rate") else abs(before.value))
    return sure_drop(score.tag, before, now, less_is_better=score.less_is_better) > allowed


def suspects(ladder: Ladder, rung: Rung, attempt: Attempt, options: Options, score: Score) -> tuple[int, ...]:
    """Return the places of the stages whose first evaluation shows a drop, and that have had no second one."""
    return tuple(place for place, stage in ladder.earlier(rung)
                 if len(times := attempt.memories(place, score.tag)) == 1
                 and is_dropped(ladder, stage, times[0], options, score)
                 and memory_key(place, 2) not in attempt.asked)


def _up(ladder: Ladder, rung: Rung, attempt: Attempt, score: Score) -> Ladder:
    times = attempt.gates() or ((attempt.scored,) if attempt.scored else ())
    values = [metrics[score.tag] for metrics in times if score.tag in metrics]
    won = Passed(trial=attempt.trial.id, measured=pooled(values) if values else None)
    return replace(ladder, passed={**ladder.passed, rung.name: won}, back_from=None, tries=(),
                   said={**ladder.said, attempt.name: f"passed {rung.name}"})


def _back(ladder: Ladder, attempt: Attempt, lost: tuple[str, ...], options: Options) -> Ladder:
    said = {**ladder.said, attempt.name: f"forgot {', '.join(lost)}: back to {lost[0]}"}
    if ladder.demotions >= options.demotions:
        return replace(ladder, said=said, over=(
            f"{attempt.name} forgot {', '.join(lost)} again, after {ladder.demotions} demotions: the stages do not fit "
            "into one policy in this order; train a stage that takes in both"))
    kept = {name: won for name, won in ladder.passed.items() if name not in lost}
    return replace(ladder, passed=kept, back_from=attempt, tries=(), forgotten=(*ladder.forgotten, *lost), said=said,
                   demotions=ladder.demotions + 1)


def _missed(ladder: Ladder, rung: Rung, attempt: Attempt, options: Options) -> Ladder:
    if (attempt.trial.env_steps or 0) < rung.env_steps * (1 + options.extensions):
        return replace(ladder, unready=attempt,
                       said={**ladder.said, attempt.name: f"missed {rung.name}, to be trained on"})
    said = {**ladder.said, attempt.name: f"stuck at {rung.name}"}
    place = ladder.rungs.index(rung)
    number = 1 + sum(bool(other.split) and other.stage == rung.stage for other in ladder.rungs)
    easier = between(ladder.rungs[place - 1], rung, number) if place and number <= options.splits else None
    if easier is None:
        return replace(ladder, said=said, over=_why_stuck(rung, place, number, options))
    said = {**said, attempt.name: f"stuck at {rung.name}: {easier.name} put in before it"}
    return replace(ladder, rungs=(*ladder.rungs[:place], easier, *ladder.rungs[place:]), tries=(), said=said)


def _why_stuck(rung: Rung, place: int, number: int, options: Options) -> str:
    if not place:
        return f"stage '{rung.stage}' is stuck, and it is the first: make it easier, or train it longer"
    if number > options.splits:
        return f"stage '{rung.stage}' is stuck after {options.splits} halvings: look at what it asks, or train longer"
    return f"stage '{rung.stage}' is stuck, and no number lies between it and the one before"


def _failed(ladder: Ladder, rung: Rung, attempt: Attempt) -> Ladder:
    what = "poisoned warm start" if attempt.outcome == "poisoned" else "failed"
    tries = (*ladder.tries, attempt)
    said = {**ladder.said, attempt.name: f"{what} at {rung.name}"}
    over = ""
    if len(tries) > FALLBACKS:
        over = f"the training of stage '{rung.stage}' failed {len(tries)} times, last: {attempt.why[:160]}"
    elif attempt.trial.warm_start is None:
        over = f"the training of stage '{rung.stage}' failed: {attempt.why[:160]}"
    return replace(ladder, tries=tries, said=said, over=over)
