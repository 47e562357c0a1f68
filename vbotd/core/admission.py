"""May a proposal become a trial, or extend one? The same rules for skills, agents and people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from vbotd.core.campaign_cards import value_troubles
from vbotd.core.sighting import Circumstances
from vbotd.domain import event as e
from vbotd.domain.campaign import Campaign, Stage
from vbotd.domain.history import CampaignRecord
from vbotd.domain.task import ParamValue, TaskCard
from vbotd.domain.trial import Proposal, Run, Trial

MOST_EXTENSIONS = 32  # of one trial; a skill that never has enough of it would never let the campaign end
MOST_SEEDS = 64


def begun(proposal: Proposal, runs: Iterable[Run]) -> Proposal:
    """Return a proposal whose warm start names its checkpoint: that of the newest training of the trial it names."""
    warm = proposal.warm_start
    if warm is None or warm.checkpoint:
        return proposal
    found = [run.checkpoint.path for run in runs if run.trial == warm.trial and run.kind == "train" and run.checkpoint]
    return replace(proposal, warm_start=replace(warm, checkpoint=found[-1])) if found else proposal


def refusal(proposal: Proposal, campaign: CampaignRecord, trials: Sequence[Trial], circumstances: Circumstances, *,
            approved: bool = False) -> str:
    """Return why a proposal is not admitted, "" when it is. `trials` are those of the campaign.

    `approved`: a person lets it leave the declared space, though never what the task itself allows.
    """
    found = [*_of_sizes(proposal), *_of_warm_start(proposal)]
    if proposal.extends:
        found += _of_extension(proposal, trials, campaign.content, circumstances)
    else:
        found += _of_place(proposal, campaign.content)
        found += [] if found else _of_params(proposal, campaign.content, trials, circumstances, approved=approved)
        twin = next((trial.id for trial in trials if same_setting(trial.proposal, proposal)), None)
        found += [f"it repeats {twin}"] if twin and not found else []
    return "; ".join(found)


def same_setting(one: Proposal, other: Proposal) -> bool:
    """Say whether two proposals are the same trial: equal settings at the same place, begun in the same way."""
    return (dict(one.params) == dict(other.params) and (one.task, one.stage) == (other.task, other.stage)
            and one.warm_start == other.warm_start)


def admitted(campaign: CampaignRecord, number: int, proposal: Proposal) -> e.TrialAdmitted:
    """Return the trial that a checked proposal becomes; the file's fixed settings come first, then the stage's."""
    content = campaign.content
    stage = stage_of(content, proposal.stage)
    # Without a search the trials of a campaign repeat one setting, so each needs its own seed.
    own_seed = content.train.seed + (0 if content.space.dimensions or content.stages else number - 1)
    return e.TrialAdmitted(
        campaign=campaign.id, trial=f"{campaign.id}/t{number:03d}", number=number, proposal=proposal,
        params={**content.params, **(stage.params if stage else {}), **proposal.params},
        seeds=proposal.seeds or (own_seed,))


def extended(campaign: CampaignRecord, proposal: Proposal) -> e.TrialExtended:
    """Return the extension that a checked proposal becomes."""
    return e.TrialExtended(campaign=campaign.id, trial=proposal.extends, why=proposal.why, by=proposal.proposer,
                           env_steps=proposal.env_steps, seeds=proposal.seeds)


def stage_of(content: Campaign, name: str) -> Stage | None:
    """Return the stage of that name, None where there is none."""
    return next((stage for stage in content.stages if stage.name == name), None) if name else None


def task_of(content: Campaign, proposal: Proposal) -> str:
    """Return the task that a proposal is about: its own, its stage's, the campaign's."""
    stage = stage_of(content, proposal.stage)
    return proposal.task or (stage.task if stage else "") or content.task


def horizon(trial: Trial, content: Campaign, task: TaskCard) -> int:
    """Return the env steps that the schedules of a trial's trainings are laid out for, whatever rung it stops at."""
    stage = stage_of(content, trial.stage)
    full = (stage.env_steps if stage else None) or content.train.env_steps or task.env_steps
    return max(full, trial.env_steps or 0)


