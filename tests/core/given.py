"""Given these facts: states and sightings for tests of the rules, built the way the daemon builds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from vbotd.core.decide import decide
from vbotd.core.sighting import Circumstances, ExitSeen, FileSeen, RunSeen
from vbotd.core.state import State, fold
from vbotd.domain.campaign import Budget, Campaign, SkillUse
from vbotd.domain.event import Event, Stored
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import ParamCard, TaskCard

TASK = TaskCard(name="walk", summary="walk", factory="x:y", env_steps=1000, num_envs=8,
                params=(ParamCard(key="ppo.learning_rate", default=1e-3, low=1e-5, high=1e-1, scale="log"),))
SPACE = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-2),))
NOW = 1_000_000.0


def circumstances(**changes: Any) -> Circumstances:
    base = Circumstances(now=NOW, cores=2, nonce="n", month_day="1123", tasks={"walk": TASK},
                         entries={("", "train"): "m:train", ("", "evaluate"): "m:evaluate"})
    return replace(base, **changes)


def content(name: str = "night", *, trials: int = 2, search: bool = False, **changes: Any) -> Campaign:
    skills = (SkillUse(name="hp-search"),) if search else ()
    return replace(Campaign(version=1, name=name, task="walk", budget=Budget(trials=trials), skills=skills,
                            space=SPACE if search else SearchSpace()), **changes)


def seen_file(campaign: Campaign, **changes: Any) -> FileSeen:
    return replace(FileSeen(file=f"{campaign.name}.yaml", sha256=f"sha-{campaign.name}", text="...",
                            content=campaign), **changes)


def folded(state: State, events: Iterable[Event], at: float = NOW) -> State:
    return fold(state, (Stored(seq=n, at=at, event=event) for n, event in enumerate(events, 1)))


def step(state: State, *sightings: Any, **changes: Any) -> tuple[State, tuple[Event, ...]]:
    """Decide on sightings and return the state after, with the events."""
    given = circumstances(**changes)
    events = decide(state, sightings, given)
    return folded(state, events, given.now), events


def ended(run: str, *, code: int | None = 0, signal: int | None = None, result: Any = "good", value: float = 0.9,
          **changes: Any) -> RunSeen:
    """The sighting of a run whose worker has ended, well unless said otherwise."""
    if result == "good":
        result = {"outcome": "finished", "env_steps": 1000, "simulated_s": 20.0,
                  "checkpoint": {"path": "checkpoints/ckpt_000000001000.pt", "sha256": "ab", "env_steps": 1000},
                  "metrics": {"eval/success_rate": {"value": value, "low": value - 0.05, "high": value + 0.05,
                                                    "n": 256}}}
    return replace(RunSeen(run=run, claim="shim", alive=False, pid=7, claimed_at=NOW,
                           exit=ExitSeen(exit_code=code, signal=signal, ended_at=NOW + 5, duration_s=5.0),
                           result=result), **changes)


def alive(run: str, **changes: Any) -> RunSeen:
    return replace(RunSeen(run=run, claim="shim", alive=True, pid=7, claimed_at=NOW), **changes)


def kinds(events: Iterable[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
