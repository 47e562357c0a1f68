"""What is to be tried next? The baseline, a change against what was seen, or more seeds for a change that promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Proposal, Run, Trial
from vbotd.hookspecs import Point

from .diagnosis import Diagnosis, diagnose, from_gait, gravest_first
from .hypotheses import Hypothesis, ground_of, ideas, untried
from .matrix import is_promising
from .options import Options
from .signals import read
from .story import SKILL, Experiment, Story, scores, tell

Look = Callable[[str, str], Sequence[Point]]  # run id, tag
Refuted = Sequence[tuple[str, float, float]]  # term, before, after
Adopted = Callable[[str], Sequence[tuple[str, float]]]  # of a behaviour: term, factor
REMEDY, IDEA = "remedy/", "idea/"
IDEAS = "ideas"  # the kind of run that asks a model


def next_moves(history: History, options: Options, look: Look, refuted: Refuted, adopted: Adopted
               ) -> list[Proposal] | Exhausted:
    """Return what to try now: nothing while something is at work, the end where nothing is left."""
    if not history.trials:
        return [_baseline(history, options)]
    story = tell(history, options)
    if story.base is None:
        return []
    waiting = next((experiment for experiment in story.experiments if experiment.is_open), None)
    if waiting is not None:
        return list(_more_seeds(waiting, options))
    if not story.base.judged or history.task is None:
        return []
    if _is_short(history, options, story.base):
        return [Proposal(params=dict(story.base.proposal.params), proposer=SKILL, extends=story.base.id,
                         env_steps=_length(history, options),
                         why="the reward as it is, trained as long as a test of a change would be")]
    if (done := is_good_enough(history, options, story.base)):
        return Exhausted(why=done)
    if len(story.experiments) >= options.most_changes:
        return Exhausted(why=f"{len(story.experiments)} changes were tested, as many as 'most_changes' allows")
    seen = diagnoses(history, story.base, look)
    if not seen:
        return Exhausted(why=f"nothing that a reward could heal is seen in {_short(story.base)}")
    return _test(history, options, story, seen, look, refuted, adopted)


def no_series(run_id: str, tag: str) -> Sequence[Point]:
    """Stand for series that nobody can look up, as when a report is written: only findings speak then."""
    del run_id, tag
    return ()


def diagnoses(history: History, trial: Trial, look: Look = no_series) -> tuple[Diagnosis, ...]:
    """Return what the robots of a trial do instead of the task, in the training of any seed, the gravest first."""
    if history.task is None:
        return ()
    found: list[Diagnosis] = []
    for run in trainings(history, trial):
        signals = read(lambda tag, run=run: look(run.id, tag), run, history.task, trial.params)  # type: ignore[misc]
        found += diagnose(signals, run.findings)
    if found:
        return gravest_first(found)
    filmed = [run for run in history.runs_of(trial.id) if run.kind == "capture" and run.outcome == "finished"]
    return from_gait(filmed[-1].metrics) if filmed else ()


def trainings(history: History, trial: Trial) -> list[Run]:
    """Return the newest training of each seed of a trial."""
    newest = {run.seed: run for run in history.runs_of(trial.id) if run.kind == "train"}
    return [newest[seed] for seed in sorted(newest)]


def _length(history: History, options: Options) -> int:
    """Return the env steps of a test."""
    own = options.env_steps or history.campaign.train.env_steps
    return own or (history.task.env_steps if history.task else 1)


def _is_short(history: History, options: Options, base: Trial) -> bool:
    """Say whether somebody else began the trial that all is compared with, and with less than a test's length."""
    return base.env_steps is not None and base.env_steps < _length(history, options)


def _baseline(history: History, options: Options) -> Proposal:
    space = history.campaign.space.dimensions
    cards = [history.task.param(dimension.key) for dimension in space] if history.task else []
    params: dict[str, ParamValue] = {card.key: card.default for card in cards if card is not None}
    return Proposal(params=params, proposer=SKILL, env_steps=options.env_steps, seeds=(history.campaign.train.seed,),
                    why="the reward as it is, to see what it teaches")


