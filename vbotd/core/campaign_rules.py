"""Do the parts of a campaign go together? Each rule is one small function; the table at the end lists them.

A rule sees a file whose parts are each well formed (the parts that are not were taken out), and yields what is wrong.
Rules that ask the task's own card are in `campaign_cards`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from vbotd.core.campaign_file import CampaignFile, RangePart
from vbotd.core.campaign_schema import listed
from vbotd.core.yaml_guard import Path
from vbotd.core.yaml_scalar import quoted
from vbotd.domain.skill import SkillCard
from vbotd.domain.task import TaskCard

GROUPS = ("env", "ppo", "reward")
_SETTING_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_TAG = re.compile(r"[a-z][a-z0-9_]*(/[a-z0-9_.-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong, at a path of the file; `on_key` points at the key and not at its value."""

    path: Path
    message: str
    fix: str = ""
    on_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the plugins offer. None: not known yet, so names are not checked."""

    tasks: Mapping[str, TaskCard] | None = None
    skills: Mapping[str, SkillCard] | None = None


Rule = Callable[[CampaignFile, Known], Iterator[Trouble]]


def did_you_mean(word: str, names: Iterable[str], otherwise: str) -> str:
    """Return the nearest known name as a question, or what to do where nothing is near."""
    # difflib is quadratic in the length of a word, and the word comes from a file.
    near = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6) if len(word) <= 80 else []
    return f"did you mean '{near[0]}'?" if near else otherwise


def skills_of(file: CampaignFile) -> tuple[tuple[str, dict], ...]:
    """Return the skills of a campaign with their options; the default where the file names none."""
    if file.skills is not None:
        return tuple(file.skills)
    searches = file.search is not None or (not file.stages and (file.budget.trials or 1) > 1)
    names = (["hp-search"] if searches else []) + (["curriculum"] if file.stages else [])
    return tuple((name, {}) for name in names)


def fixed_settings(file: CampaignFile) -> Iterator[tuple[Path, str, object]]:
    """Yield the path, full key and value of every setting that the campaign fixes for all its trials."""
    for group in GROUPS:
        for name, value in getattr(file, group).items():
            yield (group, name), f"{group}.{name}", value


def stage_settings(file: CampaignFile, index: int) -> Iterator[tuple[Path, str, object]]:
    """Yield the path, full key and value of every setting that one stage fixes."""
    for group in GROUPS:
        for name, value in getattr(file.stages[index], group).items():
            yield ("stages", index, group, name), f"{group}.{name}", value


def _a_task_is_named(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    unnamed = [stage.name for stage in file.stages if stage.task is None]
    if file.task is None and (unnamed or not file.stages):
        what = f"stage '{unnamed[0]}' has none either" if unnamed else "and there are no stages"
        yield Trouble(path=("task",), message=f"the key is missing, {what} — allowed: the name of a task",
                      fix="add a line such as 'task: vbot_walk_flat'")


def _a_search_says_how_many(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    if file.search is not None and file.budget.trials is None:
        yield Trouble(path=("budget", "trials"), message="the key is missing, and a search needs it"
                      " — allowed: a whole number from 1 to 10000", fix="add it, as in 'budget: {trials: 27}'")


def _ranges_run_upwards(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    for key, part in file.search.space.items() if file.search else ():
        path: Path = ("search", "space", key)
        given = [name for name, values in _forms(part).items() if values is not None]
        if len(given) != 1:
            yield Trouble(path=path, on_key=True, fix="keep one, as in {uniform: [1, 4]}",
                          message=f"has {listed(given) or 'no form'} — allowed: exactly one of {listed(_forms(part))}")
            continue
        form, values = given[0], _forms(part)[given[0]] or []
        if form == "choice":
            yield from _choices_differ((*path, form), values)
        elif values[0] >= values[1]:
            low, high = values
            yield Trouble(path=(*path, form), message=f"low {low:g} is not below high {high:g} — allowed: low < high",
                          fix="swap them" if low > high else "fix the setting instead, outside 'search'")
        elif form == "log" and values[0] <= 0:
            yield Trouble(path=(*path, form, 0), message=f"'{values[0]:g}' has no logarithm — allowed: above 0",
                          fix="raise it, or use uniform")


def _forms(part: RangePart) -> dict[str, list | None]:
    return {"uniform": part.uniform, "log": part.log, "int": part.int_, "choice": part.choice}


def _choices_differ(path: Path, values: list) -> Iterator[Trouble]:
    seen: set[tuple[type, object]] = set()
    for index, value in enumerate(values):
        if (type(value), value) in seen:
            yield Trouble(path=(*path, index), message=f"{quoted(value)} is listed twice — allowed: once",
                          fix="delete one of the two")
        seen.add((type(value), value))


def _settings_have_names(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    stages = (entry for index in range(len(file.stages)) for entry in stage_settings(file, index))
    for path, key, _ in (*fixed_settings(file), *stages):
        name = key.partition(".")[2]
        if _SETTING_NAME.fullmatch(name) is None:
            yield Trouble(path=path, on_key=True, message=f"{quoted(name)} is not the name of a setting"
                          " — allowed: a-z 0-9 _ .", fix="see 'vbotd tasks NAME' for the settings of a task")
    for key in file.search.space if file.search else ():
        group, _, name = key.partition(".")
        if group not in GROUPS or _SETTING_NAME.fullmatch(name) is None:
            yield Trouble(path=("search", "space", key), on_key=True, fix="as in 'ppo.learning_rate'",
                          message=f"{quoted(key)} is not a setting that can vary — allowed: env.*, ppo.*, reward.*")


def _nothing_is_fixed_and_searched(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    if file.search is None:
        return
    fixed = {key: path[0] for path, key, _ in fixed_settings(file)}
    for index, stage in enumerate(file.stages):
        fixed |= {key: f"stage '{stage.name}'" for _, key, _ in stage_settings(file, index)}
    for key in file.search.space:
        if key in fixed:
            yield Trouble(path=("search", "space", key), on_key=True, fix="delete one of the two",
                          message=f"'{key}' is also fixed under {fixed[key]} — allowed: fixed or searched")


def _a_trial_fits_the_budget(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    steps, most = file.train.env_steps, file.budget.env_steps
    if steps and most and steps > most:
        yield Trouble(path=("budget", "env_steps"), fix="raise it, or lower train.env_steps",
                      message=f"'{most}' is less than one trial needs ({steps}) — allowed: at least {steps}")
    if steps and file.train.num_envs and steps < file.train.num_envs:
        yield Trouble(path=("train", "num_envs"), fix="lower it, or raise train.env_steps",
                      message=f"'{file.train.num_envs}' environments use up {steps} env steps in less than one control"
                      f" step — allowed: at most {steps}")


def _skills_are_known(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    offered = None if known.skills is None else sorted(name.replace("_", "-") for name in known.skills)
    seen: set[str] = set()
    for index, (name, _) in enumerate(file.skills or ()):
        if name in seen:
            yield Trouble(path=("skills", index), message=f"'{name}' is named twice — allowed: once",
                          fix="delete one of the two")
        elif offered is not None and name not in offered:
            yield Trouble(path=("skills", index), fix=did_you_mean(name, offered, "see 'vbotd plugins'"),
                          message=f"skill '{name}' is not registered — known: {listed(offered) or 'none'}")
        seen.add(name)


def _skills_cover_the_work(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    if file.skills is None or known.skills is None:
        return
    names = {name for name, _ in file.skills}
    if file.stages and "curriculum" not in names:
        yield Trouble(path=("stages",), on_key=True, fix="add curriculum to 'skills'",
                      message="stages need the skill 'curriculum' — allowed: stages together with it")
    if file.search is not None and not names:
        yield Trouble(path=("skills",), fix="write 'skills: [hp-search]'",
                      message="is an empty list, so nobody proposes a trial — allowed: at least one skill")


def _gates_name_metrics(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    gates: list[Path] = [("gate", tag) for tag in file.gate]
    gates += [("stages", index, "gate", tag) for index, stage in enumerate(file.stages) for tag in stage.gate]
    for path in gates:
        if _TAG.fullmatch(str(path[-1])) is None:
            yield Trouble(path=path, on_key=True, fix="as in eval/success_rate",
                          message=f"{quoted(path[-1])} is not a metric — allowed: group/name in lower case")


def _stages_follow_each_other(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    earlier: list[str] = []
    for index, stage in enumerate(file.stages):
        if stage.name in earlier:
            yield Trouble(path=("stages", index, "name"), message=f"'{stage.name}' is the name of two stages"
                          " — allowed: each name once", fix="rename one")
        source = stage.warm_start.from_ if stage.warm_start else None
        if source is not None and source not in earlier:
            yield Trouble(path=("stages", index, "warm_start", "from"),
                          message=f"'{source}' is not an earlier stage — allowed: {listed(earlier) or 'none before'}",
                          fix=did_you_mean(source, earlier, "name a stage above this one, or delete warm_start"))
        earlier.append(stage.name)


def _one_schedule(file: CampaignFile, known: Known) -> Iterator[Trouble]:
    if file.schedule is None:
        return
    given = [name for name in ("cron", "at", "every") if getattr(file.schedule, name) is not None]
    if len(given) != 1:
        yield Trouble(path=("schedule",), on_key=True, fix="keep one of them",
                      message=f"has {listed(given) or 'nothing'} — allowed: exactly one of cron, at, every")


# A rule, and the top-level keys it cannot do without: where one of them is damaged, what the rule would say of an
# absence is not to be trusted, and it is not asked.
RULES: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (_a_task_is_named, ("stages",)),
    (_a_search_says_how_many, ("budget",)),
    (_ranges_run_upwards, ()),
    (_settings_have_names, ()),
    (_nothing_is_fixed_and_searched, ()),
    (_a_trial_fits_the_budget, ()),
    (_skills_are_known, ()),
    (_skills_cover_the_work, ("skills",)),
    (_gates_name_metrics, ()),
    (_stages_follow_each_other, ()),
    (_one_schedule, ()),
)
