"""Which trials of a campaign claim to be better than which, and is that so? From trials and their runs to rulings.

A trial that was trained with report seeds is compared with the first trial that shares some of them: the baseline, or
whoever was there first. Its search seed never enters: it chose. Only like is compared with like: the same task and
stage, trained as far, begun in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vbotd.core.interval import Z_95
from vbotd.core.verdict.contest import Contest, contest
from vbotd.core.verdict.lengths import SCORE, trained_to
from vbotd.core.verdict.noise import Noise, chance_of, noise_floor, spread_over_seeds
from vbotd.core.verdict.ruling import Ruling, rulings
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.trial import Run, Trial

FAULTS = ("diverged", "failed")  # outcomes that speak of the settings, not of the machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A trial with report seeds: the score of each that has one, by seed, and the seeds that its training died on."""

    trial: str
    place: tuple[object, ...]
    planned: tuple[int, ...]
    scores: Mapping[int, Measurement]
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a trial is better than its reference. `contest`, `noise` and `ruling` are None before there are two pairs.

    `seeds` are those of the pairs, `failed` those on which only the trial's own training died. `among` is the number of
    claims in the campaign, for all of which the ruling is corrected.
    """

    trial: str
    reference: str
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    among: int
    contest: Contest | None = None
    noise: Noise | None = None
    ruling: Ruling | None = None


def claims_of(trials: Iterable[Trial], runs: Sequence[Run], metric: MetricCard) -> tuple[Claim, ...]:
    """Return the claims of a campaign's trials, in the order of their numbers, each with its ruling."""
    sign = 1.0 if metric.direction == "max" else -1.0
    entrants = [entrant(trial, runs, metric.tag) for trial in sorted(trials, key=lambda t: t.number)
                if len(trial.seeds) > 1]
    pairs = [(ours, theirs) for place, ours in enumerate(entrants)
             if (theirs := _reference(ours, entrants[:place])) is not None]
    floors = {place: _floor([one for one in entrants if one.place == place], sign)
              for place in {ours.place for ours, _ in pairs}}
    return _ruled([_claim(ours, theirs, floors[ours.place], sign, len(pairs)) for ours, theirs in pairs])


def claim_of(trial: str, claims: Iterable[Claim]) -> Claim | None:
    """Return the claim of a trial, None where it makes none."""
    return next((claim for claim in claims if claim.trial == trial), None)


def spread_of(trials: Iterable[Trial], runs: Sequence[Run], metric: MetricCard) -> float | None:
    """Return how far runs of one setting lie apart over seeds in a campaign, None where no setting has two."""
    entrants = [entrant(trial, runs, metric.tag) for trial in trials if len(trial.seeds) > 2]
    return spread_over_seeds([{seed: m.value for seed, m in one.scores.items()} for one in entrants],
                             _chance(entrants))


def entrant(trial: Trial, runs: Iterable[Run], tag: str) -> Entrant:
    """Return what a trial brings to a comparison: the newest score of each of its report seeds, in their order."""
    own = [run for run in runs if run.trial == trial.id]
    scores: dict[int, Measurement] = {}
    for run in own:
        if run.kind == "evaluate" and run.purpose == SCORE and run.outcome == "finished" and tag in run.metrics:
            scores[run.seed] = run.metrics[tag]
    trained = {run.seed: run for run in own if run.kind == "train"}
    planned = trial.seeds[1:]
    place = (trial.task, trial.stage, trial.warm_start is None, trained_to(trained.get(trial.seeds[0])))
    return Entrant(trial=trial.id, place=place, planned=planned,
                   scores={seed: scores[seed] for seed in planned if seed in scores},
                   failed=tuple(seed for seed in planned if seed in trained and trained[seed].outcome in FAULTS))


def _reference(ours: Entrant, earlier: Sequence[Entrant]) -> Entrant | None:
    return next((theirs for theirs in earlier if theirs.place == ours.place
                 and set(theirs.planned) & set(ours.planned)), None)


def _floor(entrants: Sequence[Entrant], sign: float) -> Noise | None:
    return noise_floor([{seed: sign * m.value for seed, m in one.scores.items()} for one in entrants],
                       _chance(entrants))


def _chance(entrants: Sequence[Entrant]) -> float:
    """Return the standard error that the scores have of their finite number of episodes."""
    return chance_of([(m.high - m.low) / (2 * Z_95) for one in entrants for m in one.scores.values()])


def _claim(ours: Entrant, theirs: Entrant, noise: Noise | None, sign: float, among: int) -> Claim:
    seeds = tuple(seed for seed in ours.scores if seed in theirs.scores)
    told = None
    if seeds and noise is not None:
        told = contest([sign * ours.scores[seed].value for seed in seeds],
                       [sign * theirs.scores[seed].value for seed in seeds], noise)
    return Claim(trial=ours.trial, reference=theirs.trial, seeds=seeds, among=among, contest=told, noise=noise,
                 failed=tuple(seed for seed in ours.failed if seed not in theirs.failed))


def _ruled(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Return the claims with their rulings, corrected for all of them, those without a pair included."""
    told = [(claim.contest, claim.noise) for claim in claims]
    known = [(one, noise) for one, noise in told if one is not None and noise is not None]
    ruled = iter(rulings(known, len(claims), one_reference=len({claim.reference for claim in claims}) == 1))
    return tuple(replace(claim, ruling=next(ruled)) if claim.contest is not None else claim for claim in claims)
