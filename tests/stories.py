"""Nights to test with, told as events: a success, one where all fails, one with a crash, and one where nothing happens.

`story(name)` is a list of (time, event); `tell(path, name)` puts it into a store. Times are UTC; every story ends
at MORNING. The facts in them are what the daemon writes: same ids, same spec shapes, same reasons.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vbotd.domain import event as e
from vbotd.domain.campaign import Budget, Campaign, EvaluateSettings, Gate, Schedule, SkillUse, TrainSettings
from vbotd.domain.event import Event
from vbotd.domain.finding import Finding, Problem
from vbotd.domain.metric import Measurement
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.trial import CheckpointRef, Proposal
from vbotd.layout import Layout
from vbotd.store.events import EventStore

EVENING = datetime(2026, 11, 23, 22, 0, tzinfo=UTC).timestamp()
MORNING = datetime(2026, 11, 24, 7, 30, tzinfo=UTC).timestamp()
TASK = "vbot_walk_flat"
ENV_STEPS = 1_500_000
Timed = tuple[float, Event]

FLAT_NIGHT = """\
version: 1
name: flat-night
task: vbot_walk_flat
skills: [hp-search]
budget: {hours: 8, trials: 3, env_steps: 40e6}
train: {env_steps: 1.5e6}
search:
  space:
    ppo.learning_rate: {log: [1e-4, 1e-3]}
