"""Where does the work on a campaign's reward stand? A fold over its trials: what was tried, and what came of it.

Nothing is kept between two questions. A trial of ours says in its first words what it is tested against, as in
"against t001: ..."; everything else is measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

from vbotd.domain.history import History
from vbotd.domain.trial import Run, Trial

from .hypotheses import PREFIX
from .matrix import Decision, Pair, SideEffect, decide, is_promising, side_effects
from .options import Options

SKILL = "reward-engineering"
AGAINST = re.compile(r"against (t\d+): ")
MILESTONE = "eval/reach_rate"  # who succeeds has been there
FLOOR = 0.05  # of a success rate: below, nobody does the task
# More of these is worse, or less.
WORSE: Mapping[str, int] = {"eval/fall_rate": 1, "eval/diverged_rate": 1, "eval/stuck_rate": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A change that was put to the test: the trial, what it is compared with, and what is known by now."""

    trial: Trial
    base: Trial
    term: str
    before: float
    after: float
    pairs: tuple[Pair, ...]
    effects: tuple[SideEffect, ...]
    decision: Decision | None  # None: not enough is known yet
    source: str = ""  # the way to the idea, as hypotheses.py names it: "inversion", "a model's idea", ...
    half_way: bool = False  # getting to the goal counts half, since the base has no success to compare with

    @property
    def is_open(self) -> bool:
        """Say whether it waits for seeds."""
        return self.decision is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The experiments in their order and the trial that stands as the best reward so far; None before the first."""

    base: Trial | None
    experiments: tuple[Experiment, ...]


def tell(history: History, options: Options) -> Story:
    """Return where the work stands."""
    base: Trial | None = next((trial for trial in history.trials if not is_test(trial)), None)
    known = {trial.id.rpartition("/")[2]: trial for trial in history.trials}
    experiments = []
    for trial in history.trials:
        match = AGAINST.match(trial.proposal.why) if is_own(trial) else None
        against = known.get(match[1]) if match else None
        if against is None:
            continue
        seen = _experiment(history, options, trial, against)
        experiments.append(seen)
        if seen.decision is not None and seen.decision.verdict in ("adopt", "iterate"):
            base = trial
    return Story(base=base, experiments=tuple(experiments))


def adopted(story: Story) -> dict[str, float]:
    """Return the weights that the trial has which stands as the best reward, and that were changed to get there."""
    found: dict[str, float] = {}
    standing = story.base
    for experiment in reversed(story.experiments):
        if standing is not None and experiment.trial.id == standing.id:
            found.setdefault(PREFIX + experiment.term, experiment.after)
            standing = experiment.base
    return found


def is_own(trial: Trial) -> bool:
    """Say whether this skill proposed a trial."""
    return trial.proposal.proposer.replace("_", "-") == SKILL


def is_test(trial: Trial) -> bool:
    """Say whether a trial is one of ours that tests a change."""
    return is_own(trial) and AGAINST.match(trial.proposal.why) is not None


def source_of(trial: Trial, key: str) -> str:
    """Return by which way our test of a setting came to be, "" where its words do not say so."""
    # The first such words are ours: what a model says comes after them.
    found = re.search(rf"\. ([a-z' ]+): {re.escape(key)} ", trial.proposal.why)
    return found[1] if found else ""


def scores(history: History, trial: Trial) -> dict[int, float]:
    """Return the task's metric by seed, signed so that more is better; a run without one has no entry."""
    metric = history.task.metric if history.task else None
    if metric is None:
        return {}
    sign = 1.0 if metric.direction == "max" else -1.0
    return {seed: sign * run.metrics[metric.tag].value for seed, run in evaluations(history, trial).items()
            if metric.tag in run.metrics}


def is_on_the_floor(history: History, base: Trial) -> bool:
    """Say whether a trial has no success to speak of with any seed, so that no weight can be seen to change it."""
    found = scores(history, base)
    return bool(found) and max(found.values()) < FLOOR and all(
        MILESTONE in run.metrics for run in evaluations(history, base).values())


