"""How does a configuration that was found become a campaign of its own? With every setting fixed, and fresh seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from vbotd.core.campaign_text import label_from
from vbotd.domain.history import CampaignRecord
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Trial

GROUPS = ("env", "ppo", "reward")
REPEATS = 5  # seeds; fewer than four cannot show that one setting is better than another


def pinned_campaign(record: CampaignRecord, trial: Trial, *, task: str, env_steps: int | None, num_envs: int | None,
                    schema: str, repeats: int = REPEATS) -> str:
    """Return a campaign file that trains a trial's settings again, nothing searched, each run with a seed of its own.

    The seeds follow on those of the campaign: the one that chose the settings is not among them.

    Args:
        record: the campaign that the trial is of.
        task: what its train run trained.
        env_steps, num_envs: of its train run; None: the task's own.
        schema: where an editor finds the JSON Schema, relative to the file.
    """
    return "\n".join(_lines(record, trial, task, env_steps, num_envs, schema, repeats)) + "\n"


def exact(value: ParamValue) -> str:
    """Return a setting as YAML that reads back as the very same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return re.sub(r"e([-+])0(\d)", r"e\1\2", repr(value))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(exact(number) for number in value) + "]"


def _lines(record: CampaignRecord, trial: Trial, task: str, env_steps: int | None, num_envs: int | None, schema: str,
           repeats: int) -> Iterator[str]:
    content = record.content
    yield f"# yaml-language-server: $schema={schema}"
    yield f"# The settings of {trial.id}, pinned: is it the settings, or was it the seed?"
    if trial.score is not None:
        yield (f"# They had {trial.score.value:.4g} [{trial.score.low:.4g}, {trial.score.high:.4g}] when chosen"
               " among others, which is more than can be expected again.")
    yield "version: 1"
    yield f"name: {json.dumps(label_from(f'{content.name}-t{trial.number:03d}-pinned'))}"
    yield f"task: {task}"
    yield "skills: []    # nobody proposes anything: every trial has these settings, and a seed of its own"
    yield f"budget: {{trials: {repeats}}}"
    sizes = {"env_steps": env_steps, "num_envs": num_envs, "seed": content.train.seed + 1}
    yield f"train: {{{', '.join(f'{key}: {value}' for key, value in sizes.items() if value is not None)}}}"
    yield f"evaluate: {{episodes: {content.evaluate.episodes}}}"
    for group in GROUPS:
        yield from _group(group, trial.params)
    if content.gates:
        yield "gate:"
        yield from (f"  {gate.tag}: \"{gate.op} {gate.value:g}\"" for gate in content.gates)


def _group(group: str, params: Mapping[str, ParamValue]) -> Iterator[str]:
    keys = sorted(key for key in params if key.startswith(f"{group}."))
    if keys:
        yield f"{group}:"
        yield from (f"  {key.removeprefix(f'{group}.')}: {exact(params[key])}" for key in keys)