def _more_seeds(experiment: Experiment, options: Options) -> Iterator[Proposal]:
    """Yield the further seeds of a change and of what it is compared with, the same for both."""
    pairs = experiment.pairs
    if not pairs or (len(pairs) == 1 and not is_promising(pairs[0], options.gain)):
        return  # the first seed has yet to show whether it is worth more, or has shown it and is judged in a moment
    first = experiment.trial.seeds[0] if experiment.trial.seeds else 0
    tried = max(len(experiment.trial.seeds), len(experiment.base.seeds))
    is_even = len(experiment.trial.seeds) == len(experiment.base.seeds)
    is_in = experiment.trial.judged and experiment.base.judged  # else what was asked for is still at work
    number = options.seeds if tried < options.seeds else tried + (1 if is_even and is_in else 0)
    wanted = [first + place for place in range(min(number, options.most_seeds))]
    for trial, what in ((experiment.trial, "the change"), (experiment.base, "what it is compared with")):
        missing = tuple(seed for seed in wanted if seed not in trial.seeds)
        if missing and trial.judged:
            yield Proposal(params=dict(trial.proposal.params), proposer=SKILL, extends=trial.id, seeds=missing,
                           why=f"{experiment.term} {experiment.before:g} → {experiment.after:g} is promising: "
                               f"seeds {', '.join(map(str, missing))} for {what}")


def is_good_enough(history: History, options: Options, base: Trial) -> str:
    """Return why nothing is to be healed any more, "" while something is."""
    metric = history.task.metric if history.task else None
    found = list(scores(history, base).values())
    if metric is None or not found:
        return ""
    gate = next((gate.value for gate in history.campaign.gates if gate.tag == metric.tag), options.good_enough)
    sign = 1.0 if metric.direction == "max" else -1.0
    return f"{_short(base)} has {metric.tag} {sign * mean(found):.3g}" if mean(found) >= sign * gate else ""


def _test(history: History, options: Options, story: Story, seen: Sequence[Diagnosis], look: Look, refuted: Refuted,
          adopted: Adopted) -> list[Proposal] | Exhausted:
    """Return the test of the likeliest idea that nobody has tried, or the end."""
    base = story.base
    assert base is not None and history.task is not None
    tested = [(e.term, e.before, e.after) for e in story.experiments]
    pay = _pay(history, base, look)
    left: list[tuple[Diagnosis, Hypothesis]] = []
    for diagnosis in seen:
        ground = ground_of(history.task, base.params, pay, remedies(history, base), adopted(diagnosis.behaviour),
                           said(history, base))
        left += [(diagnosis, idea) for idea in untried(ideas(diagnosis.behaviour, ground), [*refuted, *tested])]
    # Which proposal was refused is not told, only how many: drop as many ideas, rather than insist on one for ever.
    left = left[history.record.refused_proposals:]
    if not left:
        return Exhausted(why=f"{_short(base)} is {seen[0].behaviour}, and all changes against that were tried")
    diagnosis, idea = left[0]
    seed = base.seeds[0] if base.seeds else history.campaign.train.seed
    return [Proposal(
        params={**base.proposal.params, idea.key: idea.after}, proposer=SKILL, env_steps=options.env_steps,
        seeds=(seed,),
        why=f"against {_short(base)}: it is {diagnosis.behaviour} ({diagnosis.evidence}). {idea.words()}")]


def remedies(history: History, base: Trial) -> tuple[tuple[str, float], ...]:
    """Return what an audit of these very weights has computed: (term, new weight), the best first."""
    audits = [run for run in history.runs if run.kind == "audit" and run.outcome == "finished"
              and _plain(run.spec.get("params") or {}) == _plain(base.params)]
    return tuple((finding.rule.removeprefix(REMEDY), finding.value)
                 for finding in (audits[-1].findings if audits else ())
                 if finding.rule.startswith(REMEDY) and finding.value is not None)


def said(history: History, base: Trial) -> tuple[tuple[str, float, str], ...]:
    """Return what a model would change in these weights: (term, new weight, why), the likeliest first."""
    asked = [run for run in history.runs_of(base.id) if run.kind == IDEAS and run.outcome == "finished"]
    return tuple((finding.rule.removeprefix(IDEA), finding.value, finding.message)
                 for finding in (asked[-1].findings if asked else ())
                 if finding.rule.startswith(IDEA) and finding.value is not None)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that compare as equal whether a list came as a list or as a tuple."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in params.items()}


def _pay(history: History, base: Trial, look: Look) -> dict[str, float]:
    """Return what each term pays a second lately in the first training of a trial."""
    runs = trainings(history, base)
    if not runs or history.task is None:
        return {}
    signals = read(lambda tag: look(runs[0].id, tag), runs[0], history.task, base.params)
    return {term: trend.late for term, trend in signals.pay.items()}


def _short(trial: Trial) -> str:
    return trial.id.rpartition("/")[2]
