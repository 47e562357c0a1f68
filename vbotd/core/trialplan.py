"""The life of a trial: train it, evaluate it on held-out episodes, judge it; and of a campaign's champion."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vbotd.core.admission import horizon, task_of
from vbotd.core.auditing import is_preflight
from vbotd.core.judge import CONFIRM, default_opinion
from vbotd.core.opinions import combine_verdicts, dissenting
from vbotd.core.sighting import Circumstances
from vbotd.core.state import State
from vbotd.core.verdict.claims import claim_of, claims_of
from vbotd.core.verdict.lengths import SCORE
from vbotd.domain.event import RunQueued, TrialJudged
from vbotd.domain.history import CampaignRecord
from vbotd.domain.skill import FollowUp, Opinion
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import CheckpointRef, Run, Trial


def next_run(trial: Trial, runs: Sequence[Run], campaign: CampaignRecord, circumstances: Circumstances
             ) -> RunQueued | None:
    """Return the run that a trial needs next, for the first of its seeds that has none at work; None where none does.

    In turn: its training (a retry of a lost one, or the rest after an extension), then its evaluation.
    """
    for seed in seeds_of(trial, campaign):
        of_seed = [run for run in runs if run.seed == seed and not is_preflight(run)]
        if all(run.status == "ended" for run in of_seed):
            wanted = _next_of_seed(trial, seed, of_seed, campaign, circumstances)
            if wanted is not None:
                return wanted
    return None


def seeds_of(trial: Trial, campaign: CampaignRecord) -> tuple[int, ...]:
    """Return the run seeds of a trial; the first is the one that the search compares by."""
    return trial.seeds or (campaign.content.train.seed,)


def _next_of_seed(trial: Trial, seed: int, runs: Sequence[Run], campaign: CampaignRecord, circumstances: Circumstances
                  ) -> RunQueued | None:
    trains = [run for run in runs if run.kind == "train"]
    task = circumstances.tasks[task_of(campaign.content, trial.proposal)]
    until = trial.env_steps or horizon(trial, campaign.content, task)
    if not trains:
        return _train(trial, seed, until, campaign, circumstances, attempt=1, resume_from=None)
    last = trains[-1]
    is_short = _until(last) < until  # it ended well where it was to end then, and the trial was extended since
    if last.outcome == "lost" and last.attempt < circumstances.max_attempts and campaign.status == "open":
        start = last.checkpoint or _resumed_from(last)
        return _train(trial, seed, until, campaign, circumstances, attempt=last.attempt + 1, resume_from=start)
    if last.outcome not in ("finished", "stopped") or last.checkpoint is None:
        return None
    if is_short and campaign.status == "open":
        return _train(trial, seed, until, campaign, circumstances, attempt=1,
                      resume_from=last.last_checkpoint or last.checkpoint)
    return evaluation(trial, runs, campaign, circumstances, purpose=SCORE, checkpoint=last.checkpoint, seed=seed)


def evaluation(trial: Trial, runs: Sequence[Run], campaign: CampaignRecord, circumstances: Circumstances, *,
               purpose: str, checkpoint: CheckpointRef, seed: int) -> RunQueued | None:
    """Return the evaluation of a purpose that a checkpoint still needs, or None when it has one or cannot have one."""
    tried = [run for run in runs if run.kind == "evaluate" and run.purpose == purpose and run.seed == seed
             and evaluated(run) == checkpoint.path]
    if tried and (tried[-1].outcome != "lost" or tried[-1].attempt >= circumstances.max_attempts):
        return None
    attempt = len(tried) + 1
    content = campaign.content
    common = _common(trial, campaign, circumstances, "evaluate")
    aim = content.stages[-1] if content.stages and purpose == CONFIRM else None
    if aim is not None and aim.task == common["task"]:  # whatever it was trained at, this is what was asked for
        common = {**common, "params": {**common["params"], **aim.params}}
    return RunQueued(
        campaign=campaign.id, trial=trial.id, run=f"{trial.id}/{purpose}-s{seed}{_rung(trial)}-a{attempt}",
        kind="evaluate", seed=seed, attempt=attempt, purpose=purpose, spec={
            **common,
            "evaluate": {"checkpoint": checkpoint.path, "sha256": checkpoint.sha256,
                         "episodes": content.evaluate.episodes,
                         "instances": instances_seed(campaign.id, purpose)}})


def evaluated(run: Run) -> str:
    """Return the checkpoint that an evaluation is of, as a path below `runs/`; "" for another kind of run."""
    return str((run.spec.get("evaluate") or {}).get("checkpoint", ""))


def instances_seed(campaign: str, purpose: str) -> int:
    """Return the seed of the held-out episodes: equal for all trials of a campaign, another one for each purpose."""
    base = 1_000_000 + 2 * (zlib.crc32(campaign.encode()) % 1_000_000)
    if purpose in (SCORE, CONFIRM):
        return base + (1 if purpose == CONFIRM else 0)
    return 10_000_000 + zlib.crc32(f"{campaign}|{purpose}".encode())


def judged(trial: Trial, state: State, task: TaskCard, opinions: Sequence[tuple[str, Opinion]] = ()) -> TrialJudged:
    """Return the verdict on a trial whose runs have ended: the most careful of the core's and the plugins'."""
    own, score = default_opinion(trial, _runs_beside(trial, state), _rivals(trial, state), task)
    voice = combine_verdicts([("core", own), *opinions])
    assert voice is not None, "the core always has an opinion"
    why = voice.why if voice.by == "core" else f"{voice.by}: {voice.why}"
    return TrialJudged(campaign=trial.campaign, trial=trial.id, verdict=voice.verdict, why=why, score=score,
                       dissent=voice.dissent)


def judged_anew(trial: Trial, state: State, task: TaskCard) -> TrialJudged | None:
    """Return another verdict on a trial whose comparison has changed since it was judged, None where it stands.

    The trial it is compared with got its report seeds later, or others claim something too. What plugins said stays,
    and where one of them was heard above the core, it stays so.
    """
    if not trial.judged or len(trial.seeds) < 2 or any(said.startswith("core: ") for said in trial.dissent):
        return None
    rivals, runs = _rivals(trial, state), _runs_beside(trial, state)
    compared = {trial.id, *(t.id for t in rivals if len(t.seeds) > 1)}
    if any(run.trial in compared and run.status != "ended" for run in runs) or not claim_of(
            trial.id, claims_of((trial, *rivals), runs, task.metric)):
        return None
    found = judged(trial, state, task, [dissenting(said) for said in trial.dissent])
    return found if (found.verdict, found.why) != (trial.verdict, trial.why) else None


def is_ready_to_judge(trial: Trial, runs: Sequence[Run], circumstances: Circumstances) -> bool:
    """Say whether a trial has runs, all of them have ended, and whoever may ask for further ones has been heard."""
    if trial.judged or not runs or any(run.status != "ended" for run in runs):
        return False
    return are_followed(runs, circumstances)


def are_followed(runs: Sequence[Run], circumstances: Circumstances) -> bool:
    """Say whether whoever may ask for further runs after these has been heard."""
    return not circumstances.followers or all(run.id in circumstances.followed for run in runs if not is_preflight(run))


def follow_up(run: Run, trial: Trial, campaign: CampaignRecord, circumstances: Circumstances, plugin: str,
              wanted: FollowUp) -> RunQueued | None:
    """Return the run that a plugin asks for after another one, None where nobody does such runs or it cannot be."""
    task = wanted.task or task_of(campaign.content, trial.proposal)
    entry = circumstances.entries.get((task, wanted.kind)) or circumstances.entries.get(("", wanted.kind), "")
    checkpoint = run.checkpoint.path if run.checkpoint else evaluated(run) or None
    if not entry or task not in circumstances.tasks or (wanted.kind == "evaluate" and checkpoint is None):
        return None
    label = f"{plugin}-{wanted.purpose}" if wanted.purpose else plugin
    purpose = f"{plugin}:{wanted.purpose}" if wanted.purpose else plugin
    spec = {**wanted.spec, "task": task, "entry": entry, "checkpoint": checkpoint,
            "params": {**run.spec.get("params", {}), **wanted.params}}
    if wanted.kind == "evaluate":
        spec["evaluate"] = {"checkpoint": checkpoint, "episodes": campaign.content.evaluate.episodes,
                            "instances": instances_seed(campaign.id, purpose)}
    return RunQueued(
        campaign=run.campaign, trial=trial.id, run=f"{trial.id}/{wanted.kind}-{_plain(label)}-s{run.seed}-a1",
        kind=wanted.kind, seed=run.seed, attempt=1, purpose=purpose, asked_by=plugin, spec=spec)


def _rivals(trial: Trial, state: State) -> list[Trial]:
    """Return the other trials of the same stage."""
    return [t for t in state.trials_of(trial.campaign) if t.id != trial.id and t.stage == trial.stage]


def _runs_beside(trial: Trial, state: State) -> list[Run]:
    """Return the runs of the whole campaign of a trial, in the order they were queued."""
    return [run for run in state.runs.values() if run.campaign == trial.campaign]


def _train(trial: Trial, seed: int, until: int, campaign: CampaignRecord, circumstances: Circumstances, *, attempt: int,
           resume_from: CheckpointRef | None) -> RunQueued:
    content = campaign.content
    task = circumstances.tasks[task_of(content, trial.proposal)]
    warm = trial.warm_start if resume_from is None else None
    return RunQueued(
        campaign=campaign.id, trial=trial.id, run=f"{trial.id}/train-s{seed}{_rung(trial)}-a{attempt}", kind="train",
        seed=seed, attempt=attempt, spec={
            **_common(trial, campaign, circumstances, "train"),
            "train": {"env_steps": horizon(trial, content, task),
                      "num_envs": content.train.num_envs or task.num_envs, "until": until},
            "warm_start": asdict(warm) if warm else None,
            "resume_from": resume_from.path if resume_from else None,
            "resumed_env_steps": resume_from.env_steps if resume_from else 0})


def _common(trial: Trial, campaign: CampaignRecord, circumstances: Circumstances, kind: str) -> Mapping[str, Any]:
    task = task_of(campaign.content, trial.proposal)
    return {"entry": circumstances.entries.get((task, kind)) or circumstances.entries.get(("", kind), ""),
            "task": task, "params": dict(trial.params)}


def _until(train: Run) -> int:
    asked = train.spec.get("train") or {}
    return int(asked.get("until") or asked.get("env_steps") or 0)


def _resumed_from(run: Run) -> CheckpointRef | None:
    """Return where a training that left no checkpoint of its own went on from."""
    path = run.spec.get("resume_from")
    return CheckpointRef(path=path, sha256="", env_steps=int(run.spec.get("resumed_env_steps") or 0)) if path else None


def _rung(trial: Trial) -> str:
    return f"-r{trial.rung}" if trial.rung else ""


def _plain(label: str) -> str:
    """Return a label as a part of a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label)[:80]