gate: {eval/success_rate: ">= 0.95"}
"""


def flat_night(**changes: Any) -> Campaign:
    """Return the campaign of FLAT_NIGHT, with changes."""
    values: dict[str, Any] = {
        "version": 1, "name": "flat-night", "task": TASK, "budget": Budget(trials=3, hours=8.0, env_steps=40_000_000),
        "skills": (SkillUse(name="hp-search"),), "train": TrainSettings(env_steps=ENV_STEPS),
        "evaluate": EvaluateSettings(episodes=256),
        "space": SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-3),)),
        "gates": (Gate(tag="eval/success_rate", op=">=", value=0.95),)}
    return Campaign(**values | changes)


def success() -> Iterator[Timed]:
    """Three trials, one that diverges; the best passes its gate on fresh episodes."""
    campaign = "flat-night-1123"
    yield from _start(EVENING, campaign, flat_night())
    yield from _trial(EVENING + 60, campaign, 1, 3e-4, score=_rate(0.953, 0.925, 0.973))
    yield from _admit(EVENING + 400, campaign, 2, 9e-4)
    yield from _train(EVENING + 400, campaign, 2, outcome="diverged", env_steps=310_000, exit_code=3,
                      reason="the value loss is not a number at iteration 25")
    yield EVENING + 505, e.FindingMade(campaign=campaign, trial=f"{campaign}/t002", run=f"{campaign}/t002/train-s1-a1",
                                       by="core", finding=Finding(rule="not-a-number", level="error", stop=True,
                                                                  message="ppo/value_loss is NaN", env_steps=310_000))
    yield _judge(EVENING + 510, campaign, 2, None, "discard",
                 f"no score: {campaign}/t002/train-s1-a1 diverged: the value loss is not a number at iteration 25")
    yield from _trial(EVENING + 520, campaign, 3, 4.2e-4, score=_rate(0.988, 0.966, 0.996))
    yield EVENING + 900, e.CampaignClosing(campaign=campaign, why="all 3 trials are done")
    yield from _evaluate(EVENING + 900, campaign, 3, "confirm", _rate(0.984, 0.961, 0.994))
    yield EVENING + 960, e.NoteAdded(campaign=campaign, text="try it on the slope next", by="cli:ada")
    yield EVENING + 970, e.CampaignClosed(campaign=campaign, outcome="reached", champion=f"{campaign}/t003",
                                          why="all 3 trials are done; the gate was passed on fresh episodes")


def all_failed() -> Iterator[Timed]:
    """Three trials that all die of the same thing; the trials of the budget are used up."""
    campaign = "flat-night-1123"
    yield from _start(EVENING, campaign, flat_night())
    for trial in (1, 2, 3):
        at = EVENING + 120 * trial
        reason = f"exit code 1: RuntimeError: reward term 'alive' is NaN in {trial * 3} of 1024 environments"
        yield from _admit(at, campaign, trial, 1e-4 * trial)
        yield from _train(at, campaign, trial, outcome="failed", env_steps=0, reason=reason, exit_code=1)
        yield _judge(at + 105, campaign, trial, None, "discard",
                     f"no score: {campaign}/t{trial:03d}/train-s1-a1 failed: {reason}")
    yield EVENING + 500, e.CampaignClosing(campaign=campaign, why="all 3 trials are done")
    yield EVENING + 501, e.CampaignClosed(campaign=campaign, outcome="failed",
                                          why="all 3 trials are done; no trial has a score")


def nothing() -> Iterator[Timed]:
    """A daemon that ran all night and was given nothing but a file that it refused."""
    yield EVENING - 3600, e.DaemonStarted(pid=4121, version="0.1.0", boot_id="b0")
    yield EVENING + 120, e.CampaignRefused(file="trot.yaml", sha256="c" * 64, problems=(
        Problem(line=5, column=3, where="budget", message="has no key 'trails' — allowed: env_steps, hours, trials",
                fix="did you mean 'trials'?"),))


def crash() -> Iterator[Timed]:
    """A daemon that dies in the night, a plugin that is blocked, a campaign that is paused and one that still runs."""
    first, second = "flat-night-1123", "slope-night-1123"
    yield from _start(EVENING, first, flat_night(budget=Budget(trials=9, hours=12.0)))
    yield from _trial(EVENING + 60, first, 1, 3e-4, score=_rate(0.712, 0.654, 0.764))
    yield EVENING + 500, e.CampaignAccepted(
        campaign=second, content=flat_night(name="slope-night", task="vbot_walk_slope"), sha256="b" * 64,
        file="slope.yaml", text=FLAT_NIGHT.replace("flat", "slope"), submitted_by="inbox")
    for n in range(3):
        yield EVENING + 600 + n, e.PluginFailed(plugin="gallop", hook="vbotd_watch", how="raised", campaign=first,
                                                detail="ZeroDivisionError: division by zero at gallop/__init__.py:41")
    yield EVENING + 603, e.PluginBlocked(plugin="gallop", why="it failed 3 times in a row, last: ZeroDivisionError")
    yield EVENING + 610, e.ProposalRefused(campaign=first, proposer="hp-search", params={"ppo.learning_rate": 3e-4},
                                           why=f"it repeats {first}/t001")
    yield from _admit(EVENING + 620, first, 2, 5e-4)
    yield from _train(EVENING + 620, first, 2, outcome=None)
    yield from _admit(EVENING + 640, second, 1, 2e-4)
    yield from _train(EVENING + 640, second, 1, outcome=None)
    back = EVENING + 4 * 3600
    yield back, e.DaemonStarted(pid=5150, version="0.1.0", boot_id="b0", clean=False)
    yield back + 1, e.RunAdopted(campaign=first, trial=f"{first}/t002", run=f"{first}/t002/train-s1-a1", pid=702)
    yield back + 2, e.RunEnded(campaign=second, trial=f"{second}/t001", run=f"{second}/t001/train-s1-a1",
                               outcome="lost", reason="its shim died without a word; every process of the run was "
                               "looked for and ended", env_steps=400_000)
    yield back + 3, e.PluginFailed(plugin="gallop", hook="vbotd_watch", how="raised", campaign=first,
                                   detail="ZeroDivisionError: division by zero at gallop/__init__.py:41")
    yield back + 4, e.PluginBlocked(plugin="gallop", why="it failed 3 times, last: ZeroDivisionError")
    yield back + 60, e.CampaignPaused(campaign=second, by="core",
                                      why="nobody proposes a trial: hp-search cannot answer")
    yield back + 90, e.CommandRefused(key="k1", verb="cancel", args={"id": "flat"}, principal="cli:ada",
                                      why="there is no campaign 'flat'")


def seeds() -> Iterator[Timed]:
    """A search whose best trial and baseline are trained with six further seeds: it is proved better, and closed."""
    campaign, fresh = "flat-night-1123", (101, 102, 103, 104, 105, 106)
    yield from _start(EVENING, campaign, flat_night(gates=()))
    for number, rate, score in ((1, 3e-4, _rate(0.742, 0.685, 0.792)), (2, 9e-4, _rate(0.695, 0.636, 0.748)),
                                (3, 4.2e-4, _rate(0.941, 0.905, 0.964)), (4, 5e-4, _rate(0.766, 0.710, 0.814))):
        yield from _trial(EVENING + 60 + 200 * number, campaign, number, rate, score=score)
    rates = {1: (0.727, 0.762, 0.715, 0.738, 0.770, 0.723), 3: (0.902, 0.891, 0.930, 0.898, 0.879, 0.914)}
    for number in rates:
        yield EVENING + 1000 * number, e.TrialExtended(
            campaign=campaign, trial=f"{campaign}/t{number:03d}", by="hp-search", seeds=fresh,
            why="is it better than the baseline, or was it the seed?")
        for place, (seed, rate) in enumerate(zip(fresh, rates[number], strict=True)):
            at = EVENING + 1000 * number + 150 * place
            yield from _train(at, campaign, number, seed=seed)
            yield from _evaluate(at + 110, campaign, number, "score", _rate(rate, rate - 0.04, rate + 0.035), seed=seed)
    for place, (seed, rate) in enumerate(zip(fresh, rates[3], strict=True)):
        measured = _rate(rate - 0.004, rate - 0.044, rate + 0.031)
        yield from _evaluate(EVENING + 6000 + 20 * place, campaign, 3, "confirm", measured, seed=seed)
    yield _judge(EVENING + 7000, campaign, 3, _rate(0.941, 0.905, 0.964), "promote", "better than t001")
    yield from _evaluate(EVENING + 7100, campaign, 3, "confirm", _rate(0.934, 0.897, 0.958))
    yield EVENING + 7200, e.CampaignClosing(campaign=campaign, why="all 4 trials are done")
    yield EVENING + 7300, e.CampaignClosed(campaign=campaign, outcome="finished", champion=f"{campaign}/t003",
                                           why="all 4 trials are done")


STORIES: dict[str, Callable[[], Iterator[Timed]]] = {
    "success": success, "all_failed": all_failed, "nothing": nothing, "crash": crash,
    "seeds": seeds}


def story(name: str) -> list[Timed]:
    """Return a story's events with their times."""
    return list(STORIES[name]())


