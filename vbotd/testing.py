"""For authors of plugins: made-up histories, and a check that a plugin keeps to the contract.

    def test_my_plugin():
        assert check_plugin(my_plugin) == []
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from vbotd.domain.campaign import Budget, Campaign, SkillUse
from vbotd.domain.event import CampaignClosed
from vbotd.domain.history import CampaignRecord, History
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.skill import Section
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import ParamCard, ParamValue, TaskCard
from vbotd.domain.trial import Proposal, Run, Trial
from vbotd.host.asking import Ask, Desk, whom
from vbotd.host.registry import Answered, Registry
from vbotd.host.wire import encode_arguments

EPISODES = 256
TASK = TaskCard(
    name="toy", summary="a task that is never run", factory="nowhere:make",
    quality=MetricCard(tag="eval/time_s", direction="min", unit="s"),
    params=(ParamCard(key="ppo.learning_rate", default=3e-4, low=1e-5, high=1e-2, scale="log"),
            ParamCard(key="reward.forward_velocity", default=2.0, low=0.0, high=10.0),
            ParamCard(key="ppo.epochs", default=4, low=1, high=10)))
SPACE = SearchSpace(dimensions=(
    Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-3),
    Dimension(key="reward.forward_velocity", kind="uniform", low=1.0, high=4.0),
    Dimension(key="ppo.epochs", kind="int", low=2, high=6)))


def make_history(params: Sequence[Mapping[str, ParamValue]] = (), scores: Sequence[float | None] = (), *,
                 skills: Sequence[SkillUse] = (), space: SearchSpace = SPACE, task: TaskCard | None = TASK,
                 quality: Sequence[float | None] = (), trials: int = 27, name: str = "toy-night",
                 refused: int = 0) -> History:
    """Return a history with one trial for each of `params`.

    Args:
        params: what each trial tried.
        scores: the success rate of the first trials; None is a trial that failed. Trials beyond are still running.
        skills: those that the campaign names, with the options of their blocks.
        space: the search space of the campaign.
        task: the card that plugins are shown; None as when its plugin is gone.
        quality: the quality metric of the first trials, where the task has one.
        trials: the budget.
        name: the campaign's name and id.
        refused: how many proposals the daemon has refused so far.
    """
    content = Campaign(version=1, name=name, task="toy", budget=Budget(trials=trials),
                       skills=tuple(skills), space=space)
    record = CampaignRecord(id=name, content=content, sha256="0" * 64, file=f"{name}.yaml", status="open",
                            accepted_at=0.0, refused_proposals=refused)
    made = tuple(_trial(name, number, tried, scores) for number, tried in enumerate(params))
    runs = tuple(_run(trial, quality, task) for trial in made)
    return History(record=record, task=task, trials=made, runs=runs)


def _trial(campaign: str, number: int, params: Mapping[str, ParamValue], scores: Sequence[float | None]) -> Trial:
    judged = number < len(scores)
    value = scores[number] if judged else None
    score = None if value is None else Measurement(
        value=value, low=max(0.0, value - 0.05), high=min(1.0, value + 0.05), n=EPISODES)
    return Trial(id=f"{campaign}/t{number + 1:03d}", campaign=campaign, number=number + 1, params=params,
                 proposal=Proposal(params=params, proposer="test"), admitted_at=float(number), judged=judged,
                 verdict=None if not judged else "keep" if score else "discard", score=score)


def _run(trial: Trial, quality: Sequence[float | None], task: TaskCard | None) -> Run:
    value = quality[trial.number - 1] if trial.number <= len(quality) else None
    metrics = {}
    if trial.score and task:
        metrics[task.metric.tag] = trial.score
    if value is not None and task and task.quality:
        metrics[task.quality.tag] = Measurement(value=value, low=value, high=value, n=EPISODES)
    return Run(id=f"{trial.id}/evaluate-s1-a1", campaign=trial.campaign, trial=trial.id, kind="evaluate", seed=1,
               attempt=1, status="ended" if trial.judged else "running", queued_at=trial.admitted_at,
               outcome=None if not trial.judged else "finished" if trial.score else "failed", metrics=metrics)


def check_plugin(module: ModuleType) -> list[str]:
    """Return in what a plugin breaks the contract; nothing when it keeps to it.

    It is asked everything that it answers, twice, on an empty history, on one in the middle and on one where
    every trial failed. Its answers must be of the hooks' types, equal both times, and inside the search space.
    """
    name = module.__name__.rpartition(".")[2]
    registry = Registry.of_modules({name: module})
    problems = [failure.error for failure in registry.catalogue.failures]
    if not registry.catalogue.plugins:
        return problems
    with TemporaryDirectory() as home:
        desk = Desk(Path(home), registry)
        for story, history in _stories([skill.name for skill in registry.catalogue.skills]):
            for ask in _questions(registry.catalogue.plugins[0].hooks, name, history):
                problems += [f"{story}: {problem}" for problem in _try(registry, desk, name, ask)]
    return problems


def _stories(skills: Sequence[str]) -> Iterator[tuple[str, History]]:
    uses = [SkillUse(name=skill) for skill in skills]
    tried: list[Mapping[str, ParamValue]] = [
        {"ppo.learning_rate": 1e-4 * (1 + index), "reward.forward_velocity": 1.0 + index / 4,
         "ppo.epochs": 2 + index % 5}
        for index in range(9)]
    yield "nothing tried", make_history(skills=uses)
    yield "in the middle", make_history(tried, [0.1, 0.5, None, 0.7, 0.7, 0.2], skills=uses)
    yield "all failed", make_history(tried, [None] * len(tried), skills=uses)
    yield "the task is gone", make_history(tried, [0.1] * 4, skills=uses, task=None)


def _questions(hooks: Sequence[str], plugin: str, history: History) -> Iterator[Ask]:
    last = history.trials[-1] if history.trials else None
    for hook in hooks:
        args: dict[str, Any] = {"history": history}
        match hook:
            case "propose":
                args["count"] = 3
            case "amend":
                args["proposal"] = Proposal(params=last.params if last else {}, proposer="test")
            case "wake_up":
                args = {"histories": [history]}
            case "on_event":
                args = {"event": CampaignClosed(campaign=history.record.id, outcome="finished", why="a test")}
            case "judge" | "watch" | "follow_up" if last is None:
                continue
            case "tasks" | "run_kinds" | "tools" | "skills":
                continue
        yield Ask(id=0, hook=hook, campaign=history.record.id, trial=last.id if last else "",
                  run=history.runs[-1].id if history.runs else "", args=encode_arguments(args), plugins=(plugin,))


def _try(registry: Registry, desk: Desk, plugin: str, ask: Ask) -> list[str]:
    """Ask one question twice and return what is wrong with the answers."""
    arguments, history = desk.arguments(ask)
    assert whom(ask, registry, history) == [plugin]
    once: Answered = registry.ask(plugin, ask.hook, arguments)
    if once.how:
        return [f"{ask.hook} {once.how}: {once.detail}"]
    again = registry.ask(plugin, ask.hook, arguments)
    if again != once:
        return [f"{ask.hook} answered something else when it was asked again — an opinion depends on its arguments "
                "alone; take randomness from view.seed(label)"]
    check = _CHECKS.get(ask.hook)
    return check(registry.raw(plugin, ask.hook, arguments), arguments) if check else []


def _check_proposals(answer: Any, arguments: Mapping[str, Any]) -> list[str]:
    if not isinstance(answer, list | tuple):
        return []
    problems = [f"propose: {problem}" for proposal in answer
                for problem in arguments["history"].campaign.space.problems(proposal.params)]
    if len(answer) > arguments["count"]:
        problems.append(f"propose answered {len(answer)} proposals, at most {arguments['count']} were asked for")
    return problems + [f"propose gave no reason for {dict(proposal.params)}" for proposal in answer if not proposal.why]


def _check_section(answer: Section | None, _: Mapping[str, Any]) -> list[str]:
    long = answer is not None and len(answer.lines) > 15
    return [f"wake_up wrote {len(answer.lines)} lines, 15 are shown"] if answer and long else []


_CHECKS: Mapping[str, Callable[[Any, Mapping[str, Any]], list[str]]] = {
    "propose": _check_proposals, "wake_up": _check_section,
}
