"""A made-up task with weights, and nights on it: trainings whose series and scores are whatever a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from vbotd.domain.campaign import Budget, Campaign, Gate, SkillUse, TrainSettings
from vbotd.domain.finding import Finding
from vbotd.domain.history import CampaignRecord, History
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Exhausted
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.domain.trial import Proposal, Run, Trial
from vbotd.hookspecs import Point

TAG = "eval/success_rate"


def weight(term: str, default: float, low: float, high: float, **more: Any) -> ParamCard:
    return ParamCard(key=f"reward.{term}", default=default, low=low, high=high, **more)


TASK = TaskCard(name="toy", summary="reach the goal on a flat floor", factory="nowhere:make", episode_s=10.0, params=(
    weight("alive_reward", 0.0, 0.0, 1000.0), weight("trot_reward", 0.5, 0.0, 5.0),
    weight("goal_progress", 2.0, 0.0, 20.0), weight("success_event", 5.0, 0.0, 5000.0),
    weight("arrival_event", 2.0, 0.0, 5000.0), weight("fall_event", -8.0, -500.0, 0.0),
    weight("action_rate_cost", -0.01, -10.0, 0.0), weight("approach_progress", 0.0, 0.0, 1000.0, search=(15.0, 50.0)),
    ParamCard(key="env.episode_s", default=10.0), ParamCard(key="ppo.learning_rate", default=1e-3)))  # fmt: skip

Curve = Callable[[float], float]  # of the share 0-1 of the training
LAZY: Mapping[str, Curve] = {
    "train/episode_return": lambda x: 200 + 1260 * min(2 * x, 1.0),
    "train/success_rate": lambda x: 0.25 * max(1 - 2 * x, 0.0), "train/timeout_rate": lambda x: min(2 * x, 0.95),
    "train/fall_rate": lambda x: 0.7 * max(1 - 2 * x, 0.05), "train/episode_length_s": lambda x: 1 + 9 * min(2 * x, 1),
    "task/reach_rate": lambda x: 0.37, "task/final_distance_m": lambda x: 0.7 + 0.5 * x,
    "reward/alive_reward": lambda x: 150.0, "reward/trot_reward": lambda x: 0.3,
}  # fmt: skip
GOOD: Mapping[str, Curve] = {
    "train/episode_return": lambda x: 40 * x, "train/success_rate": lambda x: 0.9 * x,
    "train/timeout_rate": lambda x: 1 - 0.9 * x, "train/fall_rate": lambda x: 0.1 * (1 - x),
    "train/episode_length_s": lambda x: 10 - 6 * x, "task/reach_rate": lambda x: 0.95 * x,
    "task/final_distance_m": lambda x: 1.2 - x,
}  # fmt: skip


def series(curves: Mapping[str, Curve], until: float = 1.0, points: int = 60) -> dict[str, list[Point]]:
    """Return a training of 1,000 env steps, as far as it came."""
    shares = [until * (i + 1) / points for i in range(points)]
    return {tag: [(round(1000 * x), curve(x)) for x in shares] for tag, curve in curves.items()}


@dataclass
class Night:
    """A campaign that runs whatever the skill proposes. `score` is the success of (params, seed), None a failure."""

    skill: ModuleType
    score: Callable[[Mapping[str, Any], int], float | None]
    curves: Callable[[Mapping[str, Any]], Mapping[str, Curve]] = lambda params: LAZY
    falls: Callable[[Mapping[str, Any], int], float] = lambda params, seed: 0.0
    reaches: Callable[[Mapping[str, Any], int], float] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reward: Mapping[str, float] = field(default_factory=lambda: {"alive_reward": 150.0, "arrival_event": 50.0})
    remedies: Sequence[tuple[str, float]] = ()
    gates: tuple[Gate, ...] = ()
    name: str = "night"
    trials: list[Trial] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    told: dict[str, dict[str, list[Point]]] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def history(self) -> History:
        content = Campaign(version=1, name=self.name, task="toy", budget=Budget(trials=20), gates=self.gates,
                           train=TrainSettings(seed=1), params=self._fixed(),
                           skills=(SkillUse(name="reward-engineering", options=dict(self.options)),))
        record = CampaignRecord(id=self.name, content=content, sha256="0" * 64, file="f.yaml", status="open",
                                accepted_at=1_795_000_000.0)
        return History(record=record, task=TASK, trials=tuple(self.trials), runs=tuple(self.runs))

    def _fixed(self) -> dict[str, Any]:
        return {f"reward.{term}": value for term, value in self.reward.items()}

    def ask(self) -> list[Proposal] | Exhausted | None:
        answer = self.skill.vbotd_propose(self.history, 2, self)
        assert answer is None or isinstance(answer, list | Exhausted)
        return answer

    def series(self, run_id: str, tag: str) -> Sequence[Point]:
        return self.told.get(run_id, {}).get(tag, ())

    def seed(self, label: str) -> int:
        return 0

    def round(self) -> Exhausted | None:
        """Ask once and do what is proposed; return the end where it is one."""
        answer = self.ask()
        if isinstance(answer, Exhausted):
            return answer
        assert answer, "nothing is at work, and nothing is proposed"
        for proposal in answer:
            self.proposals.append(proposal)
            self.do(proposal)
        return None

    def to_the_end(self, most: int = 40) -> str:
        for _ in range(most):
            if (end := self.round()) is not None:
                return end.why
        raise AssertionError("it never ends")

    def do(self, proposal: Proposal) -> None:
        """Train and evaluate a proposal: a new trial, or further seeds of one."""
        if proposal.extends:
            place = next(i for i, trial in enumerate(self.trials) if trial.id == proposal.extends)
            assert not set(proposal.seeds) & set(self.trials[place].seeds)
            self.trials[place] = replace(self.trials[place], seeds=(*self.trials[place].seeds, *proposal.seeds))
            trial = self.trials[place]
        else:
            number = len(self.trials) + 1
            trial = Trial(id=f"{self.name}/t{number:03d}", campaign=self.name, number=number, proposal=proposal,
                          params={**self._fixed(), **proposal.params}, admitted_at=0.0, judged=True,
                          seeds=proposal.seeds)
            self.trials.append(trial)
            if number == 1:
                self._audit(trial)
        for seed in proposal.seeds:
            self._train(trial, seed)

    def _audit(self, trial: Trial) -> None:
        found = tuple(Finding(rule=f"remedy/{term}", level="info", message="computed", value=value)
                      for term, value in self.remedies)
        self.runs.append(Run(id=f"{trial.id}/audit-a1", campaign=self.name, trial=trial.id, kind="audit", seed=1,
                             attempt=1, status="ended", queued_at=0.0, outcome="finished", findings=found,
                             spec={"params": dict(trial.params)}))

    def _train(self, trial: Trial, seed: int) -> None:
        run = Run(id=f"{trial.id}/train-s{seed}-a1", campaign=self.name, trial=trial.id, kind="train", seed=seed,
                  attempt=1, status="ended", queued_at=0.0, outcome="finished", env_steps=1000,
                  spec={"train": {"env_steps": 1000}})
        self.told[run.id] = series(self.curves(trial.params))
        watched = self.skill.vbotd_watch(replace(run, status="running", outcome=None), _Missing(self.told[run.id]),
                                         replace(self.history, runs=(*self.runs, run)))
        value = self.score(trial.params, seed)
        self.runs.append(replace(run, findings=tuple(watched), outcome="failed" if value is None else "finished"))
        if value is not None:
            metrics = {TAG: _measured(value), "eval/fall_rate": _measured(self.falls(trial.params, seed))}
            if self.reaches is not None:
                metrics["eval/reach_rate"] = _measured(self.reaches(trial.params, seed))
            self.runs.append(Run(id=f"{trial.id}/score-s{seed}-a1", campaign=self.name, trial=trial.id, attempt=1,
                                 kind="evaluate", purpose="score", seed=seed, status="ended", queued_at=0.0,
                                 outcome="finished", metrics=metrics))


class _Missing(dict[str, list[Point]]):
    """Series by tag; what is not there is empty, as the host's are."""

    def __missing__(self, tag: str) -> list[Point]:
        return []


def _measured(value: float) -> Measurement:
    return Measurement(value=value, low=value, high=value, n=128)