def _of_sizes(proposal: Proposal) -> Iterator[str]:
    if proposal.env_steps is not None and proposal.env_steps < 1:
        yield f"env_steps is {proposal.env_steps}, allowed is a number above 0"
    bad = [seed for seed in proposal.seeds if not 0 <= seed < 2**31]
    if bad:
        yield f"seed {bad[0]} is not from 0 to 2^31"
    if len(set(proposal.seeds)) != len(proposal.seeds) or len(proposal.seeds) > MOST_SEEDS:
        yield f"seeds are {proposal.seeds}, allowed are at most {MOST_SEEDS}, each once"


def _of_warm_start(proposal: Proposal) -> Iterator[str]:
    warm = proposal.warm_start
    if warm is not None and not warm.checkpoint:
        yield f"it starts from {warm.trial or 'no trial'}, which has no checkpoint in this campaign"
    elif warm is not None and (warm.checkpoint.startswith("/") or ".." in warm.checkpoint.split("/")):
        yield f"it starts from '{warm.checkpoint}', which is no path below runs/"


def _of_extension(proposal: Proposal, trials: Sequence[Trial], content: Campaign, circumstances: Circumstances
                  ) -> Iterator[str]:
    trial = next((trial for trial in trials if trial.id == proposal.extends), None)
    if trial is None:
        yield f"it extends '{proposal.extends}', which is no trial of this campaign"
        return
    if not trial.judged:
        yield f"it extends {trial.id}, which is not judged yet"
    if trial.rung >= MOST_EXTENSIONS:
        yield f"it extends {trial.id}, which was extended {trial.rung} times already"
    task = circumstances.tasks.get(task_of(content, trial.proposal))
    trained_to = trial.env_steps or (horizon(trial, content, task) if task else 0)
    further = proposal.env_steps is not None and proposal.env_steps > trained_to
    if not further and not set(proposal.seeds) - set(trial.seeds):
        yield (f"it extends {trial.id} by nothing: env_steps {proposal.env_steps} (it was trained to "
               f"{trained_to}), seeds {proposal.seeds} (it has {trial.seeds})")
    if set(proposal.seeds) & set(trial.seeds):
        yield f"{trial.id} has the seeds {sorted(set(proposal.seeds) & set(trial.seeds))} already"
    if {**trial.params, **proposal.params} != dict(trial.params):
        yield f"it extends {trial.id} with other settings; that would be another trial"


def _of_place(proposal: Proposal, content: Campaign) -> Iterator[str]:
    stage = stage_of(content, proposal.stage)
    if proposal.stage and stage is None:
        known = ", ".join(one.name for one in content.stages) or "none"
        yield f"there is no stage '{proposal.stage}' in this campaign; its stages: {known}"
    elif proposal.task and proposal.task != (stage.task if stage else content.task):
        yield f"its task is '{proposal.task}', here it is '{stage.task if stage else content.task}'"


def _of_params(proposal: Proposal, content: Campaign, trials: Sequence[Trial], circumstances: Circumstances, *,
               approved: bool) -> Iterator[str]:
    stage, card = stage_of(content, proposal.stage), circumstances.tasks.get(task_of(content, proposal))
    if approved:
        yield from outside_task(proposal.params, card)
        return
    free = _may_change(proposal, content, circumstances)
    dimensions = {dimension.key for dimension in content.space.dimensions}
    beside = {key: value for key, value in proposal.params.items() if key not in dimensions
              and (key.startswith(free) or (stage is not None and key in stage.params)
                   or any(key in trial.proposal.params and trial.proposal.params[key] == value for trial in trials))}
    searched = {key: value for key, value in proposal.params.items() if key not in beside}
    if stage is None or searched:
        yield from content.space.problems(searched)
    yield from outside_task(beside, card)


def _may_change(proposal: Proposal, content: Campaign, circumstances: Circumstances) -> tuple[str, ...]:
    """Return the beginnings of keys that the proposer may set: its skill's, where the campaign names that skill."""
    def plain(name: str) -> str:
        return name.replace("_", "-")
    return tuple(prefix for card in circumstances.skills.values()
                 if plain(card.name) == plain(proposal.proposer) and content.skill(card.name)
                 for prefix in card.may_change)


def outside_task(params: Mapping[str, ParamValue], card: TaskCard | None) -> Iterator[str]:
    """Yield what a task does not allow: keys that it does not know, values beyond its own bounds."""
    for key, value in params.items():
        known = card.param(key) if card else None
        if known is None:
            yield f"'{key}' is no setting of the task"
        else:
            yield from (f"{key}: {trouble.message}" for trouble in value_troubles((), known, value))
