"""The life of a trial: train it, evaluate it on held-out episodes, judge it; and of a campaign's champion."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vbotd.core.judge import CONFIRM, SCORE, default_opinion
from vbotd.core.opinions import combine_verdicts
from vbotd.core.sighting import Circumstances
from vbotd.core.state import State
from vbotd.domain.event import RunQueued, TrialJudged
from vbotd.domain.history import CampaignRecord
from vbotd.domain.skill import Opinion
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import CheckpointRef, Run, Trial


def next_run(trial: Trial, runs: Sequence[Run], campaign: CampaignRecord, circumstances: Circumstances
             ) -> RunQueued | None:
    """Return the run that a trial needs next: its training, a retry of a lost one, its evaluation; or None."""
    trains = [run for run in runs if run.kind == "train"]
    if not trains:
        return _train(trial, campaign, circumstances, attempt=1, resume_from=None)
    last = trains[-1]
    if last.outcome == "lost" and last.attempt < circumstances.max_attempts and campaign.status == "open":
        return replace(_train(trial, campaign, circumstances, attempt=last.attempt + 1, resume_from=last.checkpoint),
                       seed=last.seed)
    if last.outcome not in ("finished", "stopped") or last.checkpoint is None:
        return None
    return evaluation(trial, runs, campaign, circumstances, purpose=SCORE, checkpoint=last.checkpoint, seed=last.seed)


def evaluation(trial: Trial, runs: Sequence[Run], campaign: CampaignRecord, circumstances: Circumstances, *,
               purpose: str, checkpoint: CheckpointRef, seed: int) -> RunQueued | None:
    """Return the evaluation of a purpose that a checkpoint still needs, or None when it has one or cannot have one."""
    tried = [run for run in runs if run.kind == "evaluate" and run.purpose == purpose]
    if tried and (tried[-1].outcome != "lost" or tried[-1].attempt >= circumstances.max_attempts):
        return None
    attempt = len(tried) + 1
    content = campaign.content
    return RunQueued(
        campaign=campaign.id, trial=trial.id, run=f"{trial.id}/{purpose}-s{seed}-a{attempt}", kind="evaluate",
        seed=seed, attempt=attempt, purpose=purpose, spec={
            **_common(trial, campaign, circumstances, "evaluate"),
            "evaluate": {"checkpoint": checkpoint.path, "sha256": checkpoint.sha256,
                         "episodes": content.evaluate.episodes,
                         "instances": instances_seed(campaign.id, purpose)}})


def instances_seed(campaign: str, purpose: str) -> int:
    """Return the seed of the held-out episodes: equal for all trials of a campaign, another one to confirm with."""
    base = 1_000_000 + 2 * (zlib.crc32(campaign.encode()) % 1_000_000)
    return base + (1 if purpose == CONFIRM else 0)


def judged(trial: Trial, state: State, task: TaskCard, opinions: Sequence[tuple[str, Opinion]] = ()) -> TrialJudged:
    """Return the verdict on a trial whose runs have ended: the most careful of the core's and the plugins'."""
    others = [t for t in state.trials_of(trial.campaign) if t.id != trial.id]
    own, score = default_opinion(trial, state.runs_of(trial.id), others, task)
    voice = combine_verdicts([("core", own), *opinions])
    assert voice is not None, "the core always has an opinion"
    why = voice.why if voice.by == "core" else f"{voice.by}: {voice.why}"
    return TrialJudged(campaign=trial.campaign, trial=trial.id, verdict=voice.verdict, why=why, score=score,
                       dissent=voice.dissent)


def is_ready_to_judge(trial: Trial, runs: Sequence[Run]) -> bool:
    """Say whether a trial has runs and all of them have ended."""
    return not trial.judged and bool(runs) and all(run.status == "ended" for run in runs)


def _train(trial: Trial, campaign: CampaignRecord, circumstances: Circumstances, *, attempt: int,
           resume_from: CheckpointRef | None) -> RunQueued:
    content = campaign.content
    task = circumstances.tasks[content.task]
    # without a search the trials of a campaign repeat one setting, so each needs its own seed
    seed = content.train.seed + (0 if content.space.dimensions else trial.number - 1)
    return RunQueued(
        campaign=campaign.id, trial=trial.id, run=f"{trial.id}/train-s{seed}-a{attempt}", kind="train", seed=seed,
        attempt=attempt, spec={
            **_common(trial, campaign, circumstances, "train"),
            "train": {"env_steps": content.train.env_steps or task.env_steps,
                      "num_envs": content.train.num_envs or task.num_envs},
            "resume_from": resume_from.path if resume_from else None})


def _common(trial: Trial, campaign: CampaignRecord, circumstances: Circumstances, kind: str) -> Mapping[str, Any]:
    task = campaign.content.task
    return {"entry": circumstances.entries.get((task, kind)) or circumstances.entries.get(("", kind), ""),
            "task": task, "params": dict(trial.params)}
