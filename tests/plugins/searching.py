"""A night of `hp-search` without a daemon: the core's own rules, the skill, and made-up scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.core.given import TASK, content, ended, seen_file, step
from vbotd.core.advance import proposals_wanted
from vbotd.core.sighting import ProposalsSeen
from vbotd.core.state import State
from vbotd.domain.campaign import Budget, SkillUse
from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import ParamCard
from vbotd.domain.trial import Proposal, Run
from vbotd.host.discovery import Candidate
from vbotd.host.loading import load
from vbotd.host.view import HostView, Library

FILE = Path(__file__).parents[2] / "plugins" / "hp_search" / "__init__.py"
NIGHT = "night-1123"
HORIZON = 9000
RICH = replace(TASK, env_steps=HORIZON, params=(
    ParamCard(key="ppo.learning_rate", default=1e-3, low=1e-5, high=1e-1, scale="log"),
    ParamCard(key="ppo.gamma", default=0.99, low=0.9, high=0.9999),
    ParamCard(key="reward.alive", default=1.0, low=0.0, high=10.0)))
SPACE = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-2),
                                Dimension(key="ppo.gamma", kind="uniform", low=0.95, high=0.999)))
Score = Callable[[Run, int], float | None]


@cache
def search_skill() -> ModuleType:
    """Return the skill `hp-search`, loaded as a workspace loads it."""
    return load(Candidate(name="hp_search", module="vbotd_workspace.hp_search", source="plugins/hp_search", path=FILE))


def part(name: str) -> ModuleType:
    """Return a module of the skill."""
    search_skill()
    return import_module(f"vbotd_workspace.hp_search.{name}")


def climbing(*, trials: int = 12, **options: Any) -> State:
    budget = options.pop("budget", None) or Budget(trials=trials)
    stages = options.pop("stages", ())
    space = options.pop("space", SPACE)
    campaign = content(search=True, space=space, budget=budget, stages=stages, skills=(
        SkillUse(name="hp-search", options={"sampler": "random", "audit_share": 0.0} | options),))
    return step(State(), seen_file(campaign), tasks={"walk": RICH})[0]


def history_of(state: State, campaign: str = NIGHT) -> History:
    return History(record=state.campaigns[campaign], task=RICH, trials=state.trials_of(campaign),
                   runs=tuple(run for run in state.runs.values() if run.campaign == campaign))


def view(state: State, *earlier: History) -> HostView:
    return HostView(Library(Path("nowhere")), NIGHT, lambda task: (*earlier, history_of(state)))


def night(skill: ModuleType, state: State, score: Score, *earlier: History, cores: int = 1, questions: int = 200
          ) -> tuple[State, list[Proposal], str]:
    """Let the daemon's rules and the skill play a campaign to its end; return it, the proposals and why it ended."""
    said: list[Proposal] = []
    for _ in range(questions):
        count = proposals_wanted(state, state.campaigns[NIGHT], cores)
        answer = skill.vbotd_propose(history_of(state), count, view(state, *earlier)) if count else []
        if isinstance(answer, Exhausted):
            return state, said, answer.why
        assert len(answer) <= count
        said += answer
        before = len(state.trials), sum(trial.rung for trial in state.trials.values())
        state, events = step(state, ProposalsSeen(campaign=NIGHT, proposals=tuple(answer)), tasks={"walk": RICH},
                             cores=cores)
        assert not [event for event in events if type(event).__name__ == "ProposalRefused"], events
        assert (len(state.trials), sum(trial.rung for trial in state.trials.values())) != before or any(
            not trial.judged for trial in state.trials.values()), "nothing proposed, and nothing to wait for"
        live = [run for run in state.runs.values() if run.is_live]
        if live:
            state, _ = step(state, finished(state, live[0], score), tasks={"walk": RICH}, cores=cores)
    raise AssertionError("the night does not end")


def finished(state: State, run: Run, score: Score) -> Any:
    train = next(one for one in reversed(tuple(state.runs.values()))
                 if one.trial == run.trial and one.kind == "train" and one.seed == run.seed)
    until = train.spec["train"]["until"]
    value = score(run, until)
    if run.kind == "train" and value is None:
        return ended(run.id, code=3, result={"outcome": "diverged", "reason": "not finite", "env_steps": until})
    result: dict[str, Any] = {"outcome": "finished", "env_steps": until, "simulated_s": 1.0}
    if run.kind == "train":
        result["checkpoint"] = {"path": f"checkpoints/ckpt_{until:012d}.pt", "sha256": "ab", "env_steps": until}
    else:
        result["metrics"] = {"eval/success_rate": {"value": value, "low": value - 0.05, "high": value + 0.05,
                                                   "n": 256}}
    return ended(run.id, result=result)


def rate(run: Run, until: int) -> float:
    """The score of a robot that learns the faster, the nearer its learning rate is to 3e-3."""
    distance = abs(math.log(run.spec["params"]["ppo.learning_rate"] / 3e-3))
    return round((1.0 - math.exp(-3.0 * until / HORIZON)) / (1.0 + distance), 3)
