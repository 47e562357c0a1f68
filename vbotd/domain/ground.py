"""Where is tried what is not the climb? On the first stage: a search on the last one would see nothing but zeros.

A campaign with stages is, to the skills that search, one without: its first stage is all there is of it, with the
trials that were made there. What they propose is placed there again. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vbotd.domain.campaign import Campaign, Stage
from vbotd.domain.history import History
from vbotd.domain.trial import Proposal, Trial

CLIMBER = "curriculum"  # the skill that the stages belong to


def ground_stage(campaign: Campaign) -> Stage | None:
    """Return the first stage, None where there is none or it is of another task than the campaign."""
    first = campaign.stages[0] if campaign.stages else None
    return first if first is not None and first.task == campaign.task else None


def ground_of(history: History) -> History:
    """Return a campaign as if its first stage were all of it; one without stages as it is."""
    campaign = history.campaign
    if not campaign.stages:
        return history
    stage = ground_stage(campaign)
    plain = replace(
        campaign, stages=(), params={**campaign.params, **(stage.params if stage else {})},
        train=replace(campaign.train, env_steps=(stage.env_steps if stage else None) or campaign.train.env_steps))
    trials = tuple(replace(trial, stage="", proposal=replace(trial.proposal, stage=""))
                   for trial in history.trials if is_on_ground(trial, campaign))
    ids = {trial.id for trial in trials} | {""}
    return replace(history, record=replace(history.record, content=plain), trials=trials,
                   runs=tuple(run for run in history.runs if run.trial in ids))


def is_on_ground(trial: Trial, campaign: Campaign) -> bool:
    """Say whether a trial was made where searches are, and is no part of the climb itself."""
    stage = ground_stage(campaign)
    return (trial.stage == (stage.name if stage else "") and trial.warm_start is None
            and trial.proposal.proposer.replace("_", "-") != CLIMBER)


def placed(proposals: Sequence[Proposal], campaign: Campaign) -> list[Proposal]:
    """Return proposals that were made for the first stage alone, with its name."""
    stage = ground_stage(campaign)
    return [replace(proposal, stage=stage.name) if stage else proposal for proposal in proposals]