def tell(home: Path, name: str) -> Layout:
    """Make a workspace in which a story has happened, heartbeats of its live runs and refused files included."""
    layout = Layout(home)
    layout.make()
    store = EventStore(layout.store)
    for at, event in story(name):
        store.commit((event,), at)
    for run in store.state.runs.values():
        if run.is_live:
            folder = layout.run(run.id)
            folder.mkdir(parents=True)
            (folder / "heartbeat.json").write_text(json.dumps({
                "phase": "train", "env_steps": 615_000, "total_env_steps": ENV_STEPS, "env_steps_per_s": 15_200.0,
                "success_rate": 0.41, "at": MORNING - 3}))
    store.close()
    if name == "nothing":
        (layout.rejected / "trot.yaml").write_text("version: 1\n")
        (layout.rejected / "trot.yaml.why.md").write_text("# trot.yaml was refused\n")
    return layout


def scheduled(campaign: str = "weekly-1123") -> Timed:
    """Return the event of a campaign that waits for its time."""
    return EVENING, e.CampaignAccepted(
        campaign=campaign, content=flat_night(name="weekly", schedule=Schedule(cron="0 1 * * mon-fri")),
        sha256="d" * 64, file="weekly.yaml", text=FLAT_NIGHT, submitted_by="inbox")


