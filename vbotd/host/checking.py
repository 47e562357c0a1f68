"""Is a campaign one that can run? Asked before it is dropped, with the same code as the daemon's intake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vbotd.core.campaign_problems import problem_at
from vbotd.core.campaign_rules import Trouble
from vbotd.core.parse import parse_campaign
from vbotd.core.wording import clean
from vbotd.core.yaml_guard import Tree, read_tree
from vbotd.domain.campaign import Campaign, Stage
from vbotd.domain.finding import Problem
from vbotd.domain.skill import Estimate
from vbotd.host.catalogue import Catalogue, same_name
from vbotd.layout import Layout

NOTHING: Mapping[str, Estimate] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file, its bytes, and what they are: a campaign, or the problems with it."""

    file: str
    data: bytes
    campaign: Campaign | None
    problems: tuple[Problem, ...] = ()


def check_bytes(file: str, data: bytes, catalogue: Catalogue, layout: Layout) -> Checked:
    """Return what one file is, its skills' own blocks included."""
    parsed = parse_campaign(data, tasks={task.name: task for task in catalogue.tasks},
                            skills={skill.name: skill for skill in catalogue.skills})
    if not isinstance(parsed, Campaign):
        return Checked(file=file, data=data, campaign=None, problems=parsed)
    problems = _block_problems(data, parsed, catalogue, layout)
    return Checked(file=file, data=data, campaign=None if problems else parsed, problems=problems)


def _block_problems(data: bytes, campaign: Campaign, catalogue: Catalogue, layout: Layout) -> tuple[Problem, ...]:
    """Return what the skills' own models say of their blocks. A skill without a model takes no options."""
    with_model = {card.name.replace("_", "-") for card in catalogue.skills if card.check}
    uses = [use for use in campaign.skills if use.options or use.name.replace("_", "-") in with_model]
    if not uses:
        return ()
    from vbotd.host.messages import PluginFault, Question
    from vbotd.host.one_shot import one_shot_answers
    question = Question(hook="check", args={"skills": [{"name": u.name, "options": dict(u.options)} for u in uses]})
    tree = read_tree(data)
    problems: list[Problem] = []
    for answer in one_shot_answers(layout.home, question):
        if isinstance(answer, PluginFault):
            problems.append(Problem(line=1, column=1, where="skills", fix="see 'vbotd plugins'",
                                    message=f"plugin '{answer.plugin}' could not check its block: {answer.detail}"))
            continue
        problems += [problem_at(Trouble(path=_path_of(tree, found.skill, found.loc), message=found.message,
                                        fix=found.fix), tree) for found in answer.value]
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _path_of(tree: Tree, skill: str, inside: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return where a skill's option stands in the file, which may spell the skill with `_` or `-`."""
    entries = tree.value.get("skills") or []
    for index, entry in enumerate(entries):
        name = next(iter(entry)) if isinstance(entry, dict) and entry else entry
        if isinstance(name, str) and same_name(name, skill):
            return ("skills", index, name, *inside)
    return ("skills",)


def summary_lines(campaign: Campaign, catalogue: Catalogue, expected: Mapping[str, Estimate] = NOTHING
                  ) -> list[tuple[str, str]]:
    """Return what a campaign will do, as pairs of a word and a line; `expected` is what its skills say it takes."""
    task = catalogue.task(campaign.task)
    env_steps = campaign.train.env_steps or (task.env_steps if task else 0)
    num_envs = campaign.train.num_envs or (task.num_envs if task else 0)
    trials = campaign.budget.trials
    most = "" if campaign.skills else f", {count(trials * env_steps)} in all"  # a skill may train less, or more
    size = (f"at most {trials}, stage by stage, in {num_envs:,} environments" if campaign.stages else
            f"{trials} of {'up to ' if campaign.skills else ''}{count(env_steps)} env steps in {num_envs:,} "
            f"environments{most}")
    lines = [("task", campaign.task + (f", {task.summary}" if task and task.summary else "")), ("trials", size)]
    limits = [f"{campaign.budget.hours:g} h" if campaign.budget.hours else "",
              f"{count(campaign.budget.env_steps)} env steps" if campaign.budget.env_steps else "",
              f"until {campaign.deadline}" if campaign.deadline else ""]
    lines.append(("limits", ", ".join(filter(None, limits)) or "none but the number of trials"))
    varies = [f"{dimension.key}: {dimension.allowed()}" for dimension in campaign.space.dimensions]
    lines += [("varies", line) for line in varies or ["nothing, every trial repeats one setting"]]
    lines += [("fixed", f"{key} = {value}") for key, value in campaign.params.items()]
    lines += [("stage", _stage_words(stage, env_steps)) for stage in campaign.stages]
    lines.append(("skills", ", ".join(use.name for use in campaign.skills) or "none"))
    lines += [("takes about", f"{count(one.env_steps)} env steps by {plugin.replace('_', '-')}: {clean(one.why, 300)}")
              for plugin, one in expected.items()]
    lines.append(("judged on", f"{campaign.evaluate.episodes} held-out episodes"))
    lines += [("reached when", f"{gate.tag} {gate.op} {gate.value:g}") for gate in campaign.gates]
    return lines


def _stage_words(stage: Stage, env_steps: int) -> str:
    settings = ", ".join(f"{key} = {value}" for key, value in stage.params.items())
    gates = " and ".join(f"{gate.tag} {gate.op} {gate.value:g}" for gate in stage.gates)
    return (f"{stage.name}: {count(stage.env_steps or env_steps)} env steps of {stage.task}"
            + (f", {settings}" if settings else "") + (f"; until {gates}" if gates else ""))


def count(number: float) -> str:
    """Return a large number as people say it: 1.5 M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:g}"


def as_json(checked: Checked) -> dict[str, Any]:
    """Return one file's result as `vbotd check --json` prints it."""
    return {"file": checked.file, "ok": checked.campaign is not None,
            "problems": [asdict(problem) for problem in checked.problems],
            "campaign": checked.campaign.name if checked.campaign else None,
            "trials": checked.campaign.budget.trials if checked.campaign else None}