def worth(history: History, trial: Trial, *, half_way: bool) -> dict[int, float]:
    """Return what trials are compared by, by seed: the task's metric, or its mean with the share that gets there."""
    found = scores(history, trial)
    if not half_way:
        return found
    runs = evaluations(history, trial)
    return {seed: (value + runs[seed].metrics[MILESTONE].value) / 2.0 for seed, value in found.items()
            if MILESTONE in runs[seed].metrics}


def evaluations(history: History, trial: Trial) -> dict[int, Run]:
    """Return the newest finished evaluation of each seed, without the one that confirms a champion."""
    return {run.seed: run for run in history.runs_of(trial.id)
            if run.kind == "evaluate" and run.purpose in ("score", "") and run.outcome == "finished"}


def dead_seeds(history: History, trial: Trial) -> set[int]:
    """Return the seeds of a judged trial that gave no score: their training or evaluation failed."""
    return set(trial.seeds) - set(scores(history, trial)) if trial.judged else set()


def _experiment(history: History, options: Options, trial: Trial, base: Trial) -> Experiment:
    term, before, after = change(base, trial, history)
    half_way = is_on_the_floor(history, base)
    before_of, after_of = worth(history, base, half_way=half_way), worth(history, trial, half_way=half_way)
    pairs = tuple(Pair(seed=seed, before=before_of[seed], after=after_of[seed])
                  for seed in after_of if seed in before_of)
    effects = side_effects(_means(history, base, pairs), _means(history, trial, pairs), WORSE)
    if half_way:  # who does nothing at all does not fall either
        effects = tuple(replace(effect, is_major=False) for effect in effects)
    return Experiment(trial=trial, base=base, term=term, before=before, after=after, pairs=pairs, effects=effects,
                      half_way=half_way, source=source_of(trial, PREFIX + term),
                      decision=_decision(history, options, trial, base, pairs, effects))


def change(base: Trial, trial: Trial, history: History) -> tuple[str, float, float]:
    """Return the one weight in which two trials differ, before and after; ("", 0, 0) where there is none."""
    for key, value in trial.params.items():
        card = history.task.param(key) if history.task else None
        old = base.params.get(key, card.default if card else None)
        if key.startswith(PREFIX) and old != value and isinstance(value, int | float) and isinstance(old, int | float):
            return key.removeprefix(PREFIX), float(old), float(value)
    return "", 0.0, 0.0


def _decision(history: History, options: Options, trial: Trial, base: Trial, pairs: Sequence[Pair],
              effects: Sequence[SideEffect]) -> Decision | None:
    if not trial.judged or not base.judged:
        return None
    if not pairs:
        return Decision(verdict="reject", why="it has no score: its runs failed", gain=0.0)
    if len(pairs) == 1 and not is_promising(pairs[0], options.gain):
        return decide(pairs, effects, least_gain=options.gain, most_pairs=1)
    # A seed that failed on either side gives no pair, and is not asked for again.
    lost = dead_seeds(history, trial) | dead_seeds(history, base)
    if len(pairs) + len(lost) < options.seeds:
        return None
    decision = decide(pairs, effects, least_gain=options.gain, most_pairs=options.most_seeds - len(lost))
    asks = decision.verdict == "inconclusive" and len(pairs) + len(lost) < options.most_seeds
    return None if asks else decision


def _means(history: History, trial: Trial, pairs: Sequence[Pair]) -> dict[str, float]:
    """Return the mean of each watched metric over the seeds that are paired."""
    runs = evaluations(history, trial)
    found: dict[str, float] = {}
    for tag in WORSE:
        values = [runs[pair.seed].metrics[tag].value for pair in pairs if tag in runs[pair.seed].metrics]
        if values:
            found[tag] = mean(values)
    return found
