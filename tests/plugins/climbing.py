"""A night of a campaign with stages without a daemon: the skill proposes, a made-up policy is measured, and so on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from vbotd.domain.campaign import Budget, Campaign, Gate, SkillUse, Stage
from vbotd.domain.history import CampaignRecord, History
from vbotd.domain.metric import Measurement
from vbotd.domain.skill import Exhausted, FollowUp, Opinion
from vbotd.domain.task import ParamCard, ParamValue, TaskCard
from vbotd.domain.trial import CheckpointRef, Proposal, Run, Trial

TAG = "eval/success_rate"
TASK = TaskCard(name="hop", summary="hop to a place", factory="nowhere:make", env_steps=1000, params=(
    ParamCard(key="env.radius_m", default=(0.0, 1.0)), ParamCard(key="env.slope", default=0.0, low=0.0, high=1.0),
    ParamCard(key="ppo.learning_rate", default=1e-3)))
Params = Mapping[str, ParamValue]
Worth = Callable[[Trial, Params], float]  # the success rate of a trial's newest checkpoint at settings


def stage(name: str, low: float, high: float, *, source: str = "", bar: float = 0.8, **params: Any) -> Stage:
    """Return a stage that begins between two radii."""
    return Stage(name=name, task="hop", params={"env.radius_m": (low, high), **params}, env_steps=1000,
                 gates=(Gate(tag=TAG, op=">=", value=bar),), warm_start={"from": source} if source else {})


NEAR, MID, FAR = stage("near", 1, 2), stage("mid", 3, 4, source="near"), stage("far", 7, 8, source="mid")


def rate(value: float, n: int = 256) -> Measurement:
    """Return a measured rate."""
    half = 1.96 * (value * (1 - value) / n + 1 / n**2) ** 0.5
    return Measurement(value=value, low=max(value - half, 0.0), high=min(value + half, 1.0), n=n)


@dataclass
class Night:
    """A campaign as it goes on. `worth` says what policies can do, `ruined` which trainings end as poisoned."""

    skill: ModuleType
    worth: Worth
    stages: tuple[Stage, ...] = (NEAR, MID, FAR)
    options: dict[str, Any] = field(default_factory=dict)
    ruined: Callable[[Trial], bool] = lambda trial: False
    trials: list[Trial] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)

    @property
    def history(self) -> History:
        """What the skill is shown now."""
        content = Campaign(version=1, name="climb", task="hop", budget=Budget(trials=40), stages=self.stages,
                           skills=(SkillUse(name="curriculum", options=self.options),))
        record = CampaignRecord(id="climb", content=content, sha256="0", file="climb.yaml", status="open",
                                accepted_at=0)
        return History(record=record, task=TASK, trials=tuple(self.trials), runs=tuple(self.runs))

    def to_the_end(self, most: int = 40) -> str:
        """Go on until the skill has nothing more to propose; return why."""
        for _ in range(most):
            answer = self.skill.vbotd_propose(self.history, 1)
            if isinstance(answer, Exhausted):
                return answer.why
            self.take(answer[0])
        raise AssertionError("it never ends")

    def take(self, proposal: Proposal) -> Trial:
        """Train what is proposed, evaluate it, do all that is asked for after that, and judge it."""
        self.proposals.append(proposal)
        place = self._extended(proposal) if proposal.extends else self._admitted(proposal)
        trial = self.trials[place]
        assert self.skill.vbotd_propose(self.history, 1) is None  # one at a time
        ruined = self.ruined(trial)
        self._add(trial, kind="train", outcome="stopped" if ruined else "finished", env_steps=trial.env_steps or 0,
                  reason="poisoned-warm-start: success fell" if ruined else "", checkpoint=None if ruined else
                  CheckpointRef(path=f"{trial.id}/r{trial.rung}.pt", sha256="0", env_steps=trial.env_steps or 0))
        if not ruined:
            self._evaluate(trial, "score", trial.params)
        said: Opinion | None = self.skill.vbotd_judge(trial, self.history)
        self.verdicts.append(said.verdict if said else "-")
        self.trials[place] = replace(trial, judged=True, verdict=said.verdict if said else "discard")
        return self.trials[place]

    def found(self, proposal: Proposal, worth: float) -> None:
        """Add a trial of somebody else, trained, scored and judged."""
        place = self._admitted(proposal)
        self._add(self.trials[place], kind="train", outcome="finished", env_steps=1000)
        self._add(self.trials[place], kind="evaluate", outcome="finished", purpose="score", metrics={TAG: rate(worth)})
        self.trials[place] = replace(self.trials[place], judged=True, verdict="keep", score=rate(worth))

    def _admitted(self, proposal: Proposal) -> int:
        number = len(self.trials) + 1
        of_stage = next(one for one in self.stages if one.name == proposal.stage)
        assert not [t for t in self.trials if (t.proposal.params, t.stage, t.warm_start) == (
            proposal.params, proposal.stage, proposal.warm_start)], "it repeats a trial"
        self.trials.append(Trial(
            id=f"climb/t{number:03d}", campaign="climb", number=number, proposal=proposal, admitted_at=number,
            params={**of_stage.params, **proposal.params}, task="hop", stage=proposal.stage, seeds=(1,),
            env_steps=proposal.env_steps, warm_start=proposal.warm_start))
        return number - 1

    def _extended(self, proposal: Proposal) -> int:
        place = next(i for i, trial in enumerate(self.trials) if trial.id == proposal.extends)
        trial = self.trials[place]
        assert proposal.env_steps is not None and proposal.env_steps > (trial.env_steps or 0)
        self.trials[place] = replace(trial, judged=False, rung=trial.rung + 1, env_steps=proposal.env_steps)
        return place

    def _evaluate(self, trial: Trial, purpose: str, params: Params) -> None:
        run = self._add(trial, kind="evaluate", outcome="finished", purpose=purpose,
                        spec={"params": params, "evaluate": {"checkpoint": f"{trial.id}/r{trial.rung}.pt"}},
                        metrics={TAG: rate(self.worth(trial, params))})
        wanted: list[FollowUp] = self.skill.vbotd_follow_up(run, self.history)
        for one in wanted:
            assert f"curriculum:{one.purpose}" not in {other.purpose for other in self.runs}
        for one in wanted:
            self._evaluate(trial, f"curriculum:{one.purpose}", {**trial.params, **one.params})

    def _add(self, trial: Trial, **facts: Any) -> Run:
        run = Run(id=f"{trial.id}/{len(self.runs)}", campaign="climb", trial=trial.id, seed=1, attempt=1,
                  status="ended", queued_at=len(self.runs), **facts)
        self.runs.append(run)
        return run

    def evaluations(self, trial: str, what: str) -> list[Run]:
        """Return the evaluations of a trial whose purpose begins so."""
        return [run for run in self.runs if run.trial.endswith(trial) and run.purpose.startswith(f"curriculum:{what}")]
