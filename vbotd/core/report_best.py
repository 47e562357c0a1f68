"""Which trials are the best of a campaign, and how sure is that? Selection and confirmation are kept apart."""

from __future__ import annotations

from collections.abc import Sequence

from vbotd.core.judge import CONFIRM, reported
from vbotd.core.ranking import contenders, in_order, qualities, scored_run, search_seed
from vbotd.core.report_facts import RECENT_S, Best, BestOf, Facts
from vbotd.core.trialplan import evaluated
from vbotd.core.verdict.claims import claim_of, claims_of, spread_of
from vbotd.core.verdict.lengths import SCORE, length_of
from vbotd.core.verdict.shrinkage import shrunken
from vbotd.core.verdict.words import short_words
from vbotd.core.wording import setting
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import Run, Trial

MOST_TRIALS = 5
MOST_METRICS = 8


def best_trials(facts: Facts) -> tuple[BestOf, ...]:
    """Return the best trials of every campaign that is open or closed lately, the newest campaign first."""
    found = (best_of_campaign(facts, record) for record in reversed(facts.records) if is_current(facts, record))
    return tuple(best for best in found if best is not None)


def best_of_campaign(facts: Facts, record: CampaignRecord) -> BestOf | None:
    """Return the best trials of one campaign, None where none has a score. The time of the facts plays no part."""
    trials = ranked(facts, record)
    if not trials:
        return None
    shown = tuple(best_from(facts, record, trial) for trial in trials[:MOST_TRIALS])
    return BestOf(campaign=record.id, status=record.outcome or record.status, trials=shown,
                  more=len(trials) - len(shown))


def is_current(facts: Facts, record: CampaignRecord) -> bool:
    """Say whether a campaign belongs into the report: not closed, or closed lately."""
    return record.closed_at is None or facts.now - record.closed_at <= RECENT_S


def ranked(facts: Facts, record: CampaignRecord) -> list[Trial]:
    """Return the scored trials of a campaign: the champion, then as the champion would be chosen."""
    trials, quality = facts.trials_of(record.id), facts.quality_of(record)
    measured = qualities(trials, facts.runs_of(record.id), quality)
    found = in_order(trials, facts.metric_of(record), quality, measured)
    rivals = contenders(trials, record.content.stage_names)
    first = {record.champion} if record.champion else {trial.id for trial in rivals}
    return sorted(found, key=lambda trial: trial.id not in first)


def best_from(facts: Facts, record: CampaignRecord, trial: Trial) -> Best:
    """Return what the report says of one scored trial."""
    assert trial.score is not None, "only scored trials are ranked"
    runs = facts.runs_of_trial(trial.id)
    score_run = _run_of_score(runs, trial, facts.metric_of(record).tag)
    confirm_run = scored_run(runs, CONFIRM, search_seed(trial))
    tag = score_tag(facts, record, trial.score, score_run)
    trained = [run for run in runs if run.kind == "train" and run.checkpoint is not None
               and search_seed(trial) in (None, run.seed)]
    judged_by = evaluated(score_run) if score_run else ""
    checkpoint = next((run.checkpoint for run in trained if run.checkpoint and run.checkpoint.path == judged_by),
                      trained[-1].checkpoint if trained else None)
    alike = _alike(facts, record, trial)
    values = _scores_over_seeds(facts, alike, tag)
    told = reported(trial, runs)
    claim = claim_of(trial.id, claims_of(facts.trials_of(record.id), facts.runs_of(record.id), facts.metric_of(record)))
    champion = trial.id == record.champion
    latest = confirm_run or score_run if champion else None
    return Best(
        others=_others(latest, tag), others_run=latest.id if latest else "",
        trial=trial.id, tag=tag, score=trial.score, score_run=score_run.id if score_run else "",
        confirmed=confirm_run.metrics.get(tag) if confirm_run else None,
        confirm_run=confirm_run.id if confirm_run else "",
        seeds=len(_train_seeds(facts, alike)) or 1,
        over_seeds=(min(values), max(values)) if len(values) > 1 else None, changes=changes_of(trial),
        checkpoint=checkpoint.path if checkpoint else "", sha256=checkpoint.sha256 if checkpoint else "",
        verdict=trial.verdict or "", proposer=trial.proposal.proposer, champion=champion,
        over_report_seeds=told.metrics.get(tag) if told else None, report_runs=told.runs if told else (),
        claim=short_words(claim, tag) if claim else "", expected=_expected(facts, record, trial),
        trained_to=length_of(trial, runs))


def _run_of_score(runs: Sequence[Run], trial: Trial, tag: str) -> Run | None:
    """Return the evaluation that a trial's score is of; a trial that was trained on may have a newer one already."""
    known = [run for run in runs if run.metrics.get(tag) == trial.score]
    return scored_run(known, SCORE, search_seed(trial)) or scored_run(runs, SCORE, search_seed(trial))


def score_tag(facts: Facts, record: CampaignRecord, score: Measurement, run: Run | None) -> str:
    """Return the tag behind a score: the task's metric, else the one that the run measured with this very value."""
    tag = facts.metric_of(record).tag
    if run is None or run.metrics.get(tag) == score:
        return tag
    return next((other for other, measured in run.metrics.items() if measured == score), tag)


def _others(run: Run | None, tag: str) -> tuple[tuple[str, Measurement], ...]:
    metrics = run.metrics if run else {}
    return tuple((other, measured) for other, measured in metrics.items() if other != tag)[:MOST_METRICS]


def changes_of(trial: Trial) -> tuple[str, ...]:
    """Return what a trial has that the task's defaults have not, the searched settings first."""
    keys = [*trial.proposal.params, *(key for key in trial.params if key not in trial.proposal.params)]
    return tuple(f"{key}={setting(trial.params.get(key, trial.proposal.params.get(key)))}" for key in keys)


def _alike(facts: Facts, record: CampaignRecord, trial: Trial) -> list[Trial]:
    return [t for t in facts.trials_of(record.id) if t.params == trial.params and t.score is not None]


def _scores_over_seeds(facts: Facts, trials: Sequence[Trial], tag: str) -> list[float]:
    """Return the scores of trials of the same settings, those of their further seeds with them."""
    further = [run.metrics[tag].value for trial in trials for seed in trial.seeds[1:]
               if (run := scored_run(facts.runs_of_trial(trial.id), SCORE, seed)) is not None and tag in run.metrics]
    return [*(trial.score.value for trial in trials if trial.score is not None), *further]


def _expected(facts: Facts, record: CampaignRecord, trial: Trial) -> float | None:
    """Return what another run of a trial can be expected to score, None where the noise between seeds is unknown."""
    trials = facts.trials_of(record.id)
    spread = spread_of(trials, facts.runs_of(record.id), facts.metric_of(record))
    if spread is None or trial.score is None or len(trial.seeds) > 1:
        return None
    rivals = [t.score.value for t in trials if t.score is not None and (t.stage, t.env_steps) == (
        trial.stage, trial.env_steps)]
    return shrunken(trial.score.value, rivals, spread)


def _train_seeds(facts: Facts, trials: Sequence[Trial]) -> set[int]:
    return {run.seed for trial in trials for run in facts.runs_of_trial(trial.id)
            if run.kind == "train" and run.checkpoint is not None}