def _start(at: float, campaign: str, content: Campaign) -> Iterator[Timed]:
    yield at - 3600, e.DaemonStarted(pid=4121, version="0.1.0", boot_id="b0")
    yield at, e.CampaignAccepted(campaign=campaign, content=content, sha256="a" * 64, file="flat.yaml",
                                 text=FLAT_NIGHT, submitted_by="inbox")


def _trial(at: float, campaign: str, number: int, rate: float, *, score: Measurement) -> Iterator[Timed]:
    yield from _admit(at, campaign, number, rate)
    yield from _train(at, campaign, number)
    yield from _evaluate(at + 110, campaign, number, "score", score)
    yield _judge(at + 130, campaign, number, score, "keep",
                 f"eval/success_rate {score.value:.3f} [{score.low:.3f}, {score.high:.3f}] over 256 held-out episodes, "
                 "one seed")


def _admit(at: float, campaign: str, number: int, rate: float) -> Iterator[Timed]:
    params = {"ppo.learning_rate": rate}
    yield at, e.TrialAdmitted(campaign=campaign, trial=f"{campaign}/t{number:03d}", number=number, params=params,
                              seeds=(1,),
                              proposal=Proposal(params=params, proposer="hp-search",
                                                why=f"random start {number} of 3"))


def _train(at: float, campaign: str, number: int, *, outcome: Any = "finished", env_steps: int = ENV_STEPS,
           reason: str = "", exit_code: int = 0, seed: int = 1) -> Iterator[Timed]:
    run = f"{campaign}/t{number:03d}/train-s{seed}-a1"
    names = {"campaign": campaign, "trial": f"{campaign}/t{number:03d}", "run": run}
    yield at + 1, e.RunQueued(**names, kind="train", seed=seed, attempt=1, spec={
        "task": TASK, "train": {"env_steps": ENV_STEPS, "num_envs": 1024}, "resume_from": None})
    yield at + 2, e.RunLaunched(**names, token=run[-30:].replace("/", "-"), threads=1, launch=1)
    yield at + 3, e.RunStarted(**names, pid=700 + number, started_at=at + 2.5)
    if outcome is not None:
        path = f"{run}/checkpoints/ckpt_{env_steps:012d}.pt"
        kept = CheckpointRef(path=path, sha256=f"{number}fa2b1c0" * 8, env_steps=env_steps)
        yield at + 100, e.RunEnded(**names, outcome=outcome, reason=reason, exit_code=exit_code, env_steps=env_steps,
                                   ended_at=at + 99.5, wall_s=97.0, checkpoint=kept if env_steps else None)


def _evaluate(at: float, campaign: str, number: int, purpose: str, score: Measurement, *,
              seed: int = 1) -> Iterator[Timed]:
    run = f"{campaign}/t{number:03d}/{purpose}-s{seed}-a1"
    names = {"campaign": campaign, "trial": f"{campaign}/t{number:03d}", "run": run}
    yield at + 1, e.RunQueued(**names, kind="evaluate", seed=seed, attempt=1, purpose=purpose, spec={
        "task": TASK, "evaluate": {"episodes": 256, "instances": 1_000_001}})
    yield at + 2, e.RunLaunched(**names, token=run[-30:].replace("/", "-"), threads=1, launch=1)
    yield at + 3, e.RunStarted(**names, pid=800 + number, started_at=at + 2.5)
    yield at + 15, e.RunEnded(**names, outcome="finished", exit_code=0, env_steps=256_000, ended_at=at + 14.5,
                              wall_s=12.0, metrics={"eval/success_rate": score})


def _judge(at: float, campaign: str, number: int, score: Measurement | None, verdict: Any, why: str) -> Timed:
    return at, e.TrialJudged(campaign=campaign, trial=f"{campaign}/t{number:03d}", verdict=verdict, why=why,
                             score=score)


def _rate(value: float, low: float, high: float) -> Measurement:
    return Measurement(value=value, low=low, high=high, n=256)
