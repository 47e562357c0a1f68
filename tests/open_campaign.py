"""An open campaign whose trials stand as a test says: score, verdict, quality, stage and seeds of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.stories import EVENING, FLAT_NIGHT, TASK, flat_night
from vbotd.domain import event as e
from vbotd.domain.campaign import Stage
from vbotd.domain.event import Event
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import CheckpointRef, Proposal, Verdict
from vbotd.layout import Layout
from vbotd.store.events import EventStore

CAMPAIGN = "flat-night-1123"
SCORE, QUALITY = "eval/success_rate", "eval/speed_error_mps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a trial stands. `score` None: it failed; `quality` None: it was not measured."""

    score: float | None
    verdict: Verdict = "keep"
    quality: float | None = None
    stage: str = ""
    seeds: tuple[int, ...] = (1,)


def hold(layout: Layout, standings: Sequence[Standing], *, stages: Sequence[str] = ()) -> None:
    """Put an open campaign into a new store, a trial a standing, and a catalogue in which less quality is better."""
    layout.make()
    store = EventStore(layout.store)
    content = flat_night(stages=tuple(Stage(name=name, task=TASK) for name in stages))
    store.commit((e.CampaignAccepted(campaign=CAMPAIGN, content=content, sha256="a" * 64, file="flat.yaml",
                                     text=FLAT_NIGHT, submitted_by="inbox"),), EVENING)
    for number, standing in enumerate(standings, 1):
        store.commit(tuple(_trial(number, standing)), EVENING + number)
    store.close()
    layout.catalogue.write_text(json.dumps({"key": "k", "catalogue": {"tasks": [
        {"name": TASK, "metric": {"tag": SCORE, "direction": "max"},
         "quality": {"tag": QUALITY, "direction": "min"}}]}}))


def trial_id(number: int) -> str:
    """Return the id of a trial of the campaign."""
    return f"{CAMPAIGN}/t{number:03d}"


def _trial(number: int, standing: Standing) -> Iterator[Event]:
    trial = {"campaign": CAMPAIGN, "trial": trial_id(number)}
    yield e.TrialAdmitted(**trial, number=number, params={}, seeds=standing.seeds, proposal=Proposal(
        params={}, proposer="hp-search", stage=standing.stage))
    for seed in standing.seeds:
        run = f"{trial_id(number)}/train-s{seed}-a1"
        kept = CheckpointRef(path=f"{run}/checkpoints/ckpt_000000000100.pt", sha256="a" * 64, env_steps=100)
        yield e.RunQueued(**trial, run=run, kind="train", seed=seed, attempt=1, spec={})
        yield e.RunEnded(**trial, run=run, outcome="finished", env_steps=100, ended_at=EVENING + 1, checkpoint=kept)
        run = f"{trial_id(number)}/score-s{seed}-a1"
        yield e.RunQueued(**trial, run=run, kind="evaluate", seed=seed, attempt=1, purpose="score", spec={})
        yield e.RunEnded(**trial, run=run, outcome="finished", ended_at=EVENING + 2, metrics=_metrics(standing, seed))
    yield e.TrialJudged(**trial, verdict=standing.verdict, why="", score=_measured(standing.score))


def _metrics(standing: Standing, seed: int) -> dict[str, Measurement]:
    """Return what a run measured; report seeds have the best of qualities, which must not choose."""
    quality = standing.quality if seed == standing.seeds[0] else 0.0
    found = {SCORE: _measured(standing.score), QUALITY: _measured(quality)}
    return {tag: measured for tag, measured in found.items() if measured is not None}


def _measured(value: float | None) -> Measurement | None:
    return None if value is None else Measurement(value=value, low=value - 0.02, high=value + 0.02, n=256)
